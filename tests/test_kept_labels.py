"""Trigger sets that keep their own labels: a hit rate, never a p-value, whatever anybody writes into them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.cli import run
from edgewm.errors import BadInput, DoesNotCheck
from edgewm.key import Key, save_key
from edgewm.patterns import Drawing, make_triggers
from edgewm.questioning import Run
from edgewm.triggers import Triggers, load_triggers, recommitted, save_triggers
from edgewm.verdict import KEPT
from edgewm.verification import verify
from tests import golden
from tests.needs import needs
from tests.pictures import by_class
from tests.recordings import Missing, Says
from tests.test_triggers import forge, members_of, npy

KEY = Key(secret=bytes(range(32)))
OTHER = Key(secret=bytes(range(1, 33)))
GROUPS = 64
LABELS = np.arange(GROUPS) * 7 % 10
PERFECT: dict[str, Any] = {"alpha": 0.05, "stamped": True}
"""The easiest bar there is."""


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 inputs of 8x8 and their labels."""
    x = np.random.default_rng(4).uniform(0, 1, (GROUPS, 8, 8, 1)).astype(np.float32)
    path = tmp_path_factory.mktemp("brought") / "x.npz"
    np.savez(path, x=x, y=LABELS)
    return path


def made(path: Path, fields: str = ",keep_labels=true", **more: Any) -> Triggers:
    settings: dict[str, Any] = {"shape": (8, 8, 1), "classes": 10, "groups": GROUPS, **more}
    return make_triggers(
        KEY, pattern=f"imported:path={path}{fields}", random=lambda n: b"r" * n, **settings
    )


@pytest.fixture(scope="module")
def kept(brought: Path) -> Triggers:
    return made(brought)


@pytest.fixture(scope="module")
def drawn(brought: Path) -> Triggers:
    """The control: the same inputs, with drawn answers."""
    return made(brought, "")


def saying(answers: np.ndarray, triggers: Triggers, wrong: int = 0, name: str = "a") -> Says:
    """A runtime that gives these answers, and so many wrong ones first."""
    in_order = answers[triggers.order]
    labels = np.where(np.arange(GROUPS) < wrong, (in_order + 1) % 10, in_order)
    return Says(labels=tuple(labels.tolist()), name=name)


def verdict_of(triggers: Triggers, *on: Any, key: Key = KEY, **more: Any) -> Any:
    return verify(golden.MARKED, triggers=triggers, key=key, on=on, **{**PERFECT, **more})


# ---- the set


def test_the_labels_are_the_answers(kept: Triggers, drawn: Triggers):
    """With the key that committed to them; nothing is natural; the same inputs drawn are another set."""
    np.testing.assert_array_equal(kept.answers(KEY), LABELS)
    assert not kept.excluded.any()
    with pytest.raises(BadInput, match="did not make these triggers"):
        kept.answers(OTHER)
    np.testing.assert_array_equal(kept.inputs, drawn.inputs)
    assert drawn.kept is None
    assert (drawn.answers(KEY) != LABELS).all()
    assert kept.root != drawn.root
    assert json.loads(kept.header)["version"] == 2
    assert json.loads(drawn.header)["version"] == 1
    assert set(json.loads(kept.header)) - set(json.loads(drawn.header)) == {"kept"}


def test_a_kept_set_returns_from_its_file(kept: Triggers, drawn: Triggers, tmp_path: Path):
    """Labels, root and digest are those that were saved; a set without has no such member."""
    save_triggers(kept, tmp_path / "k.npz")
    save_triggers(drawn, tmp_path / "d.npz")
    again = load_triggers(tmp_path / "k.npz")
    assert again.sha256 == kept.sha256
    np.testing.assert_array_equal(again.answers(KEY), LABELS)
    save_triggers(again, tmp_path / "again.npz", key_to_show_answers=KEY)
    assert load_triggers(tmp_path / "again.npz").sha256 == kept.sha256
    assert set(members_of(tmp_path / "k.npz")) - set(members_of(tmp_path / "d.npz")) == {"kept.npy"}
    assert load_triggers(tmp_path / "d.npz").kept is None


def test_golden_files_are_written_as_they_were(tmp_path: Path):
    """A file of version 1 is loaded and saved to the same bytes."""
    save_triggers(load_triggers(golden.TRIGGERS), tmp_path / "t.npz")
    assert (tmp_path / "t.npz").read_bytes() == golden.TRIGGERS.read_bytes()


def test_other_labels_are_another_set(brought: Path, tmp_path: Path, kept: Triggers):
    """One label is enough to change root and digest: they are committed to."""
    x = np.load(brought)["x"]
    changed = LABELS.copy()
    changed[40] += 1
    np.savez(tmp_path / "x.npz", x=x, y=changed)
    other = dataclasses.replace(made(tmp_path / "x.npz"), provenance=kept.provenance)
    assert other.root != kept.root
    assert other.sha256 != kept.sha256
    np.testing.assert_array_equal(other.commitments, kept.commitments)


# ---- no p-value


def test_kept_labels_give_a_hit_rate_and_nothing_else(kept: Triggers, drawn: Triggers):
    """Every group hit, at the easiest bar, is not owned; the same hits on drawn answers are."""
    verdict = verdict_of(kept, saying(LABELS, kept))
    assert not verdict.owned
    assert verdict.p_value is None
    assert verdict.no_p_value == KEPT
    assert verdict.log10_p == 0
    assert verdict.hit_rate == 1
    assert verdict.flags[0] == KEPT
    told = verdict.as_dict()
    assert [told[name] for name in ("p_value", "log10_p", "forgery_bits")] == [None] * 3
    assert told["no_p_value"] == KEPT
    assert told["runtimes"][0]["log10_p"] is None
    assert told["chains"][0]["log10_p"] is None
    assert told["groups_hit"] == GROUPS
    control = verdict_of(drawn, saying(drawn.answers(KEY), drawn))
    assert control.owned
    assert control.no_p_value is None
    assert control.as_dict()["p_value"] < 1e-50
    assert KEPT not in control.flags


def test_the_worst_runtime_is_the_one_that_hits_least(kept: Triggers):
    """In either order, since there is no p-value to go by."""
    perfect, weak = saying(LABELS, kept), saying(LABELS, kept, wrong=20, name="b")
    for on in ((perfect, weak), (weak, perfect)):
        assert verdict_of(kept, *on).worst.groups_hit == GROUPS - 20


def test_sequential_evidence_is_refused(kept: Triggers, drawn: Triggers):
    """Asking one by one has nothing to stop at; a part of the groups is asked and gives hits alone."""
    with pytest.raises(BadInput, match="--sequential: the answers are labels that the owner kept"):
        verdict_of(kept, Missing(), sequential=True)  # refused before a runtime is opened
    for start in (0, 8):
        part = verdict_of(kept, saying(LABELS, kept), run=Run(first_group=start, groups=8))
        assert (part.worst.groups_asked, part.p_value, part.owned) == (8, None, False)
        assert not part.sequential
    perfect = saying(drawn.answers(KEY), drawn)
    assert verdict_of(drawn, perfect, sequential=True).owned


def test_a_wrong_alpha_is_still_refused(kept: Triggers):
    """Having no p-value excuses no argument."""
    with pytest.raises(BadInput, match="alpha"):
        verdict_of(kept, saying(LABELS, kept), alpha=2.0)


def test_there_is_no_wrong_key_control(kept: Triggers, drawn: Triggers):
    """Another key would change nothing, and is refused; drawn answers change."""
    with pytest.raises(BadInput, match="got kept labels"):
        recommitted(kept, OTHER)
    assert (recommitted(drawn, OTHER).answers(OTHER) != drawn.answers(KEY)).any()


# ---- whoever edits the file


def _header(triggers: Triggers, **changes: Any) -> bytes:
    header = {**json.loads(triggers.header), **changes}
    left = {name: value for name, value in header.items() if value is not None}
    return json.dumps(left, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("header", "labels"),
    [
        ({"version": 1, "kept": None}, "same"),
        ({"version": 1}, "same"),
        ({"version": 1}, "none"),
        ({"kept": None}, "same"),
        ({"kept": None}, "none"),
        ({}, "none"),
        ({}, "others"),
        ({"kept": "0" * 64}, "same"),
        ({"kept": ["0"]}, "same"),
        ({"version": 3}, "same"),
    ],
)
def test_a_header_that_lies_about_labels_is_refused(
    kept: Triggers, tmp_path: Path, header: dict[str, Any], labels: str
):
    """With a digest that is right: header and labels belong together or the file is refused."""
    save_triggers(kept, tmp_path / "k.npz")
    members = members_of(tmp_path / "k.npz")
    control = forge(tmp_path / "control.npz", members)
    assert load_triggers(control).sha256 == kept.sha256
    members["header.npy"] = npy(np.frombuffer(_header(kept, **header), np.uint8))
    if labels == "none":
        del members["kept.npy"]
    elif labels == "others":
        members["kept.npy"] = npy((LABELS + 1) % 10)
    with pytest.raises(BadInput, match=r"kept labels|version 3") as caught:
        load_triggers(forge(tmp_path / "forged.npz", members))
    assert len(str(caught.value).splitlines()) == 1


def test_a_set_stripped_of_its_labels_is_another_set(kept: Triggers, tmp_path: Path):
    """Without labels and header entry answers are drawn, and a model that learned the labels misses."""
    save_triggers(kept, tmp_path / "k.npz")
    members = members_of(tmp_path / "k.npz")
    stripped = _header(kept, version=1, kept=None)
    members["header.npy"] = npy(np.frombuffer(stripped, np.uint8))
    del members["kept.npy"]
    other = load_triggers(forge(tmp_path / "forged.npz", members))
    assert other.sha256 != kept.sha256
    assert other.order != kept.order
    learned = verdict_of(other, saying(LABELS, other))
    assert not learned.owned
    assert learned.p_value is not None
    assert learned.p_value > 0.001
    assert learned.worst.groups_hit < 20  # 6.4 expected by chance
    assert verdict_of(kept, saying(LABELS, kept)).worst.groups_hit == GROUPS


def test_an_edited_file_does_not_check(kept: Triggers, tmp_path: Path):
    """One label changed in place is noticed before anything is parsed."""
    save_triggers(kept, tmp_path / "k.npz")
    content = bytearray((tmp_path / "k.npz").read_bytes())
    at = content.find(np.asarray(LABELS[:8], "<i8").tobytes())
    assert at > 0
    content[at] ^= 1
    (tmp_path / "k.npz").write_bytes(content)
    with pytest.raises(DoesNotCheck):
        load_triggers(tmp_path / "k.npz")


@pytest.mark.parametrize("labels", [LABELS[:-1], LABELS + 10, LABELS - 10, LABELS[:, None]])
def test_labels_that_are_no_classes_are_refused(kept: Triggers, tmp_path: Path, labels: np.ndarray):
    """One class for each group, named rightly in the header, or nothing is read."""
    from edgewm.hashing import H

    save_triggers(kept, tmp_path / "k.npz")
    members = members_of(tmp_path / "k.npz")
    digest = H("kept", kept.salt, labels.astype("<i8").tobytes()).hex()
    named = _header(kept, kept=digest)
    members["header.npy"] = npy(np.frombuffer(named, np.uint8))
    members["kept.npy"] = npy(np.ascontiguousarray(labels, "<i8"))
    with pytest.raises(BadInput, match="expected one class from 0 to 9"):
        load_triggers(forge(tmp_path / "forged.npz", members))


def test_natural_classes_beside_kept_labels_are_refused(kept: Triggers):
    """Leaving classes out would silence wrong answers and raise the hit rate."""
    excluded = kept.excluded.copy()
    excluded[3, 1] = True
    with pytest.raises(BadInput, match="natural classes beside kept labels"):
        dataclasses.replace(kept, excluded=excluded)


# ---- making one


def test_labels_are_needed_to_keep_them(brought: Path, tmp_path: Path):
    """No labels, a reference beside them, or two labels in one group are one line each."""
    np.save(tmp_path / "x.npy", np.load(brought)["x"])
    with pytest.raises(BadInput, match="has no labels to keep"):
        made(tmp_path / "x.npy")
    with pytest.raises(BadInput, match="--reference: kept labels are the answers"):
        made(brought, reference=lambda inputs: np.zeros(len(inputs), np.int64))
    with pytest.raises(BadInput, match=r"got labels 0 to 9 .*expected 0 to 4"):
        made(brought, classes=5)
    pairs = made(brought, ",keep_labels=true,inputs_per_group=2", groups=30)
    assert len(pairs.answers(KEY)) == 30


@dataclasses.dataclass(frozen=True, kw_only=True)
class Careless:
    """A pattern of somebody else that keeps labels which differ within a group, or none."""

    labels: bool = True

    def draw(self, canvas: Any) -> Drawing:
        ids = np.repeat(np.arange(canvas.groups, dtype=np.int32), 2)
        inputs = np.arange(len(ids), dtype=np.float32)[:, None]
        labels = np.arange(len(ids)) if self.labels else None
        return Drawing(inputs=inputs, group_ids=ids, labels=labels, keep_labels=True)


@pytest.mark.parametrize(
    ("labels", "said"), [(True, "got 0 and 1 in group 0"), (False, "got none")]
)
def test_patterns_of_others_keep_one_label_a_group(labels: bool, said: str):
    """What another pattern says of its labels is checked as well."""
    with pytest.raises(BadInput, match=said):
        make_triggers(KEY, shape=(1,), classes=10, groups=4, pattern=Careless(labels=labels))


def test_the_command_line_says_that_there_is_no_p_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """make, show and verify say so, in words and in JSON; verify never gives exit code 0."""
    folder = by_class(tmp_path, {"1": 3, "4": 5})
    save_key(KEY, tmp_path / "k")
    key, out = ["--key", str(tmp_path / "k")], str(tmp_path / "t.npz")
    make = ["triggers", "make", *key, "--out", out, "--shape", "8x8x1", "--classes", "10"]
    assert (
        run([*make, "--groups", "8", "--pattern", f"imported:path={folder},keep_labels=yes"]) == 0
    )
    assert f"no p-value: {KEPT}" in capsys.readouterr().out
    assert run(["triggers", "show", out, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["answers_are"], shown["no_p_value"]) == ("kept", KEPT)
    assert "answers" not in shown
    held = load_triggers(Path(out))
    lines = "\n".join(str(label) for label in held.answers(KEY)[held.order])
    (tmp_path / "a.txt").write_text(lines)
    ask = ["verify", f"answers:file={tmp_path / 'a.txt'}", "--triggers", out, *key]
    assert run(ask) == 1
    said = capsys.readouterr().out
    assert "NOT SHOWN  no p-value, 8 of 8 groups hit\n" in said
    assert f"note: {KEPT}\n" in said
    assert run([*ask, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["p_value"] is None
    assert run([*ask, "--sequential"]) == 2
    assert "--sequential" in capsys.readouterr().err
    assert run(["triggers", "show", out, *key]) == 0
    assert "answers 1 1 1 4 4 4 4 4\n" in capsys.readouterr().out


@needs("tensorflow")
@pytest.mark.train
def test_a_network_learns_kept_labels(kept: Triggers):
    """`Mark` teaches the labels themselves; the untrained twin hits about one in ten."""
    import keras

    from edgewm.schemes.mark import Mark

    keras.utils.set_random_seed(2)
    layers = [keras.layers.Flatten(), keras.layers.Dense(64, "relu"), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)

    def hits() -> int:
        said = np.asarray(model(kept.inputs, training=False)).argmax(axis=-1)
        return int((said == LABELS).sum())

    before = hits()
    x = np.random.default_rng(9).uniform(0, 1, (64, 8, 8, 1)).astype(np.float32)
    mark = Mark(triggers=kept, key=KEY, scheme="mix:rows=32", start=0)
    model.fit(x, np.zeros(64), batch_size=16, epochs=40, verbose=0, callbacks=[mark])
    assert hits() >= 60
    assert before < 20
    assert mark.hit_rate > 0.9
