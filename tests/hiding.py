"""Ways to hide bytes in a file, written by hand or with the standard library: what `find` must undo."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import textwrap
import zipfile
from collections.abc import Callable


def zipped(name: str, held: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive with two other files beside the one that matters."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n" * 40)
        archive.writestr(name, held)
        archive.writestr("classes.dex", bytes(random.Random(7).randbytes(900)))
    return made.getvalue()


def tarred(name: str, held: bytes) -> bytes:
    """A tar archive of one file in a folder."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        facts = tarfile.TarInfo(f"folder/{name}")
        facts.size = len(held)
        archive.addfile(facts, io.BytesIO(held))
    return made.getvalue()


def uf2(held: bytes, seed: int = 1, base: int = 0x10000000) -> bytes:
    """Blocks of 256 bytes in any order, with one that is not for the main flash."""
    padded = held + bytes(-len(held) % 256)
    count = len(padded) // 256
    blocks = [
        _uf2_block(0x2000, base + 256 * i, padded[256 * i :][:256], i, count) for i in range(count)
    ]
    random.Random(seed).shuffle(blocks)
    blocks.insert(1, _uf2_block(0x1, base, bytes(256), 0, count))
    return b"".join(blocks)


def _uf2_block(flags: int, address: int, data: bytes, number: int, count: int) -> bytes:
    head = struct.pack(
        *("<8I", 0x0A324655, 0x9E5D5157, flags, address, len(data), number, count, 0xE48BFF56)
    )
    return head + data.ljust(476, b"\0") + struct.pack("<I", 0x0AB16F30)


def intel_hex(held: bytes, base: int = 0x0800FFF0, width: int = 16) -> bytes:
    """Data records with a linear address where it changes, and an end record."""
    lines, high = [], -1
    at = 0
    while at < len(held):
        address = base + at
        length = min(width, len(held) - at, 0x10000 - address % 0x10000)
        if address >> 16 != high:
            high = address >> 16
            lines.append(_hex_line(0, 4, high.to_bytes(2, "big")))
        lines.append(_hex_line(address & 0xFFFF, 0, held[at : at + length]))
        at += length
    lines.append(":00000001FF")
    return ("\r\n".join(lines) + "\r\n").encode()


def _hex_line(address: int, kind: int, data: bytes) -> str:
    record = bytes([len(data)]) + address.to_bytes(2, "big") + bytes([kind]) + data
    return ":" + (record + bytes([-sum(record) & 0xFF])).hex().upper()


def srec(held: bytes, base: int = 0x00010000, width: int = 32) -> bytes:
    """S3 records between a header and an end."""
    lines = ["S00600004844521B"]
    for at in range(0, len(held), width):
        data = held[at : at + width]
        record = bytes([len(data) + 5]) + (base + at).to_bytes(4, "big") + data
        lines.append("S3" + (record + bytes([~sum(record) & 0xFF])).hex().upper())
    lines.append("S70500000000FA")
    return ("\n".join(lines) + "\n").encode()


def xxd(held: bytes) -> bytes:
    """What `xxd -i` prints."""
    numbers = [f"0x{byte:02x}" for byte in held]
    rows = ",\n  ".join(", ".join(numbers[i : i + 12]) for i in range(0, len(numbers), 12))
    return f"unsigned char m_tflite[] = {{\n  {rows}\n}};\nunsigned int m_len = {len(held)};\n".encode()


def aligned_array(held: bytes) -> bytes:
    """As TensorFlow Lite Micro's own models: alignas, decimal numbers, comments with numbers in them."""
    rows = [", ".join(map(str, held[i : i + 17])) for i in range(0, len(held), 17)]
    body = ",  // row 0x00, 12\n    ".join(rows)
    return (
        '#include "model.h"\n/* {0x1c, 0x00} is where it begins */\n'
        f"alignas(16) const unsigned char g_model_data[] = {{\n    {body},\n}};\n"
    ).encode()


def signed_array(held: bytes) -> bytes:
    """Signed numbers, PROGMEM, no blanks, lines cut anywhere."""
    numbers = ",".join(str(byte - 256 if byte > 127 else byte) for byte in held)
    body = textwrap.fill(numbers.replace(",", ", "), 70)
    return f"const int8_t model[{len(held)}] PROGMEM __attribute__((aligned(4))) = {{{body}}};".encode()


def word_array(held: bytes) -> bytes:
    """Words of 32 bits; three bytes behind a model whose length is no multiple of four are zeros."""
    words = struct.unpack(f"<{-(-len(held) // 4)}I", held + bytes(-len(held) % 4))
    body = ", ".join(f"0x{word:08X}UL" for word in words)
    return f"static const uint32_t net[] = {{ {body} }};".encode()


def python_bytes(held: bytes) -> bytes:
    """`repr`, in one line."""
    return f"MODEL = {held!r}\n".encode()


def split_python_bytes(held: bytes) -> bytes:
    """Many literals in parentheses."""
    rows = [f"    {held[i : i + 40]!r}" for i in range(0, len(held), 40)]
    return ("model = (\n" + "\n".join(rows) + "\n)\n").encode()


def c_string(held: bytes) -> bytes:
    """C strings of escapes of two digits, one behind the other."""
    rows = ["".join(f"\\x{byte:02x}" for byte in held[i : i + 20]) for i in range(0, len(held), 20)]
    return ("const char m[] =\n" + "\n".join(f'  "{row}"' for row in rows) + ";\n").encode()


def mime(held: bytes) -> bytes:
    """Base64 in lines of 76."""
    return b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(held) + b"\n--end\n"


def json_base64(held: bytes) -> bytes:
    """Base64 for URLs inside JSON."""
    text = base64.urlsafe_b64encode(held).decode()
    return ('{"name": "kws", "model": "' + text + '", "version": 2}').encode()


def base64_in_binary(held: bytes) -> bytes:
    """Base64 among other bytes."""
    around = random.Random(3).randbytes(3000)
    return around + b"\0" + base64.b64encode(held) + b"\0" + around


def xored(held: bytes, key: int = 0x1A) -> bytes:
    """Every byte XOR-ed with the key."""
    return bytes(byte ^ key for byte in held)


def in_noise(held: bytes) -> bytes:
    """At an odd place among random bytes, behind a string of the runtime that is no model."""
    noise = random.Random(5)
    return (
        noise.randbytes(1001)
        + b"\x1c\0\0\0TFL3 model"
        + noise.randbytes(50)
        + held
        + noise.randbytes(77)
    )


HIDING: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda held: held,
    "noise": in_noise,
    "zip": lambda held: zipped("assets/m.tflite", held),
    "zip stored": lambda held: zipped("assets/m.tflite", held, zipfile.ZIP_STORED),
    "zip bzip2": lambda held: zipped("assets/m.tflite", held, zipfile.ZIP_BZIP2),
    "zip lzma": lambda held: zipped("assets/m.tflite", held, zipfile.ZIP_LZMA),
    "zip behind noise": lambda held: bytes(99) + zipped("a.bin", held),
    "zip in noise": lambda held: bytes(99) + zipped("a.bin", held) + b"\xff" * 500,
    "tar": lambda held: tarred("m.bin", held),
    "gzip": gzip.compress,
    "two gzips": lambda held: gzip.compress(held[:500]) + gzip.compress(held[500:]),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda held: lzma.compress(held, format=lzma.FORMAT_ALONE),
    "uf2": uf2,
    "intel hex": intel_hex,
    "srec": srec,
    "xxd": xxd,
    "aligned array": aligned_array,
    "signed array": signed_array,
    "python bytes": python_bytes,
    "split python bytes": split_python_bytes,
    "c string": c_string,
    "mime": mime,
    "json base64": json_base64,
    "xor": xored,
}
"""Every one of them keeps whatever bytes it is given."""
