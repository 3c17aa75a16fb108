"""Models that are no `.tflite`: ONNX, `.keras` and SavedModel, as worker.py asks them.

A `.keras` file and a SavedModel are read from a path that the parent made, since a worker writes nothing.
Keras loads in safe mode: a Lambda layer holds Python code, and is refused. A SavedModel's graph may hold
operators that read and write files; they meet the same restrictions as everything else in a worker.

Python 3.9, standard library and numpy, since it travels beside worker.py.
"""

from __future__ import annotations

import os
from typing import Any

from asked import asked_of, tensor  # type: ignore[import-not-found]

_ONNX_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
}


class Onnx:
    """ONNX Runtime, on the processor."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        import onnxruntime

        self._module, self._threads = onnxruntime, int(options.get("threads", 1))
        self.version = str(onnxruntime.__version__)
        self.facts: dict[str, Any] = {}
        self._session: Any = None

    def open(self, model: bytes, choice: dict[str, Any]) -> dict[str, Any]:
        self._session = None
        settings = self._module.SessionOptions()
        settings.intra_op_num_threads = self._threads
        settings.inter_op_num_threads = 1
        settings.log_severity_level = 4
        try:
            opened = self._module.InferenceSession(
                model, settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no common root but this
            raise ValueError(str(error)) from None
        self._names = [one.name for one in opened.get_inputs()]
        self._asked, self.facts = asked_of(
            [_onnx_tensor(one) for one in opened.get_inputs()],
            [_onnx_tensor(one) for one in opened.get_outputs()],
            choice,
        )
        self._session = opened
        return self.facts

    def end(self) -> None:
        """Forget the model."""
        self._session = None

    def ask(self, sample: Any) -> Any:
        def infer(values: list[Any]) -> Any:
            try:
                return self._session.run(None, dict(zip(self._names, values)))  # noqa: B905
            except Exception as error:
                raise RuntimeError(str(error)) from None

        return self._asked.ask(sample, infer)


def _onnx_tensor(one: Any) -> dict[str, Any]:
    """A free axis has a name or nothing where others have a length."""
    if one.type not in _ONNX_TYPES:
        raise ValueError(f"has a tensor of {one.type}")
    shape = [d if isinstance(d, int) and d > 0 else -1 for d in one.shape]
    return dict(tensor(one.name, shape, _ONNX_TYPES[one.type], [], []))


class Keras:
    """Keras 3 on TensorFlow."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        _quiet()
        import keras
        import tensorflow as tf

        self._keras, self._tf = keras, tf
        self.version = str(keras.__version__)
        self.facts: dict[str, Any] = {}
        self._model: Any = None

    def open(self, path: str, choice: dict[str, Any]) -> dict[str, Any]:
        self._model = None
        opened = self._keras.saving.load_model(path, compile=False, safe_mode=True)
        self._asked, self.facts = asked_of(
            [_keras_tensor(one) for one in opened.inputs or []],
            [_keras_tensor(one) for one in opened.outputs or []],
            choice,
        )
        self._stateful = [
            layer for layer in opened._flatten_layers() if getattr(layer, "stateful", False)
        ]
        self._call = self._tf.function(lambda values: opened(values, training=False))
        self._model = opened
        return self.facts

    def end(self) -> None:
        """Forget the model."""
        self._model = None

    def ask(self, sample: Any) -> Any:
        for layer in self._stateful:
            reset = getattr(layer, "reset_state", None) or getattr(layer, "reset_states", None)
            if reset is not None:
                reset()

        def infer(values: list[Any]) -> list[Any]:
            given = self._call([self._tf.constant(value) for value in values])
            return [part.numpy() for part in self._tf.nest.flatten(given)]

        return _told(lambda: self._asked.ask(sample, infer))


def _keras_tensor(one: Any) -> dict[str, Any]:
    shape = [-1 if d is None else d for d in one.shape]
    return dict(tensor(one.name, shape, str(one.dtype), [], []))


class SavedModel:
    """A SavedModel's serving signature, on TensorFlow."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        _quiet()
        import tensorflow as tf

        self._tf = tf
        self.version = str(tf.__version__)
        self.facts: dict[str, Any] = {}
        self._signature: Any = None

    def open(self, path: str, choice: dict[str, Any]) -> dict[str, Any]:
        self._signature = None
        held = self._tf.saved_model.load(path)
        signatures = dict(held.signatures)
        if not signatures:
            raise ValueError("has no signature to be asked by")
        named = "serving_default" if "serving_default" in signatures else sorted(signatures)[0]
        signature = signatures[named]
        _, takes = signature.structured_input_signature
        gives = signature.structured_outputs
        self._gives, self._takes = sorted(gives), sorted(takes)
        self._asked, self.facts = asked_of(
            [_tensorflow_tensor(name, takes[name]) for name in self._takes],
            [_tensorflow_tensor(name, gives[name]) for name in self._gives],
            choice,
        )
        self._held, self._signature = held, signature  # the one dies with the other
        return self.facts

    def end(self) -> None:
        """Forget the model."""
        self._held = self._signature = None

    def ask(self, sample: Any) -> Any:
        def infer(values: list[Any]) -> list[Any]:
            named = {n: self._tf.constant(v) for n, v in zip(self._takes, values)}  # noqa: B905
            given = self._signature(**named)
            return [given[name].numpy() for name in self._gives]

        return _told(lambda: self._asked.ask(sample, infer))


def _tensorflow_tensor(name: str, one: Any) -> dict[str, Any]:
    if one.shape.rank is None:
        raise ValueError(f"has a tensor of any shape, {name}")
    shape = [-1 if d is None else d for d in one.shape]
    return dict(tensor(name, shape, one.dtype.as_numpy_dtype, [], []))


def _told(ask: Any) -> Any:
    """What `ask` gives; TensorFlow's errors are of no common kind and keep their text to themselves."""
    try:
        return ask()
    except Exception as error:
        raise RuntimeError(str(getattr(error, "message", "")) or repr(error)) from None


def _quiet() -> None:
    """Before TensorFlow is imported: no start-up lines, no search for a graphics card, one backend."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
