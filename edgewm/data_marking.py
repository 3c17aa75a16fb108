"""A mark in a training set: whoever trains on the marked copy, with whatever network, learns it.

    pattern --> variants of m groups --> asked ones: committed, root, answers
                                     `-> published ones: labelled with the answers, in place of samples

Every group has a field of its own. The variants that will be asked are committed to, which draws the answers
(`edgewm.commitment`); then other variants of the same fields, labelled with these answers, take the place of
at most 1 % of the samples, drawn by the key. The published answers stand in the open and the asked inputs do
not: they are in no file but the triggers. A model is innocent when it was made without the published copy;
it then hits each group with probability 1/K exactly, as always.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from . import spec
from .errors import BadInput
from .key import Key
from .patterns import Canvas
from .patterns.pictures import drawn
from .patterns.variants import Variants
from .triggers import Triggers, commit

FORMAT = "edgewm-data-mark-1"
LARGEST_SHARE = 0.01
_FEWEST_PUBLISHED = 4
Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class MarkedData:
    """A marked copy, and what the owner keeps."""

    x: Array = field(repr=False)
    """(n, *shape), the samples to publish, in the dtype they had."""
    y: Array = field(repr=False)
    """(n,), their labels."""
    triggers: Triggers
    """What is asked; nothing of it is in the copy."""
    manifest: bytes = field(repr=False)
    """JSON: which samples were changed, from what to what. It tells marks from samples: keep it."""


def mark_data(
    key: Key,
    x: Array,
    y: Array,
    *,
    classes: int,
    share: float = LARGEST_SHARE,
    groups: int = 16,
    asked_per_group: int = 9,
    pattern: Variants | None = None,
    value_range: tuple[float, float] | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> MarkedData:
    """Mark a training set: x (n, *shape) of numbers, y (n,) whole numbers from 0 to classes - 1.

    Args:
        share: of the samples that are replaced, at most 0.01.
        groups: how many answers are drawn; few are learned by every network, many prove more.
        asked_per_group: variants that are kept back and asked.
        pattern: of the fields; its `inputs_per_group` is set here.
        value_range: of the samples; by default from the smallest to the largest number in x.
        random: bytes for the salt.

    Raises:
        BadInput: arrays that are no training set, a share that is too large or too small for the groups.
    """
    _check_samples(x, y, classes)
    if not 0 < share <= LARGEST_SHARE:
        raise BadInput(f"--share: got {share}, expected above 0 and at most {LARGEST_SHARE}")
    if groups < 1 or asked_per_group < 1:
        raise BadInput(
            f"--groups: got {groups} groups of {asked_per_group} asked inputs, expected 1 or more"
        )
    published = int(len(x) * share) // groups
    if published < _FEWEST_PUBLISHED:
        raise BadInput(
            f"--groups: {share:g} of {len(x)} samples are {int(len(x) * share)}, too few for {groups} "
            f"groups of {_FEWEST_PUBLISHED}: name fewer groups"
        )
    each = published + asked_per_group
    given = pattern or Variants()
    plugin = Variants(
        cells=given.cells, grain=given.grain, shift=given.shift, inputs_per_group=each
    )
    low, high = value_range or (float(x.min()), float(x.max()))
    if not low < high:
        raise BadInput(f"--range: got {low} to {high}, expected low < high")
    salt = random(32)
    seed = key.pattern_seed(salt)
    canvas = Canvas(seed=seed, groups=groups, shape=x.shape[1:], low=low, high=high)
    of_groups = plugin.draw(canvas).inputs.reshape(groups, each, *x.shape[1:])
    triggers = commit(
        key,
        of_groups[:, published:].reshape(-1, *x.shape[1:]),
        np.repeat(np.arange(groups, dtype=np.int32), asked_per_group),
        excluded=np.zeros((groups, classes), np.bool_),
        salt=salt,
        provenance={
            "pattern": spec.spell(plugin),
            "published_per_group": published,
            "reference": False,
            "value_range": [low, high],
        },
    )
    places = np.array(drawn(len(x), groups * published, "marked sample", seed), np.int64)
    marked_x, marked_y = x.copy(), y.copy()
    marked_x[places] = _as_samples(of_groups[:, :published].reshape(-1, *x.shape[1:]), x.dtype)
    marked_y[places] = np.repeat(triggers.answers(key), published).astype(y.dtype)
    return MarkedData(
        x=marked_x,
        y=marked_y,
        triggers=triggers,
        manifest=_manifest(triggers, key, (x, y), (marked_x, marked_y), places=places),
    )


def _check_samples(x: Array, y: Array, classes: int) -> None:
    if x.dtype.kind not in "fiu" or x.ndim < 2 or x.size == 0 or y.shape != (len(x),):
        raise BadInput(
            f"data: got x {x.dtype} {x.shape} and y {y.shape}, expected numbers (n, *shape) and (n,)"
        )
    if y.dtype.kind not in "iu" or y.min() < 0:
        raise BadInput(
            f"data: got labels {y.dtype} from {y.min()} to {y.max()}, expected whole numbers from 0 on"
        )
    if y.max() >= classes:
        raise BadInput(
            f"--classes: got {classes}, and labels up to {y.max()}, expected more classes"
        )
    if not np.isfinite(x).all():
        raise BadInput("data: got NaN or infinity in x, expected finite numbers only")


def _as_samples(inputs: npt.NDArray[np.float32], dtype: np.dtype[Any]) -> Array:
    """In the numbers of the set; whole ones rounded."""
    return np.asarray(np.rint(inputs) if dtype.kind in "iu" else inputs).astype(dtype)


def _manifest(
    triggers: Triggers,
    key: Key,
    before: tuple[Array, Array],
    after: tuple[Array, Array],
    *,
    places: npt.NDArray[np.int64],
) -> bytes:
    published = len(places) // triggers.groups
    held = {
        "format": FORMAT,
        "key_commitment": key.commitment,
        "trigger_root": triggers.root.hex(),
        "triggers_sha256": triggers.sha256,
        "pattern": json.loads(triggers.provenance)["pattern"],
        "samples": len(before[0]),
        "digest_is": "sha256 of the array's little-endian bytes in C order",
        "before": {"x_sha256": digest(before[0]), "y_sha256": digest(before[1])},
        "after": {"x_sha256": digest(after[0]), "y_sha256": digest(after[1])},
        "changed": [
            {
                "sample": int(place),
                "group": at // published,
                "label_before": int(before[1][place]),
                "label_after": int(after[1][place]),
                "before_sha256": digest(before[0][place]),
                "after_sha256": digest(after[0][place]),
            }
            for at, place in enumerate(places)
        ],
    }
    return (json.dumps(held, indent=1) + "\n").encode("utf-8")


def digest(array: Array) -> str:
    """SHA-256 of an array's bytes, little-endian, C order; hex."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()
