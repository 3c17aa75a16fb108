"""Names the model formats that edgewm does not read, by how their files begin or what an archive holds.

A name says that somebody should look with another tool; it is never a guess from a file's ending.
"""

from __future__ import annotations

from collections.abc import Sequence

from .content import Content

_HEADS = (
    (4, b"ET12", "executorch"),
    (0, b"GGUF", "gguf"),
    (0, b"\x89HDF\r\n\x1a\n", "hdf5"),
    (0, b"RKNN", "rknn"),
    (0, b"CviModel", "cvimodel"),
    (0, b"LDMK", "kmodel"),
    (0, b"ftrt", "tensorrt"),
    (0, b"EDL1", "espdl"),
    (0, b"EDL2", "espdl"),
    (0, b"7767517\n", "ncnn-param"),
)
"""Where, what, name."""

_NOT_UNPACKED = (
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"hsqs", "squashfs"),
    (b"UBI#", "ubi"),
)

_MEMBERS = (
    ({"config.json", "metadata.json", "model.weights.h5"}, "keras"),
    ({"data.pkl", "constants.pkl"}, "torchscript"),
    ({"data.pkl", "version"}, "pytorch"),
    ({"model", "metadata", "dlc.metadata"}, "snpe-dlc"),
)
_MOST_FIELDS = 10_000


def format_of(content: Content) -> str:
    """Name of the format that these bytes begin as; empty for none that is known."""
    head = content.head
    for at, magic, name in _HEADS:
        if head[at : at + len(magic)] == magic:
            return name
    if head[8:10] == b'{"' and 2 <= int.from_bytes(head[:8], "little") <= content.size - 8:
        return "safetensors" if b'"dtype"' in head else ""
    if head.lstrip()[:5] in (b"<?xml", b"<net ") and b"<net " in head and b"<layers>" in head:
        return "openvino"
    if _is_onnx(content):
        return "onnx"
    return ""


def not_unpacked(content: Content) -> str:
    """Name of a compression or file system that is not looked into; empty for none that is known."""
    for magic, name in _NOT_UNPACKED:
        if content.head.startswith(magic):
            return name
    return ""


def format_of_members(names: Sequence[str]) -> str:
    """Name of the format whose archives hold members of these names; empty for none that is known."""
    last = {name.rsplit("/", 1)[-1] for name in names}
    return next((name for members, name in _MEMBERS if members <= last), "")


def _is_onnx(content: Content) -> bool:
    """Whether these bytes are an ONNX ModelProto to their end, with a graph and operator sets.

    Fields: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
    """
    if content.head[:1] != b"\x08":
        return False
    at, seen = 0, set()
    for _ in range(_MOST_FIELDS):
        if at >= content.size:
            break
        key, at = _varint(content, at)
        field, wire = key >> 3, key & 7
        if at < 0 or not 1 <= field <= 30 or wire not in (0, 2):
            return False
        value, at = _varint(content, at)
        if at < 0 or (field == 1 and not 1 <= value <= 100):
            return False
        at += value if wire == 2 else 0
        seen.add((field, wire))
    return at == content.size and {(1, 0), (7, 2), (8, 2)} <= seen


def _varint(content: Content, at: int) -> tuple[int, int]:
    """Value, and where the next byte is; -1 for a number of more than ten bytes."""
    raw = content.read(at, 10)
    value = 0
    for index, byte in enumerate(raw):
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value, at + index + 1
    return 0, -1
