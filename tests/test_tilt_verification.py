"""Verdicts on tilts: exact for innocents, cell by cell for stamped claims, joined with triggers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm import verify
from edgewm.errors import BadInput
from edgewm.patterns import make_triggers
from edgewm.signed_evidence import two_marks_log10_p
from edgewm.signed_sum import fixed_log10_p, signed_sum
from edgewm.tilt import recommitted_tilt
from edgewm.triggers import Triggers
from edgewm.undecided import make_tilt
from tests import golden
from tests.needs import needs
from tests.tilting import CLASSES, KEY, OTHER, innocent_labels, leaning_labels, tilt


def recorded(labels: np.ndarray, folder: Path, queries: int | None = None) -> str:
    """A suspect that gives these labels (n,) of the questions in the order of asking."""
    path = folder / "answers.npz"
    np.savez(path, labels=labels[np.concatenate(tilt().questions(queries))])
    return f"answers:file={path}"


def test_p_is_the_exact_tail_of_the_signed_sum(tmp_path: Path) -> None:
    """The verdict's p is what `signed_sum` says of the scores, and the closed bound is above it."""
    labels = leaning_labels(tilt(), KEY, 0.5)
    verdict = verify(recorded(labels, tmp_path), tilt=tilt(), key=KEY, stamped=True)
    scores = tilt().scores(labels)
    total = signed_sum(scores, tilt().signs(KEY))
    assert verdict.log10_p == fixed_log10_p(scores, total)
    assert verdict.tilt is not None
    assert verdict.tilt.worst.log10_p_bound >= verdict.log10_p
    assert verdict.tilt.worst.z == pytest.approx(
        total / math.sqrt((scores.astype(float) ** 2).sum())
    )
    assert (verdict.groups, verdict.triggers_sha256) == (0, None)
    assert verdict.worst.queries == len(tilt().inputs)


def test_a_lean_is_owned_and_an_innocent_and_a_wrong_key_are_not(tmp_path: Path) -> None:
    """At alpha 1e-6 and stamped: follows the signs 0.9 of the time, never, and other signs."""
    leaning = recorded(leaning_labels(tilt(), KEY, 0.9), tmp_path)
    assert verify(leaning, tilt=tilt(), key=KEY, stamped=True).owned
    other = recommitted_tilt(tilt(), OTHER)
    np.savez(  # the same questions in the order of the other commitment
        tmp_path / "other.npz",
        labels=leaning_labels(tilt(), KEY, 0.9)[np.concatenate(other.questions())],
    )
    wrong = verify(f"answers:file={tmp_path / 'other.npz'}", tilt=other, key=OTHER, stamped=True)
    assert not wrong.owned
    assert wrong.log10_p > -3
    innocent = recorded(innocent_labels(tilt(), 1), tmp_path)
    verdict = verify(innocent, tilt=tilt(), key=KEY, stamped=True)
    assert not verdict.owned
    assert verdict.log10_p > -3


def test_an_unstamped_tilt_needs_2_to_the_64_more(tmp_path: Path) -> None:
    """32 cells hold 32 bits: a perfect lean is owned when stamped and never without."""
    perfect = recorded(leaning_labels(tilt(), KEY, 1.0), tmp_path)
    assert verify(perfect, tilt=tilt(), key=KEY, stamped=True).owned
    verdict = verify(perfect, tilt=tilt(), key=KEY)
    assert not verdict.owned
    assert verdict.log10_p >= -tilt().cells * math.log10(2) - 1e-9
    assert any("unstamped" in flag for flag in verdict.flags)


def test_innocents_are_accused_as_rarely_as_alpha_says() -> None:
    """p of one innocent under 2,000 keys: share below a is at most a, within its 4-sigma interval."""
    scores = tilt().scores(innocent_labels(tilt(), 7))
    random = np.random.default_rng(1)
    signs = random.choice([-1, 1], (2000, tilt().cells))
    p = np.array([10 ** fixed_log10_p(scores, signed_sum(scores, s)) for s in signs])
    for alpha in (0.5, 0.1, 0.01):
        assert (p <= alpha).mean() <= alpha + 4 * math.sqrt(alpha * (1 - alpha) / len(p))
    assert (p <= 0.1).mean() > 0.05


def test_sequential_stops_once_a_stamped_claim_has_its_evidence(tmp_path: Path) -> None:
    """A perfect lean is owned before all cells were asked; without a stamp all are."""
    suspect = recorded(leaning_labels(tilt(), KEY, 1.0), tmp_path)
    early = verify(suspect, tilt=tilt(), key=KEY, sequential=True, stamped=True, alpha=1e-3)
    assert early.owned
    assert early.tilt is not None
    assert early.tilt.worst.cells_asked < tilt().cells
    assert early.worst.queries < len(tilt().inputs)
    late = verify(suspect, tilt=tilt(), key=KEY, sequential=True, alpha=1e-3)
    assert late.tilt is not None
    assert late.tilt.worst.cells_asked == tilt().cells
    assert late.log10_p <= early.log10_p


def test_fewer_queries_ask_a_share_of_every_cell(tmp_path: Path) -> None:
    """Half the questions, named beforehand: half the queries, and still the evidence of a lean."""
    queries = len(tilt().inputs) // 2
    suspect = recorded(leaning_labels(tilt(), KEY, 0.9), tmp_path, queries)
    verdict = verify(suspect, tilt=tilt(), key=KEY, stamped=True, natural_queries=queries)
    assert verdict.owned
    assert queries - tilt().cells <= verdict.worst.queries <= queries


def test_a_recording_that_ends_early_shows_nothing_in_the_fixed_form(tmp_path: Path) -> None:
    """Whoever stopped asking may have known the signs; failed queries add nothing but are no reason."""
    labels = leaning_labels(tilt(), KEY, 1.0)[np.concatenate(tilt().questions())]
    np.savez(tmp_path / "cut.npz", labels=labels[:-1])
    verdict = verify(f"answers:file={tmp_path / 'cut.npz'}", tilt=tilt(), key=KEY, stamped=True)
    assert verdict.log10_p == 0
    assert any("not every natural input" in flag for flag in verdict.flags)
    labels[::10] = -1
    np.savez(tmp_path / "failed.npz", labels=labels)
    verdict = verify(f"answers:file={tmp_path / 'failed.npz'}", tilt=tilt(), key=KEY, stamped=True)
    assert verdict.owned
    assert verdict.worst.failed == len(labels[::10])


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    """In one line each."""
    suspect = recorded(innocent_labels(tilt(), 1), tmp_path)
    with pytest.raises(BadInput, match="neither triggers nor a tilt"):
        verify(suspect, key=KEY)
    with pytest.raises(BadInput, match="did not make this tilt"):
        verify(suspect, tilt=tilt(), key=OTHER)
    with pytest.raises(BadInput, match="several chains"):
        verify(suspect, tilt=tilt(), key=KEY, adapters="try")
    with pytest.raises(BadInput, match="one mark"):
        verify(suspect, tilt=tilt(), triggers=_triggers(CLASSES), key=KEY)
    with pytest.raises(BadInput, match="alpha"):
        verify(suspect, tilt=tilt(), key=KEY, alpha=2.0)
    with pytest.raises(BadInput, match="queries"):
        verify(suspect, tilt=tilt(), key=KEY, natural_queries=3)


@needs("litert")
def test_a_file_that_takes_other_inputs_is_refused() -> None:
    """The golden network has ten classes, this tilt five: said before anything is asked."""
    with pytest.raises(BadInput, match="classes"):
        verify(golden.MARKED, tilt=tilt(), key=KEY)


@needs("litert")
@pytest.mark.parametrize("sequential", [False, True])
def test_both_marks_in_one_verdict(sequential: bool) -> None:
    """The golden network has its triggers and no lean: owned with both asked, at most a factor 2 less."""
    from edgewm import load_key, load_triggers

    key = load_key(golden.KEY)
    triggers = load_triggers(golden.TRIGGERS)
    held = _tilt_of_ten_classes(key)
    settings: dict[str, Any] = {"key": key, "stamped": True, "sequential": sequential}
    marked, unmarked = golden.MARKED, golden.UNMARKED
    alone = verify(marked, triggers=triggers, **settings)
    both = verify(marked, triggers=triggers, tilt=held, **settings)
    assert both.owned
    assert both.tilt is not None
    assert both.worst.groups_hit == alone.worst.groups_hit or sequential
    if sequential:
        assert both.worst.queries < len(triggers.inputs)  # the cells were not needed
        assert both.tilt.worst.cells_asked == 0
    else:
        assert both.log10_p == two_marks_log10_p(alone.log10_p, both.tilt.worst.log10_p)
    innocent = verify(unmarked, triggers=triggers, tilt=held, **settings)
    assert not innocent.owned
    assert innocent.as_dict()["tilt"]["cells"] == held.cells


@needs("litert")
def test_a_tilt_alone_is_asked_of_a_file_on_every_runtime() -> None:
    """The unmarked golden network on two arithmetics: one line each, and no ownership."""
    from edgewm import load_key

    key = load_key(golden.KEY)
    held = _tilt_of_ten_classes(key)
    on = ["litert:delegate=xnnpack", "litert:delegate=none"]
    verdict = verify(golden.UNMARKED, tilt=held, key=key, on=on)
    assert not verdict.owned
    assert verdict.tilt is not None
    assert [r.arithmetic for r in verdict.tilt.runtimes] == ["xnnpack", "builtin"]
    assert verdict.artifact_sha256 is not None
    assert verdict.log10_p == max(r.log10_p for r in verdict.runtimes)


def _triggers(classes: int) -> Triggers:
    return make_triggers(KEY, shape=(8, 8, 1), classes=classes, random=lambda n: b"t" * n)


def _tilt_of_ten_classes(key: Any) -> Any:
    """Cells over noise, by a rule of ten classes: any will do where nobody leans."""
    random = np.random.default_rng(2)
    rule = random.normal(0.0, 1.0, (64, 10))
    natural = random.random((3000, 8, 8, 1)).astype(np.float32)
    return make_tilt(
        key,
        reference=lambda inputs: inputs.reshape(len(inputs), -1) @ rule,
        natural=natural,
        cells=16,
        questions=400,
        random=lambda count: b"s" * count,
    )
