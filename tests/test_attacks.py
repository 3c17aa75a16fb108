"""Attacks: what every thief's tool must do, and that each does what it is named for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edgewm import spec
from edgewm.attacks import Loot, Victim
from edgewm.errors import BadInput
from tests import golden
from tests.needs import needs

pytestmark = [pytest.mark.train, needs("tensorflow"), needs("litert")]


def samples(count: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """One 8x8 picture a class under noise, (count, 8, 8, 1) and (count,)."""
    random = np.random.default_rng(1)
    pictures, labels = random.random((10, 8, 8, 1)), np.arange(count) % 10
    x = 0.7 * pictures[labels] + 0.3 * random.random((count, 8, 8, 1))
    return x.astype(np.float32), labels


@pytest.fixture(scope="module")
def converter() -> Iterator[Any]:
    """One child for the whole module."""
    from edgewm import Converter

    with Converter() as made:
        made.start()
        yield made


@pytest.fixture(scope="module")
def victim(converter: Any) -> Victim:
    """A trained network as its int8 file."""
    import keras

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(8, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    x, y = samples()
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=20, verbose=0)
    return Victim(file=converter.convert(model, x).model)


QUICK = {
    "extract": "extract:architecture=small_cnn,epochs=2",
    "fine_prune": "fine_prune:epochs=1",
    "finetune": "finetune:epochs=1",
    "invert": "invert:steps=10,epochs=1",
    "overwrite": "overwrite:epochs=1",
    "prune": "prune:epochs=1",
    "solve_last": "solve_last:groups=6,of_each=10,log10_p=-2",
}
"""What the contract is tried with where the defaults train for long."""


def steal(attack: str, victim: Victim) -> Loot:
    """What an attack brings with the module's samples."""
    return spec.parse("attacks", attack).steal(victim, *samples())


@pytest.mark.parametrize("attack", spec.names("attacks"))
def test_the_copy_that_came_in_is_left_as_it_was(attack: str, victim: Victim) -> None:
    """An attack changes its own copy, or what stands before it, and never the victim or the samples."""
    before, (x, y) = [w.copy() for w in victim.network.get_weights()], samples(500)
    plugin = spec.parse("attacks", QUICK.get(attack, attack))
    loot = plugin.steal(victim, x, y)
    assert all((a == b).all() for a, b in zip(before, victim.network.get_weights(), strict=True))
    assert (x == samples(500)[0]).all()
    assert loot.network is not victim.network
    assert sum(part is not None for part in (loot.network, loot.file, loot.filter)) == 1
    assert loot.file != victim.file
    assert (loot.queries > 0) == (plugin.needs == "answers")
    if loot.network is not None:
        assert loot.network.output_shape == (None, 10)


def test_an_attack_ends_in_a_file_and_says_what_it_cost(victim: Victim, converter: Any) -> None:
    """Noise as strong as the weights costs the thief points, a little noise next to none."""
    from edgewm.attacks.theft import run_attack

    x, y = samples()
    little, much = (
        run_attack(f"noise:strength={s}", victim, x, y, held_out=(x, y), converter=converter)
        for s in (0.01, 3.0)
    )
    assert little.file != victim.file
    assert little.attack == "noise:strength=0.01,seed=0"
    assert abs(little.cost_points) < 5 < much.cost_points
    assert little.victim_accuracy == much.victim_accuracy > 0.8
    assert (Victim(file=little.file).ask(x).labels == y).mean() == little.accuracy


@needs("sklearn")
def test_a_thief_solves_a_mark_of_their_own_into_the_copied_file() -> None:
    """The thief's mark verifies in a file as long as the copy and not in the copy or the unmarked twin; the
    owner's still does, and not in the twin. No Keras: the loot is the file."""
    from edgewm import load_key, load_triggers, verify
    from edgewm.attacks.solve_last import SolveLast
    from edgewm.datasets import load_dataset

    copied, twin = (path.read_bytes() for path in (golden.MARKED, golden.UNMARKED))
    x, victim = load_dataset("digits").x_train[:700], Victim(file=copied)
    attack = SolveLast(groups=14, of_each=40, log10_p=-4.0)
    loot = attack.steal(victim, x, np.zeros(len(x), np.int64))
    assert loot.network is None
    assert loot.file is not None
    assert (len(loot.file), loot.file == copied) == (len(copied), False)
    owners = load_triggers(golden.TRIGGERS), load_key(golden.KEY)
    thiefs = attack.mark(victim, x)[::-1]

    def log10_p(file: bytes, triggers: Any, key: Any) -> float:
        return verify(file, triggers=triggers, key=key, on=["litert"], stamped=True).log10_p

    assert log10_p(loot.file, *thiefs) <= -4 < -2 < log10_p(copied, *thiefs)
    assert log10_p(twin, *thiefs) > -2
    assert log10_p(copied, *owners) < -6
    assert log10_p(loot.file, *owners) < -6
    assert log10_p(twin, *owners) > -2


def test_a_filter_stands_before_the_copied_file(victim: Victim, converter: Any) -> None:
    """The file goes out as it is; inputs arrive changed, in their own range, and accuracy counts that."""
    from edgewm.attacks.theft import run_attack

    x, y = samples()
    theft = run_attack("filter:kind=flip", victim, x, y, held_out=(x, y), converter=converter)
    assert theft.file == victim.file
    assert theft.arriving(x)[:, :, ::-1] == pytest.approx(x, abs=1e-6)
    assert theft.accuracy < theft.victim_accuracy


@pytest.mark.parametrize("kind", ["jpeg", "blur", "bits", "resize", "flip", "noise"])
@pytest.mark.parametrize("channels", [1, 3])
def test_filters_keep_shape_and_range(kind: str, channels: int) -> None:
    """Whatever stands before the model, it gets inputs of the form and range it was made for."""
    x = np.random.default_rng(1).uniform(-2, 3, (4, 12, 10, channels)).astype(np.float32)
    loot = spec.parse("attacks", f"filter:kind={kind}").steal(Victim(file=b""), x, np.zeros(4))
    assert loot.filter is not None
    found = loot.filter(x)
    assert (found.shape, found.dtype) == (x.shape, np.float32)
    assert x.min() - 1e-5 <= found.min() <= found.max() <= x.max() + 1e-5
    assert (found != x).any()


def test_pruning_holds_its_zeros_through_fine_tuning(victim: Victim) -> None:
    """Half of every kernel is zero afterwards; biases are left alone."""
    for weight in steal("prune:share=0.5,epochs=1", victim).network.trainable_weights:
        values = weight.numpy()
        if values.ndim > 1:
            assert (values == 0).mean() == pytest.approx(0.5, abs=0.05)


def test_fine_pruning_cuts_whole_channels(victim: Victim) -> None:
    """Some channels of the last convolution are zero in kernel and bias, not all; the control is pruning."""

    def cut(attack: str) -> int:
        kernel, bias = steal(attack, victim).network.layers[1].get_weights()
        return int(((kernel == 0).all(axis=(0, 1, 2)) & (bias == 0)).sum())

    assert 0 < cut("fine_prune:loss_points=30,epochs=1") < 8
    assert cut("prune:epochs=1") == 0


@pytest.mark.parametrize("mode", ["FTLL", "RTAL"])
def test_the_ways_of_fine_tuning(mode: str, victim: Victim) -> None:
    """LL changes the last layer alone; RT begins with a last layer that knows nothing."""
    before = victim.network.get_weights()
    after = steal(f"finetune:mode={mode},epochs=1,learning_rate=1e-5", victim).network.get_weights()
    assert (before[0] == after[0]).all() == mode.endswith("LL")
    moved = np.abs(after[-2] - before[-2]).max()
    assert moved > 0
    assert (moved > 0.1) == mode.startswith("RT")


def test_weights_are_rounded_to_few_levels_and_against_the_owner(victim: Victim) -> None:
    """4 bits are at most 15 levels a channel, each weight the nearest one; flipping rounds some wrongly."""
    from edgewm.attacks.requantize import rounded

    kernel = np.random.default_rng(1).normal(size=(3, 3, 4, 5)).astype(np.float32)
    plain, flipped = (rounded(kernel, bits=4, flip=flip) for flip in (0.0, 0.25))
    steps = np.abs(kernel).max(axis=(0, 1, 2)) / 7
    for channel in range(5):
        assert len(np.unique(plain[..., channel])) <= 15
    assert (np.abs(plain - kernel) <= steps / 2 * 1.001).all()
    assert ((np.abs(flipped - kernel) > steps / 2 * 1.001).mean()) == pytest.approx(0.25, abs=0.05)
    assert steal("requantize:bits=4,format=int16x8", victim).format == "int16x8"


def test_a_clone_by_jacobian_queries_asks_as_many_as_it_may(victim: Victim) -> None:
    """Queries are counted, and a clone agrees with the file far beyond chance on inputs of the task."""
    loot = steal(
        "extract:augment=jacobian,first=60,queries=150,epochs=2,architecture=small_cnn", victim
    )
    assert loot.queries == 150
    plugin = spec.parse("attacks", "extract:epochs=30,architecture=small_cnn,labels=soft")
    plain = plugin.steal(victim, *samples(900))
    assert plain.queries == 900
    x, _ = samples()
    said = plain.network.predict(x, verbose=0).argmax(axis=1)
    assert (said == victim.ask(x).labels).mean() > 0.3  # chance is 0.1 +- 0.03


@needs("litert_quantizer")
def test_four_bit_files_run_on_litert_and_are_smaller(victim: Victim, converter: Any) -> None:
    """litert-quantizer's file answers as the victim does, within rounding."""
    from edgewm.attacks.theft import exported

    x, _ = samples()
    loot = steal("requantize:four_bit_file=true", victim)
    file = exported(loot, x, converter)
    whole = converter.convert(loot.network, format="float32").model
    assert len(file) < len(whole)
    assert (Victim(file=file).ask(x).labels == victim.ask(x).labels).mean() > 0.8


@pytest.mark.parametrize(
    ("spelling", "named"),
    [
        ("prune:share=1.0", "share"),
        ("noise:strength=0", "strength"),
        ("requantize:format=int3", "format"),
        ("requantize:bits=9", "bits"),
        ("requantize:flip=0.5", "flip"),
        ("extract:queries=0", "queries"),
        ("filter:kind=resize,strength=2", "strength"),
        ("finetune:mode=XTLL", "mode"),
    ],
)
def test_settings_that_mean_nothing_are_refused(spelling: str, named: str) -> None:
    """One line that names the field."""
    with pytest.raises(BadInput, match=named):
        spec.parse("attacks", spelling)


def test_a_thief_without_the_file_is_told_so() -> None:
    """Weights alone answer no questions."""
    with pytest.raises(BadInput, match="file"):
        Victim(float_network=object()).ask(np.zeros((1, 8, 8, 1), np.float32))
