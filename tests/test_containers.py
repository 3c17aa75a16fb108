"""Every container gives back, bit for bit, the bytes that were hidden in it, and nothing else is a model."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import inspect
import io
import lzma
import random
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgewm import spec
from edgewm.finding import Found, Note, find
from tests import golden, hiding
from tests.needs import data_folder, needs

MODEL = golden.MARKED.read_bytes()
DIGEST = hashlib.sha256(MODEL).hexdigest()


def searched(content: bytes, folder: Path, **more: object) -> tuple[list[Found], list[str]]:
    """What is found in a file of these bytes, and the notes."""
    path = folder / "suspect.bin"
    path.write_bytes(content)
    told = list(find([path], **more))
    found = [item for item in told if isinstance(item, Found)]
    return found, [item.text for item in told if isinstance(item, Note)]


def inside(found: Found) -> str:
    """Its path behind the file's name."""
    return found.path.partition("suspect.bin")[2]


@pytest.mark.parametrize("name", spec.names("containers"))
def test_every_container_is_one_frozen_dataclass_with_one_method(name: str):
    """The contract of the folder; bytes that are not of its kind give nothing and no note."""
    from edgewm.containers import Budget
    from edgewm.content import of_bytes

    plugin = spec.parse("containers", name)
    assert dataclasses.is_dataclass(plugin)
    assert type(plugin).__dataclass_params__.frozen
    assert spec.parse("containers", spec.spell(plugin)) == plugin
    public = [n for n, _ in inspect.getmembers(plugin, callable) if not n.startswith("_")]
    assert public == ["pieces"]
    budget = Budget()
    for content in (b"", b"\0", b"hello, 1, 2", bytes(5000), random.Random(1).randbytes(5000)):
        assert list(plugin.pieces(of_bytes(content), budget)) == []
    assert budget.notes == []


@pytest.mark.parametrize("way", [*hiding.HIDING, "word array", "base64 in binary"])
def test_a_model_comes_back_as_it_was(way: str, tmp_path: Path):
    """One model, exact in offset, length and digest, no note; without the model nothing is found."""
    more = {"word array": hiding.word_array, "base64 in binary": hiding.base64_in_binary}
    hide = {**hiding.HIDING, **more}[way]
    found, notes = searched(hide(MODEL), tmp_path)
    assert [(one.sha256, one.length, one.format) for one in found] == [
        (DIGEST, len(MODEL), "tflite")
    ]
    assert notes == []
    assert found[0].macs == 235_520
    assert [tensor.shape for tensor in found[0].inputs] == [(1, 8, 8, 1)]
    broken = MODEL.replace(b"TFL3", b"TFL4")
    assert searched(hide(broken), tmp_path) == ([], [])


WITHIN = [way for way in hiding.HIDING if way != "noise"]
"""Ways whose bytes are looked for in any other: what is packed is found at the start of bytes alone."""


@pytest.mark.parametrize("seed", range(60))
def test_three_deep(seed: int, tmp_path: Path):
    """Any way inside any other inside any other."""
    chosen = random.Random(seed)
    ways = [chosen.choice(list(hiding.HIDING)), *chosen.choices(WITHIN, k=2)]
    # under a key only the start of an archive is looked for; in noise no text and no image
    plain = {"as it is", "gzip", "xz", "bzip2", "zip", "zip stored", "zip bzip2", "zip lzma"}
    for outer in (0, 1):
        if ways[outer] == "xor" and ways[outer + 1] in ("lzma", "zip behind noise", "zip in noise"):
            ways[outer + 1] = "zip"
        if ways[outer] == "noise" and ways[outer + 1] not in plain:
            ways[outer + 1] = "zip"
    if "xor" in ways[:2]:  # one key is undone
        ways[2] = "zip" if ways[2] == "xor" else ways[2]
        ways[1] = "tar" if ways[:2] == ["xor", "xor"] else ways[1]
    content = MODEL
    for way in reversed(ways):
        content = hiding.HIDING[way](content)
    found, _ = searched(content, tmp_path)
    assert [one.sha256 for one in found] == [DIGEST], ways


def test_paths_say_where(tmp_path: Path):
    """Each step of the nesting, the plug-in that gave the bytes, and the offset in them."""
    inner = hiding.zipped("assets/m.tflite", b"x" * 7 + MODEL)
    (found,), _ = searched(gzip.compress(hiding.tarred("app.apk", inner)), tmp_path)
    assert inside(found) == "!gzip!folder/app.apk!assets/m.tflite"
    assert (found.container, found.offset) == ("zip", 7)
    (found,), _ = searched(hiding.in_noise(MODEL), tmp_path)
    assert (inside(found), found.container) == ("", "raw")
    assert found.offset == hiding.in_noise(MODEL).index(MODEL)
    (found,), _ = searched(b"abc" + hiding.xored(MODEL, 0xFF), tmp_path)
    assert (inside(found), found.container, found.offset) == ("!xor-ff", "xor", 3)
    (found,), _ = searched(hiding.xxd(MODEL), tmp_path)
    assert (inside(found), found.container) == ("!m_tflite", "c_array")
    (found,), _ = searched(hiding.uf2(MODEL), tmp_path)
    assert (inside(found), found.container) == ("!0x10000000", "uf2")


def test_a_zip_behind_a_model_is_searched_and_the_model_keeps_its_length(tmp_path: Path):
    """As TFLite's metadata tool writes it: two models, and none that ends with the file."""
    other = golden.UNMARKED.read_bytes()
    found, notes = searched(MODEL + hiding.zipped("other.tflite", other), tmp_path)
    assert notes == []
    held = {inside(one): (one.offset, one.length) for one in found}
    assert held == {"": (0, len(MODEL)), "!other.tflite": (0, len(other))}


def test_two_copies_are_two(tmp_path: Path):
    """Bytes are told once however they are reached, and twice where they stand twice."""
    twice, _ = searched(MODEL + bytes(5) + MODEL, tmp_path)
    assert [one.offset for one in twice] == [0, len(MODEL) + 5]
    stored = hiding.zipped("a.tflite", MODEL, zipfile.ZIP_STORED)
    once, _ = searched(hiding.zipped("in.zip", stored, zipfile.ZIP_STORED), tmp_path)
    assert [inside(one) for one in once] == ["!in.zip!a.tflite"]


@needs("ld")
def test_an_object_file_and_its_array(tmp_path: Path):
    """An ELF section holds a model as it is; its name is no matter."""
    (tmp_path / "m.tflite").write_bytes(MODEL)
    command = ["ld", "-r", "-b", "binary", "m.tflite", "-o", "m.o"]
    subprocess.run(command, cwd=tmp_path, check=True)
    found, notes = searched((tmp_path / "m.o").read_bytes(), tmp_path)
    assert ([one.sha256 for one in found], notes) == ([DIGEST], [])


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x1c\0\0\0ET12" + bytes(200), "executorch"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "hdf5"),
        (b"GGUF" + bytes(200), "gguf"),
    ],
)
def test_other_formats_are_named(content: bytes, name: str, tmp_path: Path):
    """By how they begin."""
    (found,), _ = searched(content, tmp_path)
    assert (found.format, found.length, found.macs) == (name, len(content), None)


def test_archives_of_other_formats_and_onnx_are_named(tmp_path: Path):
    """A .keras by its members, an ONNX model by its fields; a text that begins alike is none."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, b"{}")
    assert [one.format for one in searched(made.getvalue(), tmp_path)[0]] == ["keras"]
    graph = bytes(100)
    onnx = b"\x08\x08" + b"\x12\x07pytorch" + b"\x3a\x64" + graph + b"\x42\x04\x0a\x00\x10\x11"
    assert [one.format for one in searched(onnx, tmp_path)[0]] == ["onnx"]
    assert searched(onnx[:-1], tmp_path)[0] == []


@needs("data")
def test_vela_is_named_and_real_models_are_exact(tmp_path: Path):
    """Every real model, among random bytes and zeros."""
    for path in sorted((data_folder() / "models").glob("*.tflite")):
        model = path.read_bytes()
        for behind in (b"", bytes(999), random.Random(2).randbytes(999)):
            (found,), notes = searched(random.Random(3).randbytes(333) + model + behind, tmp_path)
            assert (found.offset, found.length, notes) == (333, len(model), [])
        assert found.format == ("tflite-vela" if "vela" in path.name else "tflite")


def bomb(levels: int) -> bytes:
    """Zeros in zips in zips: a thousandth of its size a level."""
    held = bytes(50 << 20)
    for _ in range(levels):
        held = hiding.zipped("a.zip", held)
    return held


def encrypted() -> bytes:
    """An archive whose member says that it is encrypted."""
    held = bytearray(hiding.zipped("m.tflite", MODEL))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        where = -1
        while (where := held.find(magic, where + 1)) >= 0:
            held[where + at] |= 1
    return bytes(held)


LIMITED: dict[str, tuple[Callable[[], bytes], str]] = {
    "zip": (lambda: bomb(2), "the limit of unpacked bytes"),
    "gzip": (lambda: gzip.compress(bytes(50 << 20)), "the limit of unpacked bytes"),
    "xz": (lambda: lzma.compress(bytes(50 << 20)), "the limit of unpacked bytes"),
    "encrypted": (encrypted, "encrypted"),
    "truncated": (lambda: gzip.compress(MODEL)[:-900], "it ends in the middle"),
    "zstd": (lambda: b"\x28\xb5\x2f\xfd" + bytes(100), "zstd is not unpacked"),
}


@pytest.mark.parametrize("name", LIMITED)
def test_limits_are_said_in_a_line(name: str, tmp_path: Path):
    """Bombs, passwords and half files end in a note; the same limit does not stop an honest file."""
    make, says = LIMITED[name]
    _, notes = searched(make(), tmp_path, unpacked_bytes=20 << 20)
    assert any(says in note for note in notes), notes
    found, notes = searched(hiding.zipped("m", MODEL), tmp_path, unpacked_bytes=20 << 20)
    assert (len(found), notes) == (1, [])


@pytest.mark.parametrize("field", [b"PK\x01\x02", b"PK\x03\x04"])
def test_a_zip_that_lies_is_read_all_the_same(field: bytes, tmp_path: Path):
    """Flags of encryption, checksums and names that do not fit stop libraries, and no device."""
    whole = hiding.zipped("m.tflite", MODEL)
    at = whole.index(b"m.tflite") - 30
    central = whole.rindex(b"m.tflite") - 46
    assert whole[at : at + 4] == b"PK\x03\x04"
    where = (at + 6, at + 14, at + 30) if field == b"PK\x03\x04" else (central + 8, central + 16)
    for place in where:
        held = bytearray(whole)
        held[place] ^= 1
        found, notes = searched(bytes(held), tmp_path)
        assert [one.sha256 for one in found] == [DIGEST]
        assert len(notes) <= 1


def test_nesting_ends(tmp_path: Path):
    """Seven deep is searched, twenty is told."""
    content = MODEL
    for depth in range(20):
        content = hiding.zipped("a", content)
        if depth == 6:
            assert len(searched(content, tmp_path)[0]) == 1
    found, notes = searched(content, tmp_path)
    assert found == []
    assert "8 deep" in notes[0]


def test_names_inside_cannot_lead_out_or_write_to_the_terminal(tmp_path: Path):
    """A member's name is a name, whatever it holds."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        facts = tarfile.TarInfo("../../\x1b[2J\nm")
        facts.size = len(MODEL)
        archive.addfile(facts, io.BytesIO(MODEL))
    (found,), _ = searched(made.getvalue(), tmp_path)
    assert "\x1b" not in found.path
    assert "\n" not in found.path


@pytest.mark.parametrize("way", sorted(set(hiding.HIDING) - {"as it is", "noise", "xor"}))
def test_mutated_containers_never_raise(way: str, tmp_path: Path):
    """Twenty mutations of each: bytes changed, cut, doubled. Whatever is told is a model that walks."""
    chosen = random.Random(way)
    whole = hiding.HIDING[way](golden.UNMARKED.read_bytes()[:600] + MODEL)
    for _ in range(20):
        held = bytearray(whole)
        for _ in range(chosen.randint(1, 20)):
            held[chosen.randrange(min(len(held), 900))] = chosen.randrange(256)
            held[-chosen.randrange(1, min(len(held), 900))] = chosen.randrange(256)
        cut = chosen.choice([len(held), chosen.randrange(len(held))])
        found, notes = searched(bytes(held[:cut]), tmp_path)
        assert all(one.length <= 2 * len(MODEL) for one in found)
        assert not any("NameError" in note or "AttributeError" in note for note in notes)
