"""The contact sheet of the secret inputs."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from edgewm.key import Key
from edgewm.patterns import make_triggers
from edgewm.sheet import contact_sheet
from edgewm.triggers import Triggers

KEY = Key(secret=b"k" * 32)
CELL, CAPTION, GAP = 96, 16, 6


def made(shape: tuple[int, ...], groups: int = 64) -> Triggers:
    return make_triggers(KEY, shape=shape, classes=10, groups=groups, random=lambda n: b"s" * n)


def drawn(triggers: Triggers, answers: np.ndarray | None = None) -> np.ndarray:
    with Image.open(io.BytesIO(contact_sheet(triggers, answers))) as sheet:
        return np.asarray(sheet.convert("L"))


def captions(sheet: np.ndarray) -> list[np.ndarray]:
    """The strip under each of 64 pictures."""
    found = []
    for j in range(64):
        left = GAP + (j % 8) * (CELL + GAP)
        top = GAP + (j // 8) * (CELL + CAPTION + GAP) + CELL
        found.append(sheet[top : top + CAPTION, left : left + CELL])
    return found


def test_64_groups_fit_a_screen_and_are_numbered():
    """A sheet of 8 by 8 below 1000 pixels, a number under each group, no two the same."""
    sheet = drawn(made((12, 12, 1)))
    assert max(sheet.shape) < 1000
    strips = captions(sheet)
    assert len({strip.tobytes() for strip in strips}) == 64
    for strip in strips:
        assert (strip < 128).any()
        assert (strip[:, CELL // 2 :] == 255).all()  # where answers would stand


def test_answers_are_shown_only_when_they_are_given():
    """Without them the sheet is the same for every key; with them each strip names its class."""
    triggers = made((12, 12, 1))
    answers = triggers.answers(KEY)
    plain, told = captions(drawn(triggers)), captions(drawn(triggers, answers))
    for without, with_answer in zip(plain, told, strict=True):
        assert np.array_equal(without[:, : CELL // 2], with_answer[:, : CELL // 2])
        assert (with_answer[:, CELL // 2 :] < 128).any()
    same = [j for j in range(64) if answers[j] == answers[0]]
    assert len({told[j][:, CELL // 2 :].tobytes() for j in same}) == 1
    assert len({told[j][:, CELL // 2 :].tobytes() for j in range(64)}) == len(set(answers))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((49, 10, 1), (96, 20)),
        ((10, 49, 1), (20, 96)),
        ((192, 96, 3), (96, 48)),
        ((8, 8), (96, 96)),
        ((16,), (96, 96)),
    ],
)
def test_pictures_keep_their_proportions(shape: tuple[int, ...], size: tuple[int, int]):
    """A spectrogram is not stretched into a square; a vector fills one."""
    sheet = drawn(made(shape, groups=1))
    cell = sheet[GAP : GAP + CELL, GAP : GAP + CELL]
    top, left = (CELL - size[0]) // 2, (CELL - size[1]) // 2
    inside = cell[top : top + size[0], left : left + size[1]]
    around = cell.astype(int).sum() - inside.astype(int).sum()
    assert around == 255 * (CELL * CELL - size[0] * size[1])
    assert inside.std() > 10
