"""The program that turns a Keras 3 model into TFLite, run as a child by `edgewm.conversion`.

TensorFlow takes 10 s to import, prints from C++ and keeps memory after every conversion (tensorflow
issue 122598), so one child serves many conversions, and its owner renews it. This file is a script
that imports nothing of edgewm; the owner imports it for the framing and for `write_saved_model`,
which both sides need: the owner for a live model, the child for a .keras file.

Requests and replies are JSON behind four bytes of big-endian length, on stdin and on what stdout
was before anything else could print there. Arrays and models are files in the request's folder.

    request = {"model": FOLDER or FILE.keras, "folder": FOLDER, "shape": [...] or null,
               "settings": {...}, "representative": FILE.npy or null,
               "questions": [FILE.npy], "answers": [FILE.npy], "out": FILE.tflite}
    reply   = {} | {"refused": TEXT} | {"failed": TEXT} | {"unavailable": TEXT}
"""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

KerasModel: TypeAlias = Any  # Keras ships no type information

HEADER = struct.Struct(">I")
ONE = "serve"  # the endpoint with batch 1, which Keras also gives the name serving_default
MANY = "many"  # the same network with a free batch, to ask the float model quickly
_ROWS_AT_ONCE = 256
_LONGEST_REASON = 300


class ConversionError(Exception):
    """Something the caller can mend; the text is the whole message."""


def frame(message: dict[str, Any]) -> bytes:
    """One message as it goes over the pipe."""
    text = json.dumps(message).encode("utf-8")
    return HEADER.pack(len(text)) + text


def parse(framed: bytes) -> dict[str, Any]:
    """The message of one whole frame."""
    message: dict[str, Any] = json.loads(framed[HEADER.size :])
    return message


def write_saved_model(model: KerasModel, shape: tuple[int, ...] | None, folder: Path) -> None:
    """Write a Keras model with two endpoints, batch 1 for the converter and a free batch to ask.

    Batch 1 is traced as such, since code generators and TFLM want no free axis and no SHAPE
    operators. `ExportArchive`, because the converter loses the variables of a live Keras 3 model.

    Raises:
        ConversionError: the model has other than one float32 input and one row of outputs, was
            never called, or does not take `shape` (one input, without the batch axis).
    """
    import keras

    shape = _checked_shape(model, shape)

    def answer(input: KerasModel) -> KerasModel:
        return keras.tree.flatten(model(input, training=False))[0]

    _check_output(model, shape)
    archive = keras.export.ExportArchive()
    archive.track(model)
    for endpoint, batch in ((ONE, 1), (MANY, None)):
        spec = keras.InputSpec(shape=(batch, *shape), dtype="float32")
        archive.add_endpoint(endpoint, answer, input_signature=[spec])
    archive.write_out(str(folder), verbose=False)


def main() -> None:
    """Answer requests until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to handle
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # from here on whatever TensorFlow prints goes to the log
    missing = _import_tensorflow()
    while (request := _read(sys.stdin.buffer)) is not None:
        reply = {"unavailable": missing} if missing else _reply(request)
        replies.write(frame(reply))
        replies.flush()


def _import_tensorflow() -> str | None:
    try:
        import keras  # noqa: F401
        import tensorflow as tf
    except ImportError as error:
        traceback.print_exc()
        return _reason(error)
    tf.get_logger().setLevel("ERROR")
    return None


def _read(stream: BinaryIO) -> dict[str, Any] | None:
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    return parse(header + stream.read(HEADER.unpack(header)[0]))


def _reply(request: dict[str, Any]) -> dict[str, str]:
    try:
        _serve(request)
    except ConversionError as error:
        traceback.print_exc()
        return {"refused": str(error)}
    except Exception as error:  # whatever TensorFlow raises is the answer to this request
        traceback.print_exc()
        return {"failed": _reason(error)}
    finally:
        import keras

        keras.backend.clear_session()
    return {}


def _serve(request: dict[str, Any]) -> None:
    source, shape = Path(request["model"]), request["shape"]
    if not source.is_dir():
        model = _load(source)
        source = Path(request["folder"]) / "loaded"
        write_saved_model(model, tuple(shape) if shape else None, source)
    _answer(source, request["questions"], request["answers"])
    representative = request["representative"]
    samples = None if representative is None else np.load(representative)
    content = _convert(source, samples, request["settings"])
    _check_types(content, request["settings"])
    Path(request["out"]).write_bytes(content)


def _load(path: Path) -> KerasModel:
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever the file provokes
        raise ConversionError(
            f"model: {path} does not load (own classes and Lambda layers do not travel in a .keras "
            f"file, pass the model itself): {_reason(error)}"
        ) from error


def _answer(source: Path, questions: list[str], answers: list[str]) -> None:
    if not questions:
        return
    import tensorflow as tf

    loaded = tf.saved_model.load(str(source))  # owns the variables: its function alone loses them
    network = getattr(loaded, MANY)
    for asked, answered in zip(questions, answers, strict=True):
        inputs = np.load(asked)
        parts = [
            np.asarray(network(tf.constant(inputs[at : at + _ROWS_AT_ONCE])))
            for at in range(0, len(inputs), _ROWS_AT_ONCE)
        ]
        np.save(answered, np.concatenate(parts).astype(np.float32))


def _convert(
    source: Path, samples: npt.NDArray[np.float32] | None, settings: dict[str, Any]
) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(source), signature_keys=["serving_default"]
    )
    if settings["optimise"]:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if settings["stored_as"]:
        converter.target_spec.supported_types = [getattr(tf, settings["stored_as"])]
    if settings["kernels"]:
        converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, settings["kernels"])]
    if settings["asked_in"]:
        converter.inference_input_type = getattr(tf, settings["asked_in"])
        converter.inference_output_type = getattr(tf, settings["asked_in"])
    if settings["switch"]:
        if not hasattr(converter, settings["switch"]):
            raise ConversionError(
                f"--format: this TensorFlow's converter has no {settings['switch']}"
            )
        setattr(converter, settings["switch"], True)
    if samples is not None:

        def representative() -> Iterator[list[npt.NDArray[np.float32]]]:
            return ([sample[None]] for sample in samples)

        converter.representative_dataset = representative
    content: bytes = converter.convert()
    return content


def _check_types(content: bytes, settings: dict[str, Any]) -> None:
    """Read back what was written: the converter falls back to float without an error."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    kind = {
        value: name.lower() for name, value in vars(schema.TensorType).items() if name[0] != "_"
    }
    main = model.subgraphs[0]
    asked_in = settings["asked_in"] or "float32"
    ends = [kind[main.tensors[i].type] for i in (*main.inputs, *main.outputs)]
    if set(ends) != {asked_in}:
        raise ConversionError(
            f"model: converts with {', '.join(ends)} as input and output, not {asked_in}"
        )
    if settings["asked_in"]:
        floats = _float_operators(model, schema)
        if floats:
            raise ConversionError(
                f"model: {', '.join(floats)} cannot be quantised, replace it or take float32"
            )
    wanted = settings["weights"]
    constants = {
        kind[t.type]
        for graph in model.subgraphs
        for t in graph.tensors
        if model.buffers[t.buffer].data is not None and len(model.buffers[t.buffer].data)
    }
    if wanted and wanted not in constants:
        raise ConversionError(
            f"--format: the export holds no {wanted} weights, so nothing was quantised (dynamic "
            "leaves arrays below 1,024 values alone), use another format, such as float32"
        )


def _float_operators(model: KerasModel, schema: ModuleType) -> list[str]:
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if name[0] != "_"}
    found = {
        names.get(model.operatorCodes[operator.opcodeIndex].builtinCode, "a custom operator")
        for graph in model.subgraphs
        for operator in graph.operators
        for tensor in (*operator.inputs, *operator.outputs)
        if tensor >= 0 and graph.tensors[tensor].type == schema.TensorType.FLOAT32
    }
    # QUANTIZE and DEQUANTIZE only stand around the operator that stayed in float
    return sorted(found - {"QUANTIZE", "DEQUANTIZE"}) or sorted(found)


def _checked_shape(model: KerasModel, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    inputs = getattr(model, "inputs", None)
    if inputs is not None and len(inputs) != 1:
        names = ", ".join(str(i.name) for i in inputs)
        raise ConversionError(f"model: has {len(inputs)} inputs ({names}), expected one")
    if not model.built:
        raise ConversionError(
            "model: was never called and has no weights yet, call it once on a batch"
        )
    if inputs is None:
        if shape is None:
            raise ConversionError(
                "model: a subclassed model does not say its input shape, give samples"
            )
        return shape
    declared, dtype = tuple(inputs[0].shape[1:]), str(inputs[0].dtype)
    if dtype != "float32":
        raise ConversionError(
            f"model: takes {dtype}, expected float32 (put the cast outside of the model)"
        )
    if shape is None:
        if None in declared:
            raise ConversionError(
                f"model: takes inputs of free size {declared}, give samples to fix it"
            )
        return declared
    fits = len(shape) == len(declared) and all(
        d in (None, s) for d, s in zip(declared, shape, strict=True)
    )
    if not fits:
        raise ConversionError(
            f"representative: got samples of shape {shape}, the model takes {declared}"
        )
    return shape


def _check_output(model: KerasModel, shape: tuple[int, ...]) -> None:
    import keras

    try:
        outputs = keras.tree.flatten(model(np.zeros((1, *shape), np.float32), training=False))
    except Exception as error:  # a model's own code may raise anything
        raise ConversionError(
            f"model: does not take one float32 input of shape {(1, *shape)}: {_reason(error)}"
        ) from error
    shapes = [tuple(o.shape) for o in outputs]
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise ConversionError(
            f"model: gives outputs of shape {', '.join(map(str, shapes))}, expected one row, "
            "(1, classes)"
        )


def _reason(error: BaseException) -> str:
    """One line of what TensorFlow or Keras said, which may be pages."""
    operators = sorted(set(re.findall(r"'(tf\.\w+)' op is neither", str(error))))
    if operators:
        return f"TFLite has no kernel for {', '.join(operators)} with these types, replace it"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = (lines or [type(error).__name__])[0]
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "..."


if __name__ == "__main__":
    main()
