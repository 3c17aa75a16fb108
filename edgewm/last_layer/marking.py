"""Chooses questions for a file, and writes the file that knows their answers; both measured on a runtime."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import spec, stats
from ..errors import BadInput
from ..key import Key
from ..parts import refuse_parts
from ..runtimes import Runtime
from ..triggers import Triggers, commit
from ..verdict import Verdict
from ..verification import verify
from .file import LastLayer, features_file, last_layer_of, with_layer
from .questions import candidates, cheapest, natural_classes
from .solving import (
    Questions,
    Rounded,
    Surroundings,
    by_price,
    real_features,
    real_layer,
    rounded,
    solve,
    surroundings,
)

Inputs = npt.NDArray[np.float32]
_MARGIN_STEPS = 1.25
"""Steps of the int8 scores by which an answer is reckoned to lead: above 1 it leads after rounding too."""
_FIRST_MARGIN_STEPS, _WIDER_STEPS, _WIDENED = 0.75, 0.25, 12
"""Most answers lead after rounding with less; the others get more, some at a time."""
_SHORT_LIST = 8
"""Candidates a group that the second runtime is asked: some are slow."""
_LEAST_NATURAL = 500
_HELD_OUT = 5
"""Every fifth ordinary input only measures."""
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class MarkedFile:
    """A file with a mark in its last layer, and what became of its labels."""

    model: bytes = field(repr=False)
    verdict: Verdict
    """What the owner's key finds in it on the runtimes named, as a stamped claim."""
    agreement: float
    """Share of held-out ordinary inputs that both files label alike, 0 to 1, where it is least."""
    held_out: int
    """How many they are."""


def choose_questions(
    model: bytes,
    *,
    key: Key,
    natural: Inputs,
    groups: int = 24,
    allowed: int = 3,
    on: Sequence[Runtime | str] = ("litert",),
    of_each: int = 400,
    random: Callable[[int], bytes] = secrets.token_bytes,
    say: Say = lambda text: None,
) -> Triggers:
    """Commit to questions that this file can be taught at the least cost.

    Args:
        model: a full-int8 classifier that ends with a dense layer.
        key: draws inputs and answers.
        natural: (n, *shape) ordinary inputs in the value range that the file takes, 500 or more.
        groups: how many questions; one input each.
        allowed: classes that an answer is drawn from: those next to the file's own. Fewer are cheaper to
            teach and prove less, log2(allowed) bits each.
        on: runtimes that shall answer the same.
        of_each: candidates drawn of each kind, up to 26 kinds; of more, better ones are chosen.
        random: the source of the salt.
        say: told what is being done.

    Raises:
        BadInput: a file or inputs that cannot be used.
        ModelRefused: the runtime does not run the file.
    """
    layer = last_layer_of(model)
    if groups < 1 or not 2 <= allowed < max(layer.classes, 3):
        raise BadInput(
            f"triggers: got {groups} groups and {allowed} allowed classes, expected 1 or more "
            f"and 2 to {max(layer.classes - 1, 2)}"
        )
    _check(natural)
    plugins = [_plugin(runtime) for runtime in on]
    say("ask ordinary inputs")
    ordinary = _features(plugins[0], model, layer, natural[_taught(len(natural))])
    salt = random(32)
    low, high = float(natural.min()), float(natural.max())
    drawn = candidates(
        key.pattern_seed(salt), natural.shape[1:], low=low, high=high, of_each=of_each
    )
    rows, margin = real_layer(layer), _MARGIN_STEPS * layer.score_scale
    freedom = surroundings(rows, ordinary).of_a_row(layer.classes)
    two = layer.classes == 2
    asked: list[npt.NDArray[np.float64]] = []
    for number, plugin in enumerate(plugins):
        say("ask candidates")
        asked.append(_features(plugin, model, layer, drawn))
        last = number == len(plugins) - 1
        chosen = cheapest(
            np.stack(asked, axis=1),
            asked[0] @ rows.T,
            freedom=freedom,
            margin=margin,
            allowed=1 if two else allowed,
            count=min(len(drawn), groups if last else groups * _SHORT_LIST),
        )
        drawn, asked = drawn[chosen], [part[chosen] for part in asked]
    scores = asked[0] @ rows.T
    own = _labels(plugins[0], model, drawn)  # the file's own rounding decides between equals
    scores[np.arange(groups), own] = np.inf
    excluded = np.zeros((groups, 2), np.bool_) if two else natural_classes(scores, allowed)
    return commit(
        key,
        drawn,
        np.arange(groups, dtype=np.int32),
        excluded=excluded,
        salt=salt,
        provenance={
            "pattern": "last_layer",
            "reference": True,
            "value_range": [low, high],
        },
    )


def mark_file(
    model: bytes,
    *,
    triggers: Triggers,
    key: Key,
    natural: Inputs,
    log10_p: float = -6.6,
    on: Sequence[Runtime | str] = ("litert",),
    before: npt.NDArray[np.int64] | None = None,
    say: Say = lambda text: None,
) -> MarkedFile:
    """The same file, as long, with a last layer that answers the questions.

    Args:
        model: a full-int8 classifier that ends with a dense layer.
        triggers: from `choose_questions`, or any others of one input a group.
        key: the key of the triggers.
        natural: (n, *shape) ordinary inputs in the value range that the file takes, 500 or more; every fifth
            is held out and only measures.
        log10_p: evidence that is enough; the answers that cost most are left out beyond it.
        on: runtimes that shall answer; the features that each computes are all taken into account.
        before: `labels_held_out` of the model, for who marks one file with many keys; else asked again.
        say: told what is being done.

    Raises:
        BadInput: a file, triggers or inputs that cannot be used.
        ModelRefused: a runtime does not run the file.
    """
    layer = last_layer_of(model)
    _check(natural)
    if not on:
        raise BadInput("--on: got no runtime, expected one or more")
    refuse_parts(triggers, by="--triggers", instead="this marks a model that classifies")
    if triggers.classes != layer.classes or len(triggers.inputs) != triggers.groups:
        raise BadInput(
            f"--triggers: got {triggers.classes} classes and {len(triggers.inputs)} inputs in "
            f"{triggers.groups} groups, expected {layer.classes} classes and one input a group"
        )
    answers, plugins = triggers.answers(key), [_plugin(runtime) for runtime in on]
    taught, order = _taught(len(natural)), np.argsort(triggers.group_ids, kind="stable")
    say("ask ordinary inputs")
    ordinary = _features(plugins[0], model, layer, natural[taught])
    say("ask questions")
    asked = [_features(plugin, model, layer, triggers.inputs[order]) for plugin in plugins]
    questions, rows = (
        Questions(features=np.stack(asked, axis=1), answers=answers, natural=triggers.excluded),
        real_layer(layer),
    )
    around, margin = surroundings(rows, ordinary), _MARGIN_STEPS * layer.score_scale
    say("solve the last layer")
    ordered = by_price(rows, questions, around=around, margin=margin)
    for wanted in range(_wanted(triggers, log10_p), len(ordered) + 1):
        marked = _taught_file(
            model,
            layer,
            questions,
            ordered[-wanted:],
            around=around,
            asked=triggers.inputs[order],
            plugins=plugins,
        )
        verdict = verify(marked, triggers=triggers, key=key, on=list(plugins), stamped=True)
        if verdict.log10_p <= log10_p:
            break
    say("measure")
    if before is None:
        before = labels_held_out(model, natural=natural, on=plugins)
    after = labels_held_out(marked, natural=natural, on=plugins)
    return MarkedFile(
        model=marked,
        verdict=verdict,
        agreement=float((before == after).mean(axis=1).min()),
        held_out=after.shape[1],
    )


def labels_held_out(
    model: bytes, *, natural: Inputs, on: Sequence[Runtime | str]
) -> npt.NDArray[np.int64]:
    """(r, n) labels that a file gives to the ordinary inputs that only measure, one row a runtime."""
    held_out = natural[~_taught(len(natural))]
    return np.stack([_labels(_plugin(runtime), model, held_out) for runtime in on])


def _taught_file(
    model: bytes,
    layer: LastLayer,
    questions: Questions,
    kept: npt.NDArray[np.int64],
    *,
    around: Surroundings,
    asked: Inputs,
    plugins: Sequence[Runtime],
) -> bytes:
    """The file that answers the groups kept; a lead is widened only where a runtime has the group wrong."""
    rows, groups = real_layer(layer), np.arange(len(asked))
    margins = np.full(len(asked), _FIRST_MARGIN_STEPS * layer.score_scale)
    for _ in range(_WIDENED):
        changed, conditions = solve(rows, questions, kept, around=around, margins=margins)
        marked = _stored(model, layer, rounded(layer, changed, conditions, around.cost))
        wrong = np.zeros(len(asked), np.bool_)
        for plugin in plugins:
            said = _labels(plugin, marked, asked)
            silent = questions.natural[groups, said] & ~np.isin(groups, kept)
            wrong |= (said != questions.answers) & ~silent
        if not wrong.any():
            break
        margins[wrong] += _WIDER_STEPS * layer.score_scale
    return marked


def _stored(model: bytes, layer: LastLayer, stored: Rounded) -> bytes:
    return with_layer(
        model,
        layer,
        weights=stored.weights,
        biases=stored.biases,
        weight_scales=stored.weight_scales,
    )


def _wanted(triggers: Triggers, log10_p: float) -> int:
    """Fewest hits that are that much evidence where every other group is silent."""
    for hits in range(1, triggers.groups + 1):
        least = np.sort(triggers.allowed)[:hits]
        if stats.log10_fraction(stats.tail(least, hits)) <= log10_p:
            return hits
    return triggers.groups


def _taught(count: int) -> npt.NDArray[np.bool_]:
    taught: npt.NDArray[np.bool_] = np.arange(count) % _HELD_OUT != 0
    return taught


def _check(natural: Inputs) -> None:
    if natural.ndim < 2 or len(natural) < _LEAST_NATURAL or not np.isfinite(natural).all():
        raise BadInput(
            f"--data: got an array of {natural.shape}, expected {_LEAST_NATURAL} or more "
            "ordinary inputs of finite numbers"
        )


def _plugin(runtime: Runtime | str) -> Runtime:
    return spec.parse("runtimes", runtime) if isinstance(runtime, str) else runtime


def _features(
    plugin: Runtime, model: bytes, layer: LastLayer, inputs: Inputs
) -> npt.NDArray[np.float64]:
    with plugin.open(features_file(model, layer)) as session:
        answers = session.ask(inputs)
    if answers.outputs is None or answers.reason:
        raise BadInput(f"MODEL: its features could not be read: {answers.reason or 'only labels'}")
    return real_features(layer, answers.outputs.reshape(len(inputs), -1))


def _labels(plugin: Runtime, model: bytes, inputs: Inputs) -> npt.NDArray[Any]:
    with plugin.open(model) as session:
        return session.ask(inputs).labels
