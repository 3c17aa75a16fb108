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
