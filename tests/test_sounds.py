"""Sounds: files that others read, and damage that is what it says."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from edgewm.key import Key, save_key
from edgewm.patterns import make_triggers
from edgewm.sounds import quieter, through_half_rate, through_mu_law, wav_bytes, with_noise
from edgewm.triggers import save_triggers
from tests import golden
from tests.cli.command import started

SECOND = np.arange(16_000) / 16_000


def tone(hertz: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * SECOND)


def test_a_wav_holds_the_samples() -> None:
    """One channel of 16 bits, to half a step, as the standard library reads it back."""
    with wave.open(io.BytesIO(wav_bytes(tone(440).reshape(100, 160), 16_000))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        read = np.frombuffer(file.readframes(16_000), "<i2") / 32767
    np.testing.assert_allclose(read, tone(440), atol=0.51 / 32767)


def test_mu_law_keeps_quiet_sounds_and_has_256_values() -> None:
    sound = np.linspace(-1, 1, 100_001)
    heard = through_mu_law(sound)
    assert len(np.unique(heard)) == 256
    quiet = np.abs(sound) > 0.01
    assert (np.abs(heard - sound)[quiet] / np.abs(sound)[quiet]).max() < 0.04


@pytest.mark.parametrize(("hertz", "kept"), [(300, True), (3_000, True), (6_000, False)])
def test_half_the_rate_keeps_half_the_band(hertz: float, kept: bool) -> None:
    """Below 4 kHz a tone comes back, above it is gone."""
    heard = through_half_rate(tone(hertz)[None])[0][500:-500]
    left = np.sqrt((heard**2).mean() / (tone(hertz) ** 2).mean())
    assert left == pytest.approx(1, abs=0.02) if kept else left < 0.02


def test_levels_are_in_decibels() -> None:
    assert np.abs(quieter(tone(440), 6)).max() == pytest.approx(0.5 * 0.501, rel=1e-2)
    noise = with_noise(tone(440)[None], 20, seed=1) - tone(440)
    assert (noise**2).mean() / (tone(440) ** 2).mean() == pytest.approx(0.01, rel=0.05)


def test_triggers_are_written_as_sounds(tmp_path: Path) -> None:
    """One file an input; pictures from 0 to 255 are no sound and are refused."""
    key = Key(secret=b"k" * 32)
    save_key(key, tmp_path / "k")
    for name, high in (("sound", 1.0), ("picture", 255.0)):
        made = make_triggers(
            key,
            shape=(1600,),
            classes=4,
            groups=3,
            pattern="tone",
            value_range=(-high, high),
            random=lambda n: b"s" * n,
        )
        save_triggers(made, tmp_path / f"{name}.npz")
    done = started("triggers", "show", "sound.npz", "--wav", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").glob("*.wav"))) == 3
    done = started("triggers", "show", "picture.npz", "--wav", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "expected sound" in done.stderr
    done = started("triggers", "show", "sound.npz", "--wav", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "exists and is never overwritten" in done.stderr
    done = started("triggers", "show", str(golden.TRIGGERS), "--wav", "flat", cwd=tmp_path)
    assert done.returncode == 2
    assert "got inputs of 8x8x1, expected sound" in done.stderr
    assert not (tmp_path / "flat").exists()
    done = started(
        "triggers", "show", "sound.npz", "--wav", "fast", "--rate", "9" * 11, cwd=tmp_path
    )
    assert done.returncode == 2
