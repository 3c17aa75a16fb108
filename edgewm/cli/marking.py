"""``edgewm mark``: marks for a model that is trained already, without a script.

A `.tflite` goes to `last_layer`; all else here is about `.keras`. The file that is written is the one that
was read with other weights: its layers, compile and optimiser state are not touched. Training itself uses the
model's own loss and optimiser, begun anew at a rate that falls to zero as a cosine: the rate that a finished
training ended with may be too small to teach anything.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput
from .progress import Show, progress
from .secrets import passphrase

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..triggers import Triggers

_IN = click.Path(path_type=Path)
_LEARNED = 0.9
"""Share of the inputs below which no marked file is written: int8 and a thief take more."""
# Tried on a small CNN (digits) and a DS-CNN (6,000 pictures of Fashion-MNIST): 3 epochs taught all marks.
_RATE, _RATE_OF_SGD = 2e-3, 1e-2


@dataclass(frozen=True, kw_only=True)
class _Data:
    """What the owner trains and measures on, in the value range that the model takes."""

    x: npt.NDArray[np.float32] = field(repr=False)
    y: npt.NDArray[np.int64] = field(repr=False)
    x_held_out: npt.NDArray[np.float32] = field(repr=False)
    y_held_out: npt.NDArray[np.int64] = field(repr=False)


@click.command()
@click.argument("model", type=_IN)
@click.option("--data", required=True, help="Labelled data: .npz, data set name or IDX folder.")
@click.option(
    "-t", "--triggers", "triggers_path", type=_IN, required=True, help="The trigger file."
)
@click.option("-k", "--key", "key_path", type=_IN, required=True, help="The owner's key file.")
@click.option(
    "-o", "--out", type=_IN, help="The file to write.  [default: MODEL-marked.keras or .tflite]"
)
@click.option(
    "--on", multiple=True, help="Of a .tflite: runtimes that shall answer.  [default: all here]"
)
@click.option("--epochs", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help=f"At the start; falls to 0.  [default: {_RATE}, {_RATE_OF_SGD} with SGD]",
)
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True)
@click.option("--scheme", default="robust", show_default=True, help="name:field=value,...")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of training.")
@click.option("--force", is_flag=True, help="Replace a file that exists, MODEL itself too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def mark(
    model: Path,
    *,
    data: str,
    triggers_path: Path,
    key_path: Path,
    out: Path | None,
    on: tuple[str, ...],
    epochs: int,
    learning_rate: float | None,
    batch_size: int,
    scheme: str,
    seed: int,
    force: bool,
    as_json: bool,
) -> int:
    """Mark MODEL, which is trained already, and write it as another file.

    A .keras is trained a little longer on DATA, what it was trained on: an .npz with x_train, y_train,
    x_test and y_test in the range the model takes, or a data set by name.

    In a full-int8 .tflite the last layer is solved instead, without training. DATA are ordinary inputs,
    500 or more, in the range the model takes; TRIGGERS is written where no such file exists.

    Exit code 0: marked and written, 1: the marks were not learned.
    """
    if model.suffix == ".tflite":
        from .last_layer import mark_tflite

        only_of_keras()
        return mark_tflite(
            model,
            data=data,
            triggers_path=triggers_path,
            key_path=key_path,
            out=out,
            on=on,
            force=force,
            as_json=as_json,
        )
    if on:
        raise BadInput("--on: only for a .tflite, edgewm verify asks a .keras after edgewm export")
    from .. import spec
    from ..key import load_key
    from ..triggers import load_triggers
    from .tour import import_tensorflow_quietly

    target = target_of(model, out, force)
    held = load_triggers(triggers_path)
    key = load_key(key_path, passphrase=passphrase)
    held.answers(key)  # a wrong key is refused before TensorFlow is imported
    plugin = spec.parse("schemes", scheme)
    samples = _samples(data, held)
    with progress(visible=not as_json) as show, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras, about its own files
        show("import TensorFlow", None)
        import_tensorflow_quietly("mark")
        import keras

        from ..schemes.mark import Mark

        keras.utils.set_random_seed(seed)
        show("load the model", None)
        trained, clean = _loaded(model), _loaded(model)
        one = Mark(triggers=held, key=key, scheme=plugin, start=0)
        one.set_model(trained)  # triggers of another model are refused before anything is measured
        before = _accuracy(trained, samples)
        fit = {"epochs": epochs, "batch_size": batch_size}
        _teach(trained, one, samples, rate=learning_rate, fit=fit, show=show)
        learned = one.hit_rate >= _LEARNED
        facts = {
            "out": str(target) if learned else None,
            "accuracy_before": before,
            "accuracy": _accuracy(trained, samples),
            "mark_hit_rate": one.hit_rate,
        }
        if learned:
            show("write the model", None)
            clean.set_weights(trained.get_weights())
            _write(clean, target, replace=force)
    _print(facts, as_json)
    return 0 if learned else 1


def only_of_keras() -> None:
    """Refuse options of training that were given for a file that is not trained."""
    context = click.get_current_context()
    for name in ("epochs", "learning_rate", "batch_size", "scheme", "seed"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise BadInput(f"--{name.replace('_', '-')}: a .tflite is not trained, leave it out")


def _print(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(
        f"accuracy {facts['accuracy_before']:.1%} before, {facts['accuracy']:.1%} after; "
        f"marks {facts['mark_hit_rate']:.1%}"
    )
    if facts["out"]:
        click.echo(f"wrote {facts['out']}")
    else:
        click.echo(
            f"NOT WRITTEN: the marks were not learned (below {_LEARNED:.0%}), "
            "give more --epochs, or another --learning-rate"
        )


def target_of(model: Path, out: Path | None, force: bool) -> Path:
    """Where the marked model goes, refused before anything is done where it cannot."""
    suffix = model.suffix
    if suffix not in (".keras", ".tflite") or not model.is_file():
        raise BadInput(f"MODEL: got {model}, expected a .keras or .tflite file")
    target = model.with_name(f"{model.stem}-marked{suffix}") if out is None else out
    if target.suffix != suffix or target.is_dir() or not target.parent.is_dir():
        raise BadInput(f"--out: got {target}, expected a {suffix} file in a folder that exists")
    if target.exists() and not force:
        raise BadInput(f"--out: {target} exists, name another or give --force")
    return target


def _samples(data: str, held: Triggers) -> _Data:
    from ..datasets import labelled_samples

    named = labelled_samples(data)
    x, x_held_out, y = named.x_train, named.x_test, named.y_train
    if (*x.shape[1:], 1) == held.shape:
        x, x_held_out = x[..., None], x_held_out[..., None]
    for name, array in (("x_train", x), ("x_test", x_held_out)):
        if array.shape[1:] != held.shape:
            raise BadInput(
                f"--data: got {name} of {array.shape[1:]}, the triggers are {held.shape}"
            )
    top, top_of_triggers = float(abs(x).max()), float(abs(held.inputs).max())
    if max(top, top_of_triggers) > 16 * min(top, top_of_triggers):
        raise BadInput(
            f"--triggers: their values go to {top_of_triggers:g} and those of --data to {top:g}, "
            "make them with edgewm triggers make --range"
        )
    for name, labels in (("y_train", y), ("y_test", named.y_test)):
        if labels.max() >= held.classes:
            raise BadInput(
                f"--data: got the label {labels.max()} in {name}, "
                f"the triggers have classes 0 to {held.classes - 1}"
            )
    return _Data(x=x, y=y, x_held_out=x_held_out, y_held_out=named.y_test)


def _loaded(path: Path) -> Any:
    import keras

    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # whatever a file makes Keras raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise BadInput(f"MODEL: {path} cannot be loaded: {reason}") from None


def _compiled(model: Any, samples: _Data, rate: float | None, steps: int) -> npt.NDArray[Any]:
    """Compile the model with its own loss and a fresh optimiser; the labels as that loss takes them."""
    import keras
    import numpy as np

    outputs = np.asarray(model.predict(samples.x[:256], verbose=0))
    if model.compiled:
        settings = model.get_compile_config()
        optimizer = settings["optimizer"]
        default = _RATE_OF_SGD if optimizer["class_name"] == "SGD" else _RATE
        falling = keras.optimizers.schedules.CosineDecay(rate or default, steps)
        optimizer["config"]["learning_rate"] = keras.saving.serialize_keras_object(falling)
        model.compile_from_config(settings)
        sparse = "sparse" in str(settings["loss"]).lower()
    else:
        falling = keras.optimizers.schedules.CosineDecay(rate or _RATE, steps)
        model.compile(keras.optimizers.Adam(falling), _loss(outputs), metrics=["accuracy"])
        sparse = True
    if outputs.shape[-1] == 1:
        return samples.y[:, None].astype(np.float32)
    return samples.y if sparse else np.eye(outputs.shape[-1], dtype=np.float32)[samples.y]


def _loss(outputs: npt.NDArray[Any]) -> Any:
    """The cross-entropy of these outputs: of probabilities where they are some, else of logits."""
    import keras
    import numpy as np

    shares = bool((outputs >= 0).all() and (outputs <= 1).all())
    if outputs.shape[-1] == 1:
        return keras.losses.BinaryCrossentropy(from_logits=not shares)
    shares = shares and np.allclose(outputs.sum(axis=-1), 1, atol=1e-2)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=not shares)


def _teach(
    model: Any, one: Any, samples: _Data, *, rate: float | None, fit: dict[str, int], show: Show
) -> None:
    steps = -(-len(samples.x) // fit["batch_size"])
    labels = _compiled(model, samples, rate, fit["epochs"] * steps)
    bar = _bar(show, fit["epochs"], steps)
    model.fit(samples.x, labels, verbose=0, callbacks=[one, bar], **fit)


def _accuracy(model: Any, samples: _Data) -> float:
    """Share of held-out samples labelled correctly, by the rule of a verdict."""
    import numpy as np

    outputs = np.asarray(model.predict(samples.x_held_out, batch_size=256, verbose=0))
    single = outputs.shape[-1] == 1
    labels = outputs[:, 0] > 0.5 if single else outputs.argmax(axis=-1)
    return float((labels == samples.y_held_out).mean())


def _write(model: Any, target: Path, *, replace: bool) -> None:
    from ..files import write_file, write_new

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "marked.keras")
        content = (Path(folder) / "marked.keras").read_bytes()
    (write_file if replace else write_new)(target, content, argument="--out")


def _bar(show: Show, epochs: int, steps: int) -> Any:
    """The callback that moves the bar: loss and accuracy after a batch, marks after an epoch."""
    import keras

    at: dict[str, Any] = {"epoch": 0, "marks": ""}

    def moved(step: int, logs: dict[str, float]) -> None:
        figures = [f"loss {logs['loss']:.3f}"] if "loss" in logs else []
        figures += [f"accuracy {logs[name]:.1%}" for name in logs if "acc" in name][:1]
        text = f"epoch {at['epoch'] + 1}/{epochs}  {'  '.join(figures)}{at['marks']}"
        show(text, (at["epoch"] * steps + step + 1) / (epochs * steps))

    def ended(epoch: int, logs: dict[str, float]) -> None:
        at["marks"] = f"  marks {logs['mark_hit_rate']:.1%}"

    def began(epoch: int, logs: Any) -> None:
        at["epoch"] = epoch

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=began, on_train_batch_end=moved, on_epoch_end=ended
    )
