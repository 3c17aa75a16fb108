"""A claimant who invents a mark after the fact, with the suspect's weights at hand: what stops them.

Suspects are innocent int8 networks for scikit-learn's digits. Each of 200 accusers has the float network too
(inputs are optimised by its gradient) and a million tries. Against edgewm the cheapest try that redraws every
answer is another beacon: one SHA-256 for the root, then SHAKE-256 group by group until the first miss.

    edgewm, 6 groups     as many as make p <= 1e-6 likeliest: all must hit, once in a million tries
    edgewm, 26 groups    the fewest with which an unstamped claim could be owned: all must hit (a
                         hundredth of the tries, since none of them can come near)
    edgewm, inputs       inputs optimised until the suspect gives the drawn answers; committing redraws them
    key alone            answers drawn from the key, whatever the inputs are: inputs are optimised for them
    one secret a group   answers not bound to the other groups: each group's secret is ground alone
    free labels          a classic trigger set: the suspect's own answers are written down as the labels

    python benchmarks/forging.py [--tries 1000000] [--accusers 200]

Fewer are a look: they are printed and not written. Networks and finished accusers are kept in
results/cache/forging, so that a run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import math
import multiprocessing
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from results_file import CACHE, write_result

ROOT = Path(__file__).parent.parent
TRIES, ACCUSERS, SUSPECTS, SEED = 1_000_000, 200, 4, 21
LIKELIEST, FEWEST, GROUPS, CLASSES = 6, 26, 64, 10
ALPHA, ROUNDS, STEPS = 1e-6, 3, 60
Labels = npt.NDArray[np.int64]
Inputs = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """An innocent network: the float model, and the file that is accused."""

    model: Any = field(repr=False)
    file: bytes = field(repr=False)
    accuracy: float

    def labels(self, inputs: Inputs) -> Labels:
        """What the file answers on LiteRT."""
        from edgewm import spec

        with spec.parse("runtimes", "litert").open(self.file) as session:
            answered: Labels = session.ask(inputs).labels
        return answered


def train(seed: int, kept: Path) -> Suspect:
    """A small network that nobody marked."""
    import keras

    from edgewm.datasets import load_dataset
    from edgewm.exporting import export
    from edgewm.networks import small_cnn

    held = load_dataset("digits")
    path, file = kept / f"innocent-{seed}.keras", kept / f"innocent-{seed}.tflite"
    if not file.exists():
        keras.utils.set_random_seed(seed)
        model = small_cnn(held.shape, held.classes)
        model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
        model.fit(held.x_train, held.y_train, epochs=20, batch_size=32, verbose=0)
        model.save(path)
        export(model, held.x_train, path=file)
    model = keras.saving.load_model(path)
    suspect = Suspect(model=model, file=file.read_bytes(), accuracy=0.0)
    accuracy = float((suspect.labels(held.x_test) == held.y_test).mean())
    return replace(suspect, accuracy=accuracy)


def optimised(suspect: Suspect, start: Inputs, wanted: Labels, steps: int = STEPS) -> Inputs:
    """Inputs moved by the white-box gradient until the network is sure of the wanted classes."""
    import tensorflow as tf

    inputs, targets = tf.Variable(start), tf.constant(wanted)
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(reduction="sum")

    def step() -> None:
        with tf.GradientTape() as tape:
            loss = loss_of(targets, suspect.model(inputs, training=False))
        gradient = tape.gradient(loss, inputs)
        inputs.assign(tf.clip_by_value(inputs - 0.03 * tf.sign(gradient), 0.0, 1.0))

    compiled = tf.function(step)
    for _ in range(steps):
        compiled()
    moved: Inputs = inputs.numpy()
    return moved


def redrawn(job: dict[str, Any]) -> dict[str, Any]:
    """A million roots of one committed set: how far the answers run with the labels, and where furthest.

    The draw is that of edgewm.commitment, spelled out so that a try costs two hashes; the caller commits
    the best one with edgewm itself.
    """
    sha256, shake = hashlib.sha256, hashlib.shake_256
    before, keys, labels = sha256(job["before_beacon"]), job["before_root"], job["labels"]
    limit = (1 << 64) - (1 << 64) % CLASSES
    best, best_beacon, draws = -1, b"", 0
    ends = [(8).to_bytes(8, "little") + j.to_bytes(8, "little") for j in range(len(keys))]
    first_key, first_end, first_label = keys[0], ends[0], labels[0]
    prefix = job["seed"]
    for number in range(job["tries"]):
        beacon = prefix + number.to_bytes(8, "little")
        drawn = before.copy()
        drawn.update(beacon)
        root = drawn.digest()
        word = int.from_bytes(shake(first_key + root + first_end).digest(8), "little")
        if word % CLASSES != first_label:
            continue
        run = 1
        while run < len(keys):
            word = int.from_bytes(shake(keys[run] + root + ends[run]).digest(8), "little")
            draws += 1
            if word % CLASSES != labels[run] or word >= limit:
                break
            run += 1
        if run > best:
            best, best_beacon = run, beacon
    return {"run": best, "beacon": best_beacon.hex(), "prf": 2 * job["tries"] + draws}


def encoded_up_to_beacon(header: bytes, head: bytes) -> bytes:
    """What H("root", header, head, beacon) hashes before the beacon's 32 bytes."""
    from edgewm.hashing import encode

    return encode("root", header, head) + (32).to_bytes(8, "little")


@dataclass(frozen=True, kw_only=True)
class Accuser:
    """One claimant: their key, and what they may draw at random."""

    number: int

    @property
    def key(self) -> Any:
        from edgewm.hashing import SHAKE
        from edgewm.key import Key

        return Key(secret=SHAKE(32, "forging benchmark", SEED, self.number))

    def committed(self, inputs: Inputs, beacon: bytes = b"") -> Any:
        """A mark over these inputs, one a group, every class allowed."""
        from edgewm.triggers import commit

        count = len(inputs)
        return commit(
            self.key,
            inputs,
            np.arange(count, dtype=np.int32),
            excluded=np.zeros((count, CLASSES), bool),
            salt=b"\x00" * 32,
            provenance={},
            beacon=beacon,
        )

    def job(self, inputs: Inputs, labels: Labels, tries: int) -> dict[str, Any]:
        """What `redrawn` needs."""
        from edgewm import commitment
        from edgewm.hashing import encode

        made = self.committed(inputs)
        leaves = [
            commitment.leaf(j, made.of_group(j), made.excluded[j], made.commitments[j].tobytes())
            for j in range(made.groups)
        ]
        length = (32).to_bytes(8, "little")
        keys = [
            encode("answer", self.key.group_key(made.salt, j)) + length for j in range(made.groups)
        ]
        return {
            "before_beacon": encoded_up_to_beacon(made.header, commitment.tree_head(leaves)),
            "before_root": keys,
            "labels": labels.tolist(),
            "seed": hashlib.sha256(f"beacons {self.number} {len(inputs)}".encode()).digest()[:24],
            "tries": tries,
        }


def judged(suspect: Suspect, triggers: Any, key: Any) -> dict[str, Any]:
    """The verdict that edgewm gives of an unstamped claim."""
    from edgewm.verification import verify

    verdict = verify(suspect.file, triggers=triggers, key=key, alpha=ALPHA)
    return {
        "hits": verdict.worst.groups_hit,
        "groups": verdict.groups,
        "log10_p": verdict.log10_p,
        "owned": verdict.owned,
    }


def as_edgewm_would(hits: int, groups: int) -> dict[str, Any]:
    """The same figures for a scheme that believes its hits: the tail of luck alone."""
    from edgewm import stats

    log10_p = stats.log10_fraction(stats.tail([CLASSES] * groups, hits))
    owned = stats.owned(log10_p, alpha=ALPHA, tests=1, stamped=False)
    return {"hits": hits, "groups": groups, "log10_p": log10_p, "owned": owned}


def one_secret_a_group(rng: np.random.Generator, labels: Labels) -> int:
    """Secrets drawn anew until each group's answer is the suspect's; how many draws that took."""
    from edgewm.hashing import draw_below

    draws = 0
    for group, label in enumerate(labels.tolist()):
        answer = -1
        while answer != label:
            answer, draws = draw_below(CLASSES, "answer", rng.bytes(32), group), draws + 1
    return draws


def by_others(suspect: Suspect, accusers: Sequence[Accuser]) -> list[dict[str, Any]]:
    """Rows of accusers against schemes whose answers are not bound to every input and key, and of edgewm
    where inputs are made for its answers."""
    from edgewm.hashing import draw_below

    rng = np.random.default_rng((SEED, accusers[0].number))
    shape = (len(accusers), GROUPS, 8, 8, 1)
    start = rng.random(shape, dtype=np.float32)
    rows = []

    def asked(inputs: Inputs) -> Labels:
        return suspect.labels(inputs.reshape(-1, *shape[2:])).reshape(shape[:2])

    def made_for(inputs: Inputs, wanted: Labels) -> Inputs:
        flat = inputs.reshape(-1, *shape[2:])
        moved = optimised(suspect, flat, wanted.reshape(-1), steps=STEPS // 2)
        return moved.reshape(shape)

    def committed_answers(inputs: Inputs) -> Labels:
        sets = [accuser.committed(of) for accuser, of in zip(accusers, inputs, strict=True)]
        return np.stack([of.answers(a.key) for a, of in zip(accusers, sets, strict=True)])

    said = asked(start)
    by_key = np.array(
        [
            [draw_below(CLASSES, "answer", a.key.stream("answers", 32), j) for j in range(GROUPS)]
            for a in accusers
        ]
    )
    said_of_made = asked(made_for(start, by_key))
    again = asked(start)
    old_hits, new_hits, inputs = [], [], start
    for _ in range(ROUNDS):
        wanted = committed_answers(inputs)
        inputs = made_for(inputs, wanted)
        labels = asked(inputs)
        old_hits.append((labels == wanted).sum(axis=1))
        new_hits.append((labels == committed_answers(inputs)).sum(axis=1))
    for at, accuser in enumerate(accusers):
        best = int(max(hits[at] for hits in new_hits))
        ways = {
            "edgewm, inputs": (best, ROUNDS * GROUPS),
            "key alone": (int((said_of_made[at] == by_key[at]).sum()), GROUPS),
            "one secret a group": (GROUPS, one_secret_a_group(rng, said[at])),
            "free labels": (int((again[at] == said[at]).sum()), 0),
        }
        for way, (hits, prf) in ways.items():
            row = {"way": way, "accuser": accuser.number, "prf": prf}
            rows.append({**row, **as_edgewm_would(hits, GROUPS)})
        rows[-4]["hits_of_old_answers"] = [int(hits[at]) for hits in old_hits]
        rows[-4]["hits_of_new_answers"] = [int(hits[at]) for hits in new_hits]
    return rows


@dataclass(frozen=True, kw_only=True)
class Redrawing:
    """Accusers who redraw edgewm's answers over one set of inputs each."""

    suspect: Suspect
    accusers: Sequence[Accuser]
    groups: int
    tries: int
    kept: Path
    sets: npt.NDArray[np.float32] = field(repr=False)
    """(accusers, groups, 8, 8, 1)."""
    labels: Labels = field(repr=False)
    """(accusers, groups), what the suspect says."""

    def path(self, accuser: Accuser) -> Path:
        """Where the best try of an accuser is kept."""
        name = f"redrawn-{self.groups}-{accuser.number}-of-{len(self.accusers)}-{self.tries}.json"
        return self.kept / name

    def start(self, pool: concurrent.futures.Executor) -> None:
        """Begin with whatever is not kept yet."""
        for accuser, of, said in zip(self.accusers, self.sets, self.labels, strict=True):
            path = self.path(accuser)
            if not path.exists():
                started = pool.submit(redrawn, accuser.job(of, said, self.tries))
                started.add_done_callback(lambda done, path=path: _keep(path, done.result()))  # type: ignore[misc]

    def rows(self) -> list[dict[str, Any]]:
        """What each best try comes to, committed by edgewm itself."""
        rows: list[dict[str, Any]] = []
        for accuser, of, said in zip(self.accusers, self.sets, self.labels, strict=True):
            found = json.loads(self.path(accuser).read_text())
            made = accuser.committed(of, bytes.fromhex(found["beacon"]))
            hits = int((said == made.answers(accuser.key)).sum())
            assert hits >= found["run"], accuser  # edgewm draws the same answers
            row: dict[str, Any] = {
                "way": f"edgewm, {self.groups} groups",
                "accuser": accuser.number,
                "prf": found["prf"],
                "tries": self.tries,
                **as_edgewm_would(hits, self.groups),
            }
            if row["log10_p"] <= math.log10(ALPHA) + 1e-9:
                verdict = judged(self.suspect, made, accuser.key)  # and asked by edgewm verify
                assert (verdict["hits"], verdict["owned"]) == (hits, row["owned"]), accuser
            rows.append(row)
        return rows


def redrawing(
    suspect: Suspect, accusers: Sequence[Accuser], groups: int, tries: int, kept: Path
) -> Redrawing:
    """Inputs that the suspect is sure of, one set an accuser."""
    rng = np.random.default_rng((SEED, accusers[0].number, groups))
    start = rng.random((len(accusers) * groups, 8, 8, 1), dtype=np.float32)
    path = kept / f"inputs-{groups}-{accusers[0].number}-{len(accusers)}.npy"
    if not path.exists():  # a gradient is not the same to the last bit when it is computed again
        np.save(path, optimised(suspect, start, rng.integers(0, CLASSES, len(start))))
    inputs = np.load(path)
    return Redrawing(
        suspect=suspect,
        accusers=accusers,
        groups=groups,
        tries=tries,
        kept=kept,
        sets=inputs.reshape(-1, groups, 8, 8, 1),
        labels=suspect.labels(inputs).reshape(-1, groups),
    )


def _keep(path: Path, found: dict[str, Any]) -> None:
    path.write_text(json.dumps(found))
    print(f"{path.name} {found['run']}", flush=True)


def summary_of(rows: Sequence[dict[str, Any]], tries: int) -> dict[str, Any]:
    """For each way, how many accusers reached what."""
    from scipy.stats import binomtest

    out: dict[str, Any] = {"tries": tries}
    for way in dict.fromkeys(row["way"] for row in rows):
        held = [row for row in rows if row["way"] == way]
        reached = sum(row["log10_p"] <= math.log10(ALPHA) + 1e-9 for row in held)
        interval = binomtest(reached, len(held)).proportion_ci(method="exact")
        out[way] = {
            "accusers": len(held),
            "reached_alpha": reached,
            "reached_interval": [interval.low, interval.high],
            "owned": sum(row["owned"] for row in held),
            "median_hits": float(np.median([row["hits"] for row in held])),
            "groups": held[0]["groups"],
            "best_log10_p": min(row["log10_p"] for row in held),
            "median_prf": float(np.median([row["prf"] for row in held])),
        }
    chance = CLASSES**-LIKELIEST
    out["expected_to_reach_alpha"] = 1.0 - (1.0 - chance) ** tries
    return out


def main() -> None:
    """Train, forge, judge, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tries", type=int, default=TRIES)
    options.add_argument("--accusers", type=int, default=ACCUSERS)
    chosen = options.parse_args()
    sys.path.insert(0, str(ROOT))
    kept = CACHE / "forging"
    kept.mkdir(parents=True, exist_ok=True)
    suspects = [train(seed, kept) for seed in range(1, SUSPECTS + 1)]
    print([suspect.accuracy for suspect in suspects], flush=True)
    rows: list[dict[str, Any]] = []
    begun: list[Redrawing] = []
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        shares = [
            [Accuser(number=n) for n in range(at, chosen.accusers, SUSPECTS)]
            for at in range(SUSPECTS)
        ]
        for suspect, accusers in zip(suspects, shares, strict=True):
            for groups, tries in ((LIKELIEST, chosen.tries), (FEWEST, chosen.tries // 100)):
                begun.append(redrawing(suspect, accusers, groups, tries, kept))
                begun[-1].start(pool)
        for at, (suspect, accusers) in enumerate(zip(suspects, shares, strict=True)):
            path = kept / f"others-{at}-{len(accusers)}.json"
            if not path.exists():
                path.write_text(json.dumps(by_others(suspect, accusers)))
            rows += json.loads(path.read_text())
            print(f"suspect {at}: other schemes are done", flush=True)
    rows += [row for one in begun for row in one.rows()]
    rows.sort(key=lambda row: (row["way"], row["accuser"]))
    summary = summary_of(rows, chosen.tries)
    print(json.dumps(summary, indent=1))
    if (chosen.tries, chosen.accusers) == (TRIES, ACCUSERS):
        settings = {
            "seed": SEED,
            "alpha": ALPHA,
            "suspects": SUSPECTS,
            "accuracy": [suspect.accuracy for suspect in suspects],
            "steps": STEPS,
            "rounds": ROUNDS,
        }
        print(write_result("forging", settings=settings, rows=rows, summary=summary))


if __name__ == "__main__":
    main()
