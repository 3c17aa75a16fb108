"""Make edgewm/runtimes/probe.npz: a small int8 network and what each arithmetic answers on it.

The network holds the three operators in which engines are known to differ, a residual ADD, a depthwise
convolution and a dense layer with a scale per channel, and ends in raw scores so that a difference of one
step stays visible. It is untrained: random weights fill the int8 range better than learned ones. The
script records the answers of the engines installed here, and stops unless every two kinds of arithmetic
differ in at least FEWEST values and tflite-runtime, the second witness of "builtin", agrees with the first.

Every depthwise layer here has a ReLU, as in deployed networks. Without one tflite-runtime 2.14 and LiteRT
2.3 without delegate part by one step in about 0.1 % of the negative values, so "builtin" is one kind for
networks with ReLU after depthwise layers and two for others.

    python benchmarks/make_probe.py ARM64 ARMHF      tensorflow, ai-edge-litert, tflite-runtime, tflite-micro
    python benchmarks/make_probe.py --keep ARM64 ARMHF      record again, with the network that there is

ARM64 and ARMHF are the folders of `edgewm device linux-root`.
"""

from __future__ import annotations

import io
import itertools
import sys
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgewm import spec
from edgewm.runtimes import probe
from edgewm.runtimes.child import ask_raw

WHERE = Path(__file__).resolve().parent.parent / "edgewm" / "runtimes" / "probe.npz"
SEED = 21
INPUTS = 16
FEWEST = 2  # answers are a function of the file and the engine, so one value would do
# arithmetic, runtime; several of one arithmetic must agree
WITNESSES = (
    ("xnnpack", "litert:delegate=xnnpack"),
    ("xnnpack", "qemu_aarch64:root=ARM64,package=litert"),
    ("builtin", 'litert:delegate="none"'),
    ("builtin", "tflite_runtime"),
    ("reference", "litert:delegate=reference"),
    ("reference", "qemu_aarch64:root=ARM64,package=litert,delegate=reference"),
    ("tflm", "tflm"),
    ("neon", "qemu_aarch64:root=ARM64"),
    ("neon", "qemu_arm:root=ARMHF"),
    ("neon_litert", 'qemu_aarch64:root=ARM64,package=litert,delegate="none"'),
)


def build(seed: int, samples: npt.NDArray[np.float32]) -> bytes:
    """The full-int8 flatbuffer; `samples` (n, 8, 8, 3) float32 calibrate it."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    start = keras.Input((8, 8, 3), batch_size=1)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", bias_initializer="normal")(start)
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    y = layers.Conv2D(8, 1, bias_initializer="normal")(y)
    x = layers.Add()([x, y])
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(96, activation="relu", bias_initializer="normal")(x)
    x = layers.Dense(48, bias_initializer="normal")(x)
    model = keras.Model(start, x)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converted: bytes = converter.convert()
    return converted


def record(
    model: bytes, inputs: npt.NDArray[np.float32], arm64: str, armhf: str
) -> dict[str, npt.NDArray[np.generic]]:
    """Raw output rows (n, 48) int8 by arithmetic."""
    rows: dict[str, npt.NDArray[np.generic]] = {}
    for arithmetic, spelled in WITNESSES:
        text = spelled.replace("ARM64", arm64).replace("ARMHF", armhf)
        answered = ask_raw(spec.parse("runtimes", text).start(), model, inputs)
        if not np.array_equal(rows.setdefault(arithmetic, answered), answered):
            sys.exit(f"{spelled} does not agree with the first witness of {arithmetic}")
    for one, other in itertools.combinations(rows, 2):
        values = int((rows[one] != rows[other]).sum())
        print(f"{one} / {other}: {values} of {rows[one].size} values differ")
        if values < FEWEST:
            sys.exit(f"{one} and {other} are hard to tell apart, try another seed")
    return rows


def write(path: Path, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
    """Write an uncompressed .npz whose bytes depend on its content only."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue())


def main() -> None:
    """Build, record, check and write."""
    *options, arm64, armhf = sys.argv[1:]
    rng = np.random.default_rng(SEED)
    grid = (rng.integers(-128, 128, (100 + INPUTS, 8, 8, 3)) / 128).astype(np.float32)
    model = probe.load().model if options == ["--keep"] else build(SEED, grid[INPUTS:])
    inputs = grid[:INPUTS]
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "model": np.frombuffer(model, np.uint8),
        "inputs": inputs,
        **{f"rows_{name}": rows for name, rows in record(model, inputs, arm64, armhf).items()},
    }
    write(WHERE, arrays)
    print(f"{WHERE.name}: {WHERE.stat().st_size} bytes, model {len(model)} bytes")


if __name__ == "__main__":
    main()
