"""`edgewm device engine` on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests import golden
from tests.cli.command import MARKED, printed_json, refused
from tests.runtimes.models import dense


def test_an_engine_is_written_and_told(cli):
    """The files, and what the model takes of flash and memory."""
    code, out, err = cli("device", "engine", MARKED, "-o", "c")
    assert (code, err) == (0, "")
    assert "6 operators, 235520 MACs; constants 19898 bytes (flash), arena 2048 bytes (RAM)" in out
    written = {path.name for path in Path("c").iterdir()}
    assert {"edgewm_model.c", "edgewm_model.h", "edgewm_engine.h", "edgewm_dense.c"} <= written
    header = Path("c/edgewm_model.h").read_text()
    assert "#define EDGEWM_MODEL_INPUT_BYTES 64\n" in header
    assert "#define EDGEWM_MODEL_OUTPUT_BYTES 10\n" in header
    assert "#define EDGEWM_MODEL_ARENA_BYTES 2048\n" in header
    assert "void edgewm_model_infer(const int8_t *input, int8_t *output);\n" in header
    told = printed_json(cli("device", "engine", MARKED, "--out", "c", "--json"))
    assert (told["arena_bytes"], told["macs"], told["out"]) == (2048, 235520, "c")
    assert set(told["files"]) == written


def test_models_that_cannot_be_written_are_refused(cli):
    """A float model, a file that is none, one that is not there, and a folder that is a file."""

    Path("float.tflite").write_bytes(dense(np.ones((3, 4)), np.ones(3)))
    assert "convert with full int8 quantisation" in refused(
        cli("device", "engine", "float.tflite", "-o", "c")
    )
    assert "not a whole .tflite model" in refused(cli("device", "engine", "k", "-o", "c"))
    assert "cannot be read" in refused(cli("device", "engine", "gone", "-o", "c"))
    assert not Path("c").exists()
    assert "--out" in refused(cli("device", "engine", MARKED, "-o", "k"))
    assert "--out" in refused(cli("device", "engine", str(golden.MARKED), "-o", "k/c"))


def test_a_mark_is_exported_for_the_device_and_its_flash_is_told(cli):
    """Seeded and stored; a second run writes the same bytes; the header is its owner's alone."""
    given = ("device", "export", MARKED, "-t", str(golden.TRIGGERS), "-k", str(golden.KEY))
    code, out, err = cli(*given, "-o", "edgewm_device.h")
    assert (code, err) == (0, "")
    assert "64 groups, 758 bytes of flash with the inputs' seed; secret" in out
    header = Path("edgewm_device.h")
    assert header.stat().st_mode & 0o777 == 0o600
    assert header.read_text().startswith("/* Flash: 758 bytes, with inputs drawn on the device")
    first = header.read_bytes()
    told = printed_json(cli(*given, "-o", "edgewm_device.h", "--json"))
    assert header.read_bytes() == first
    assert told["flash_bytes"] == 758
    stored = printed_json(cli(*given, "-o", "stored.h", "--stored", "--json"))
    assert stored["flash_bytes"] == 758 - 32 + 64 * 64
    assert "stored" in Path("stored.h").read_text().splitlines()[0]


def test_marks_that_cannot_be_exported_are_refused(cli):
    """Another key, another model's shape, a float model, an alpha that is none."""
    given = ("-t", str(golden.TRIGGERS), "-o", "d.h")
    Path("float.tflite").write_bytes(dense(np.ones((3, 4)), np.ones(3)))
    owner = ("-k", str(golden.KEY))
    assert "convert with full int8" in refused(
        cli("device", "export", "float.tflite", *given, *owner)
    )
    assert "expected a probability" in refused(
        cli("device", "export", MARKED, *given, *owner, "--alpha", "2")
    )
    assert cli("keygen", "--out", "other.key")[0] == 0
    assert "did not make these triggers" in refused(
        cli("device", "export", MARKED, *given, "-k", "other.key")
    )
    assert not Path("d.h").exists()
