"""What a conversion refuses before and without TensorFlow, and what becomes of a lost child."""

from __future__ import annotations

import os
import signal
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.conversion import FORMATS, Converter
from edgewm.errors import BadInput, RuntimeUnavailable

from .needs import needs

SAMPLES = np.linspace(0, 1, 20 * 64, dtype=np.float32).reshape(20, 8, 8, 1)


@pytest.fixture
def keras_file(tmp_path: Path) -> Path:
    """A file that looks like a saved model as far as one can see without Keras."""
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as held:
        held.writestr("config.json", "{}")
        held.writestr("metadata.json", "{}")
    return path


def refusal(converter: Converter, *args: Any, **kwargs: Any) -> str:
    """The one line of a BadInput that a conversion must end in."""
    with pytest.raises(BadInput) as caught:
        converter.convert(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_model_files_that_are_none_are_refused(keras_file: Path, tmp_path: Path) -> None:
    """The file is named, and what was expected; nothing is started for it."""
    text = tmp_path / "text.keras"
    text.write_bytes(b"not a zip")
    archive = tmp_path / "archive.keras"
    with zipfile.ZipFile(archive, "w") as held:
        held.writestr("readme", "x")
    idle = Converter()
    for model in (text, archive, tmp_path / "missing.keras", tmp_path, 3, "no.h5"):
        said = refusal(idle, model, SAMPLES)
        assert said.startswith("model: ")
        assert "model.save('NAME.keras')" in said
    assert idle.pid is None
    assert refusal(idle, keras_file, None).startswith("representative: ")  # its own turn comes


def test_representative_data_is_checked(keras_file: Path) -> None:
    """None, none left, NaN, constants and whole numbers are told apart."""
    idle = Converter()
    spoilt = SAMPLES.copy()
    spoilt[17, 3, 3] = np.nan
    expected = {
        "got no samples": None,
        "the shape (0, 8, 8, 1)": SAMPLES[:0],
        "number 17": spoilt,
        "every value is 0.5": np.full_like(SAMPLES, 0.5),
        "got uint8": (SAMPLES * 255).astype(np.uint8),
        "got list": [1.0],
        "the shape (20,)": SAMPLES[:, 0, 0, 0],
    }
    for said, samples in expected.items():
        text = refusal(idle, keras_file, samples)
        assert text.startswith("representative: ")
        assert said in text


def test_an_unknown_format_lists_the_known(keras_file: Path) -> None:
    """The table is the list."""
    said = refusal(Converter(), keras_file, SAMPLES, format="int4")
    assert said == f"--format: got 'int4', expected one of {', '.join(FORMATS)}"


@pytest.mark.train
@needs("tensorflow")
def test_a_child_that_dies_or_hangs_is_one_line(keras_file: Path) -> None:
    """Nobody waits for ever, and the next conversion does not get a stale reply: the child is gone."""
    with Converter(timeout_s=0.2) as hasty:
        assert "no answer in time" in refusal(hasty, keras_file, SAMPLES)
        assert hasty.pid is None
    with Converter() as killed:
        killed.start()
        assert killed.pid is not None
        threading.Timer(0.5, os.kill, (killed.pid, signal.SIGKILL)).start()
        assert "crashed (exit status -9)" in refusal(killed, keras_file, SAMPLES)
        assert killed.pid is None


def test_without_tensorflow_the_extra_is_named(
    keras_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where TensorFlow does not import, the line says what to install."""
    (tmp_path / "tensorflow.py").write_text("raise ImportError('No module named tensorflow')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Converter() as converter, pytest.raises(RuntimeUnavailable) as caught:
        converter.convert(keras_file, SAMPLES)
    assert "pip install 'edgewm[train]'" in str(caught.value)
    assert "\n" not in str(caught.value)
