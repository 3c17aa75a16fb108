"""Whether composites survive a clone: two classes in one picture, with and without a coupling loss.

64 ordered pairs of classes (pattern `composite`, 8 pictures each, on which nobody trained the task) are
taught third classes for some epochs to a clean network, by `coupled` and, as the control, by `mix` with as
many rows. The thief trains another architecture on hard labels of the int8 file for 24,000 other pictures. No
group is selected: all are asked, and judged by labels and by values. One seed.

    python benchmarks/coupled.py
"""

from __future__ import annotations

import argparse
from typing import Any

from results_file import CACHE, write_result
from robustness_evidence import Marks
from robustness_victims import one_thread
from tilt_training import PROTOCOLS, Job, data_of, int8_of, key_of

DATASET, SEED, GROUPS, PICTURES, EPOCHS = "fashion_mnist", 0, 64, 8, 4
SCHEMES = ("coupled:rows=32", "mix:rows=32")
CLEAN = Job(dataset=DATASET, seed=SEED, stage="clean")


def composites() -> Any:
    """The triggers of the owner's key."""
    from edgewm.hashing import SHAKE
    from edgewm.patterns import make_triggers

    held, rest = data_of(DATASET), PROTOCOLS[DATASET].natural
    return make_triggers(
        key_of(SEED),
        shape=held.shape,
        classes=held.classes,
        pattern=f"composite:inputs_per_group={PICTURES}",
        groups=GROUPS,
        natural=held.x_train[rest],
        natural_labels=held.y_train[rest],
        random=lambda count: SHAKE(count, "benchmark coupled salt"),
    )


def owner(scheme: str, triggers: Any) -> Any:
    """The clean network after some epochs with the mark; kept when done."""
    import keras

    from edgewm import Mark
    from edgewm.attacks.copying import train_on

    path = CACHE / f"coupled-{scheme.partition(':')[0]}.keras"
    if not path.exists():
        keras.utils.set_random_seed(77)
        held, protocol = data_of(DATASET), PROTOCOLS[DATASET]
        model = keras.models.load_model(CLEAN.path)
        train_on(
            model,
            held.x_train[protocol.owner],
            held.y_train[protocol.owner],
            epochs=EPOCHS,
            learning_rate=protocol.rate,
            batch_size=protocol.batch_size,
            callbacks=(Mark(triggers=triggers, key=key_of(SEED), scheme=scheme, start=0.0),),
        )
        model.save(path)
    return keras.models.load_model(path)


def row(scheme: str, suspect: str, file: bytes, marks: Marks) -> dict[str, Any]:
    """What one file says."""
    from dataclasses import asdict

    from edgewm.attacks import Victim

    held, said = data_of(DATASET), Victim(file=file).ask(marks.inputs)
    accuracy = float((Victim(file=file).ask(held.x_test).labels == held.y_test).mean())
    found = marks.judge(said.labels, said.scores)
    told = {"scheme": scheme, "suspect": suspect, "accuracy": accuracy, **asdict(found)}
    print(told, flush=True)
    return told


def main() -> None:
    """Teach, clone, ask, write."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    one_thread()
    import numpy as np

    from edgewm import Converter, spec
    from edgewm.attacks import Victim

    held, protocol, triggers = data_of(DATASET), PROTOCOLS[DATASET], composites()
    marks = Marks(triggers=triggers, key=key_of(SEED))
    x = held.x_train[protocol.thief]
    with Converter() as converter:
        rows = [row("none", "unmarked twin", int8_of(CLEAN, converter), marks)]
        for scheme in SCHEMES:
            network = owner(scheme, triggers)
            file = converter.convert(network, held.x_train[protocol.owner][:500]).model
            rows.append(row(scheme, "owner", file, marks))
            attack = spec.parse("attacks", f"extract:architecture={protocol.clone}")
            loot = attack.steal(Victim(file=file), x, np.zeros(len(x), np.int64))
            rows.append(row(scheme, "clone", converter.convert(loot.network, x[:500]).model, marks))
    settings = {"groups": GROUPS, "pictures": PICTURES, "epochs": EPOCHS, "schemes": SCHEMES}
    print(write_result("coupled", settings=settings, rows=rows, summary={"rows": len(rows)}))


if __name__ == "__main__":
    main()
