"""`edgewm find` and `edgewm match` on the command line."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import golden, hiding
from tests.cli.command import EDGEWM, MARKED, UNMARKED, printed_json, refused

MODEL = golden.MARKED.read_bytes()
DIGEST = hashlib.sha256(MODEL).hexdigest()


def test_find_prints_models_and_says_when_there_are_none(cli):
    """Exit code 0 and a line a model, 1 and a sentence without one."""
    Path("app.apk").write_bytes(hiding.zipped("assets/m.tflite", MODEL))
    code, out, err = cli("find", "app.apk")
    assert (code, err) == (0, "")
    assert out.startswith("app.apk!assets/m.tflite  tflite  25536 bytes  sha256 4cef184e9654")
    assert "int8[1x8x8x1] -> int8[1x10]  6 operators, 235520 MACs" in out
    Path("lone").write_bytes(b"the runtime says TFL3 and means no model" * 9)
    assert cli("find", "lone") == (1, "no model found\n", "")


def test_find_prints_a_list(cli):
    """Every field, for files, folders and what is inside; two paths in the order given."""
    Path("folder/deep").mkdir(parents=True)
    Path("folder/deep/b.zip").write_bytes(hiding.zipped("x/m.bin", b"1234" + MODEL))
    Path("folder/a.cc").write_bytes(hiding.xxd(MODEL))
    held = printed_json(cli("find", "folder", MARKED, "--json"))
    assert [one["path"] for one in held] == [
        "folder/a.cc!m_tflite",
        "folder/deep/b.zip!x/m.bin",
        MARKED,
    ]
    assert [one["container"] for one in held] == ["c_array", "zip", "raw"]
    assert [one["offset"] for one in held] == [0, 4, 0]
    assert {(one["length"], one["sha256"], one["format"]) for one in held} == {
        (len(MODEL), DIGEST, "tflite")
    }
    assert held[0]["inputs"][0]["shape"] == [1, 8, 8, 1]
    assert held[0]["operators"]["CONV_2D"] == 3
    assert printed_json(cli("find", "k", "--json"), 1) == []


def test_find_extracts_what_it_found(cli):
    """Bit for bit, once for each digest, in the folder and nowhere else."""
    Path("a").write_bytes(hiding.tarred("../../../escape.tflite", MODEL) + hiding.xored(MODEL))
    held = printed_json(cli("find", "a", "--extract", "out", "--json"))
    assert len(held) == 2
    assert {Path(one["extracted"]).read_bytes() for one in held} == {MODEL}
    assert all(Path(one["extracted"]).parent == Path("out") for one in held)
    assert "--extract" in refused(cli("find", MARKED, "--extract", "k/out"))


def test_find_reads_standard_input():
    """`-` is what is piped in."""
    done = subprocess.run(
        [*EDGEWM, "find", "-", "--json"], input=hiding.uf2(MODEL), capture_output=True, check=True
    )
    (found,) = json.loads(done.stdout)
    assert (found["path"], found["sha256"]) == ("-!0x10000000", DIGEST)


def test_find_says_in_a_line_what_it_did_not_search(cli):
    """A limit is a note on stderr; a path that is not there is refused."""
    Path("big.zip").write_bytes(hiding.zipped("zeros", bytes(3 << 20)))
    code, out, err = cli("find", "big.zip", "--unpack-mib", "1")
    assert (code, out) == (1, "no model found\n")
    assert err.startswith("note: big.zip: zip: the limit of unpacked bytes is reached")
    assert len(err.splitlines()) == 1
    assert "PATH: nowhere cannot be read" in refused(cli("find", "nowhere"))
    os.mkfifo("pipe")
    assert "neither a file nor a folder" in refused(cli("find", "pipe"))
    assert refused(cli("find"))


def test_match_finds_weights_where_no_model_is(cli):
    """Exit code 0 with coverage and layout for the owner, 1 for another model; JSON says the same."""
    from edgewm.matching import read_owned
    from tests.layouts import LAYOUTS

    (own,) = read_owned(MARKED)
    laid = b"".join(LAYOUTS["pairs"](weights.values) for weights in own.tensors)
    Path("fw.bin").write_bytes(bytes(1001) + laid + b"the end")
    assert cli("find", "fw.bin")[0] == 1
    code, out, err = cli("match", MARKED, "fw.bin")
    assert (code, err) == (0, "")
    assert "blocks-2x4" in out
    assert "WEIGHTS FOUND" in out
    held = printed_json(cli("match", MARKED, "fw.bin", "--json"))
    assert held["found"] is True
    assert held["windows_found"] == pytest.approx(held["windows"], rel=0.02)
    assert held["coverage"] == held["windows_found"] / held["windows"]
    assert held["places"][0]["path"] == "fw.bin"
    assert held["log10_chance_weights"] < -20
    assert sum(tensor["windows"] for tensor in held["tensors"]) == held["windows"]
    code, out, _ = cli("match", UNMARKED, "fw.bin")
    assert code == 1
    assert "NOT FOUND  0.0%" in out
    Path("own").mkdir()
    for file in (golden.MARKED, golden.UNMARKED):
        Path("own", file.name).write_bytes(file.read_bytes())
    both = printed_json(cli("match", "own", "fw.bin", "--json"))
    assert sorted(one["found"] for one in both) == [False, True]
    assert "OWN: k holds no .tflite" in refused(cli("match", "k", "fw.bin"))


def test_the_hunt_imports_nothing_heavy():
    """Neither an interpreter nor a drawing library; containers when they are used."""
    code = (
        "from edgewm.cli import run\nimport sys\n"
        f"assert run(['find', {MARKED!r}, '--json']) == 0\n"
        "heavy = {'tensorflow', 'keras', 'scipy', 'ai_edge_litert', 'rich', 'PIL', 'flatbuffers'}\n"
        "assert not heavy & {name.split('.')[0] for name in sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
