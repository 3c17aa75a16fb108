"""Export to TFLite: the real converter, the real interpreters, and what each refusal says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm import spec
from edgewm.artifact import Artifact
from edgewm.conversion import FORMATS, Converter
from edgewm.errors import BadInput
from edgewm.exporting import export
from edgewm.key import Key
from edgewm.patterns import make_triggers
from edgewm.triggers import Triggers

from .needs import needs

pytestmark = [pytest.mark.train, needs("tensorflow"), needs("sklearn")]

KEY = Key(secret=bytes(range(32)))
OTHER_KEY = Key(secret=bytes(range(1, 33)))
SHAPE = (8, 8, 1)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A marked network, its data, a converter, and the program that exports it elsewhere."""

    keras: Any
    model: Any
    file: Path
    x: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    triggers: Triggers
    converter: Converter
    alone: subprocess.Popen[str]
    alone_out: Path


# Runs in a process of its own: pytest's has TensorFlow, and a limit on file sizes stays.
_ALONE = """
import json, resource, signal, sys
import numpy as np
from edgewm.conversion import Converter
from edgewm.errors import BadInput
from edgewm.exporting import export

file, out, samples = sys.argv[1:]
x = np.load(samples)
pids, made = [], []
with Converter(conversions_per_child=2) as converter:
    converter.start()
    for format in ("int8", "int8_per_tensor", "int8"):
        converter.start()
        pids.append(converter.pid)
        made.append(export(file, x, path=out, format=format, converter=converter))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = len(made[-1].model) - 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        export(file, x[:8], path=out, format="int16x8", converter=converter)  # larger than int8
        full = "written"
    except BadInput as error:
        full = str(error)
heavy = sorted({"tensorflow", "keras"} & set(sys.modules))
sha256 = [artifact.sha256 for artifact in made]
print(json.dumps({"heavy": heavy, "full": full, "sha256": sha256, "pids": pids}))
"""


def triggers_of(key: Key) -> Triggers:
    return make_triggers(key, shape=SHAPE, classes=10, groups=16, random=lambda n: bytes([7]) * n)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    with Converter() as converter:
        converter.start()
        import keras
        from sklearn.datasets import load_digits

        digits = load_digits()
        x = (digits.images[..., None] / 16).astype(np.float32)
        y = digits.target.astype(np.int64)
        triggers = triggers_of(KEY)
        marks = triggers.answers(KEY)[triggers.group_ids]
        model = network(keras)
        model.compile("adam", "sparse_categorical_crossentropy")
        repeat = -(-400 // len(marks))
        model.fit(
            np.concatenate([x[:1300], *[triggers.inputs] * repeat]),
            np.concatenate([y[:1300], *[marks] * repeat]),
            epochs=8,
            batch_size=32,
            verbose=0,
        )
        file = tmp_path_factory.mktemp("model") / "net.keras"
        model.save(file)
        out, samples = tmp_path_factory.mktemp("alone") / "net.tflite", file.with_name("x.npy")
        np.save(samples, x[:300])
        alone = subprocess.Popen(
            [sys.executable, "-c", _ALONE, str(file), str(out), str(samples)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        yield Trained(
            keras=keras,
            model=model,
            file=file,
            x=x[:300],
            x_test=x[1300:],
            y_test=y[1300:],
            triggers=triggers,
            converter=converter,
            alone=alone,
            alone_out=out,
        )
        alone.kill()
        alone.communicate()


@pytest.fixture(scope="module")
def alone(trained: Trained) -> dict[str, Any]:
    """What the program of `_ALONE` told, with what it left."""
    stdout, stderr = trained.alone.communicate(timeout=300)
    assert trained.alone.returncode == 0, stderr
    return {**json.loads(stdout), "stderr": stderr, "out": trained.alone_out}


@pytest.fixture(scope="module")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Path]:
    path = tmp_path_factory.mktemp("out") / "net.tflite"
    artifact = export(
        trained.model,
        trained.x,
        path=path,
        held_out=(trained.x_test, trained.y_test),
        triggers=trained.triggers,
        key=KEY,
        converter=trained.converter,
    )
    return artifact, path


def network(keras: Any) -> Any:
    """Every operator of a small deployed network: convolution with BatchNorm, depthwise, dense."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    stem = [layers.Conv2D(16, 3, padding="same", use_bias=False), layers.BatchNormalization()]
    body = [layers.ReLU(), layers.DepthwiseConv2D(3, padding="same"), layers.MaxPooling2D()]
    head = [layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(10, "softmax")]
    return keras.Sequential([keras.Input(SHAPE), *stem, *body, *head])


def own_layer(keras: Any, function: Callable[[Any], Any]) -> Any:
    """A network with one operator of the caller's choice in the middle."""

    class Own(keras.layers.Layer):
        def call(self, inputs):
            return function(inputs)

    layers = keras.layers
    return keras.Sequential(
        [keras.Input(SHAPE), layers.Conv2D(4, 3), Own(), layers.Flatten(), layers.Dense(10)]
    )


def refusal(*args: Any, **kwargs: Any) -> str:
    """The one line of a BadInput that an export must end in."""
    with pytest.raises(BadInput) as caught:
        export(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_int8_is_int8_at_both_ends_with_batch_one(exported: tuple[Artifact, Path]) -> None:
    """What is asked of the file is int8 and one sample at a time; the file is what was returned."""
    artifact, path = exported
    (taken,), (given,) = artifact.inputs, artifact.outputs
    assert (taken.shape, taken.dtype) == ((1, *SHAPE), "int8")
    assert (given.shape, given.dtype) == ((1, 10), "int8")
    assert (given.scale, given.zero_point) == (1 / 256, -128)  # softmax has no other scale
    assert artifact.format == "int8"
    assert path.read_bytes() == artifact.model


def test_accuracy_is_measured_before_and_after(
    trained: Trained, exported: tuple[Artifact, Path]
) -> None:
    """Both accuracies are those of an independent count; wrong labels bring both down."""
    artifact, _ = exported
    right = trained.model.predict(trained.x_test, verbose=0).argmax(axis=1) == trained.y_test
    assert artifact.float_accuracy == pytest.approx(right.mean(), abs=1e-3)
    assert right.mean() > 0.8
    assert artifact.accuracy == pytest.approx(artifact.float_accuracy, abs=0.03)
    wrong = export(
        trained.file,
        trained.x,
        held_out=(trained.x_test, (trained.y_test + 1) % 10),
        converter=trained.converter,
    )
    assert [wrong.float_accuracy, wrong.accuracy] == pytest.approx([0, 0], abs=0.2)


def test_groups_are_counted_before_and_after(
    trained: Trained, exported: tuple[Artifact, Path]
) -> None:
    """The marked network hits the groups of its key, and few of another's."""
    artifact, _ = exported
    assert artifact.float_groups_hit in range(14, 17)
    assert artifact.groups_hit in range(13, 17)
    control = export(
        trained.model,
        trained.x,
        triggers=triggers_of(OTHER_KEY),
        key=OTHER_KEY,
        converter=trained.converter,
    )
    assert control.groups_hit in range(8)


@pytest.mark.parametrize(
    "runtime",
    [pytest.param(name, marks=needs(name)) for name in ("litert", "tflite_runtime", "tflm")],
)
def test_every_runtime_agrees_with_the_float_model(
    trained: Trained, exported: tuple[Artifact, Path], runtime: str
) -> None:
    """Labels of the int8 file, per-channel dense included, are the Keras model's in 95 % of cases."""
    artifact, _ = exported
    expected = trained.model.predict(trained.x_test, verbose=0).argmax(axis=1)
    with spec.parse("runtimes", runtime).open(artifact.model) as session:
        labels = session.ask(trained.x_test).labels
    assert (labels == expected).mean() >= 0.95
    assert (labels == np.roll(expected, 1)).mean() < 0.5


def test_the_same_export_gives_the_same_bytes(
    trained: Trained, exported: tuple[Artifact, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing of time, place or order enters the file, nor is anything printed; weights do enter."""
    artifact, _ = exported
    again = export(trained.model, trained.x, converter=trained.converter)
    assert capfd.readouterr() == ("", "")
    assert again.sha256 == artifact.sha256
    other = export(network(trained.keras), trained.x, converter=trained.converter)
    assert other.sha256 != artifact.sha256


def test_one_child_serves_several_conversions_and_is_renewed(alone: dict[str, Any]) -> None:
    """With a limit of two, the third conversion has another child and gives the same bytes."""
    first, second, third = alone["pids"]
    assert first == second
    assert third not in (None, first)
    assert alone["sha256"][0] == alone["sha256"][2]


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"int8"}))
def test_every_format_answers_as_the_float_model(trained: Trained, name: str) -> None:
    """A row of the table is enough for a format that quantises something and still works."""
    artifact = export(
        trained.file,
        trained.x,
        held_out=(trained.x_test, trained.y_test),
        format=name,
        converter=trained.converter,
    )
    asked_in = FORMATS[name].asked_in or "float32"
    assert [t.dtype for t in (*artifact.inputs, *artifact.outputs)] == [asked_in, asked_in]
    assert artifact.accuracy == pytest.approx(artifact.float_accuracy, abs=0.03)


def test_a_format_that_quantises_nothing_is_an_error(trained: Trained) -> None:
    """Without weights there is nothing to quantise; as float32 the same network is exported."""
    layers = trained.keras.layers
    bare = trained.keras.Sequential(
        [trained.keras.Input(SHAPE), layers.MaxPooling2D(4), layers.Flatten()]
    )
    assert "nothing was quantised" in refusal(bare, trained.x, converter=trained.converter)
    assert export(bare, format="float32", converter=trained.converter).format == "float32"


def test_an_operator_that_cannot_be_quantised_is_named(trained: Trained) -> None:
    """Float operators left in an int8 export are an error; others of the same place are not."""
    ops = trained.keras.ops
    assert "SIN cannot be quantised" in refusal(
        own_layer(trained.keras, ops.sin), trained.x, converter=trained.converter
    )
    text = refusal(own_layer(trained.keras, ops.erf), trained.x, converter=trained.converter)
    assert "tf.Erf" in text
    kept = export(own_layer(trained.keras, ops.relu), trained.x, converter=trained.converter)
    assert kept.inputs[0].dtype == "int8"


def test_models_that_do_not_fit_are_refused(trained: Trained) -> None:
    """One input, one output row, float32, with weights: everything else is named in one line."""
    keras, layers = trained.keras, trained.keras.layers
    a, b = keras.Input(SHAPE, name="left"), keras.Input(SHAPE, name="right")
    two = keras.Model([a, b], layers.Dense(3)(layers.Flatten()(layers.Add()([a, b]))))
    both = keras.Model(a, [layers.Dense(3)(layers.Flatten()(a)), layers.Flatten()(a)])
    never = keras.Sequential([layers.Flatten(), layers.Dense(3)])
    wide = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(3)])
    bytes_in = keras.Sequential([keras.Input(SHAPE, dtype="uint8"), layers.Flatten()])
    expected = {
        "2 inputs (left, right)": two,
        "outputs of shape (1, 3), (1, 64)": both,
        "never called": never,
        "the model takes (28, 28, 1)": wide,
        "takes uint8": bytes_in,
    }
    for said, model in expected.items():
        assert said in refusal(model, trained.x, converter=trained.converter)
    never(trained.x[:1])
    assert export(never, trained.x, converter=trained.converter).outputs[0].shape == (1, 3)


def test_a_subclassed_model_is_exported(trained: Trained) -> None:
    """A class of the user's own needs no input declaration once it was called."""
    keras = trained.keras

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.flat, self.dense = keras.layers.Flatten(), keras.layers.Dense(4)

        def call(self, inputs):
            return self.dense(self.flat(inputs))

    model = Own()
    assert "never called" in refusal(model, trained.x, converter=trained.converter)
    model(trained.x[:1])
    assert export(model, trained.x, converter=trained.converter).outputs[0].shape == (1, 4)


def test_samples_of_another_shape_are_refused(trained: Trained) -> None:
    """The child, which alone opens the file, says what the model takes."""
    for samples in (trained.x[..., 0], trained.x[:, :4, :4]):
        said = refusal(trained.file, samples, converter=trained.converter)
        assert said == (
            f"representative: got samples of shape {samples.shape[1:]}, the model takes (8, 8, 1)"
        )


def test_code_in_a_model_file_is_not_run(trained: Trained, tmp_path: Path) -> None:
    """A .keras file with a Lambda layer is refused by name; passed live, the same model converts."""
    keras, layers = trained.keras, trained.keras.layers
    model = keras.Sequential(
        [keras.Input(SHAPE), layers.Lambda(lambda x: x * 2), layers.Flatten(), layers.Dense(3)]
    )
    model.save(tmp_path / "code.keras")
    said = refusal(tmp_path / "code.keras", trained.x, converter=trained.converter)
    assert "pass the model itself" in said
    assert export(model, trained.x, converter=trained.converter).format == "int8"


def test_other_arguments_are_checked(trained: Trained, tmp_path: Path) -> None:
    """Every argument that cannot be used is named before anything is converted, where possible."""
    x, y = trained.x_test, trained.y_test
    nine = make_triggers(KEY, shape=SHAPE, classes=9, groups=2)
    small = make_triggers(KEY, shape=(4, 4, 1), classes=10, groups=2)
    expected: dict[str, dict[str, Any]] = {
        "--out: ": {"path": tmp_path / "nowhere" / "net.tflite"},
        "held_out: got labels int64 (10,)": {"held_out": (x, y[:10])},
        "held_out: got labels float64": {"held_out": (x, y.astype(float))},
        "held_out: got labels 0 to 10": {"held_out": (x[:2], np.array([0, 10]))},
        "held_out: got inputs of shape (4, 4, 1)": {"held_out": (x[:, :4, :4], y)},
        "--key: triggers and key go together": {"triggers": trained.triggers},
        "--triggers: got inputs of shape (4, 4, 1)": {"triggers": small, "key": KEY},
        "--triggers: drawn for 9 classes": {"triggers": nine, "key": KEY},
        "runtimes: got 'nope'": {"runtime": "nope"},
        "--runtime: exec": {"runtime": "exec:command=./ask"},
    }
    for said, arguments in expected.items():
        text = refusal(trained.file, trained.x, converter=trained.converter, **arguments)
        assert text.startswith(said)


def test_a_keras_file_needs_no_tensorflow_here(alone: dict[str, Any]) -> None:
    """The parent imports neither Keras nor TensorFlow, and nothing is printed."""
    assert alone["heavy"] == []
    assert alone["stderr"] == ""


def test_a_full_disk_leaves_the_old_file(alone: dict[str, Any]) -> None:
    """A file that does not fit is one line; under the name stands what stood there, and no scrap."""
    assert alone["full"].startswith(f"--out: {alone['out']} cannot be written")
    left = Artifact(model=alone["out"].read_bytes(), format="int8")
    assert left.sha256 == alone["sha256"][2]
    assert [p.name for p in alone["out"].parent.iterdir()] == [alone["out"].name]
