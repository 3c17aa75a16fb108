"""The small networks of the demo and the benchmarks, in plain Keras.

`ds_cnn` has the shape of MLPerf Tiny's keyword-spotting network (one strided convolution, four
depthwise-separable blocks of 64 channels); `resnet8` that of its image network (three stages of 16, 32
and 64 channels). Both take any picture size; both end in softmax, as deployed files do.
"""

from __future__ import annotations

from typing import Any

Shape = tuple[int, ...]


def small_cnn(shape: Shape, classes: int) -> Any:
    """Three convolutions and a dense layer, about 15,000 parameters for 8x8 digits."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(shape),
            *_conv(16, 3, 1),
            *_conv(32, 3, 2),
            *_conv(32, 3, 1),
            layers.Flatten() if max(shape[:2]) <= 8 else layers.GlobalAveragePooling2D(),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def ds_cnn(shape: Shape, classes: int) -> Any:
    """MLPerf Tiny's depthwise-separable network, about 24,000 parameters for 10 classes."""
    import keras
    from keras import layers

    blocks: list[Any] = []
    for _ in range(4):
        blocks += [
            layers.DepthwiseConv2D(3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            *_conv(64, 1, 1),
        ]
    return keras.Sequential(
        [
            keras.Input(shape),
            *_conv(64, (10, 4) if shape[0] > 2 * shape[1] else 3, 2),
            *blocks,
            layers.GlobalAveragePooling2D(),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def resnet8(shape: Shape, classes: int) -> Any:
    """MLPerf Tiny's residual network, about 78,000 parameters for 10 classes."""
    import keras
    from keras import layers

    inputs = keras.Input(shape)
    x: Any = inputs
    for layer in _conv(16, 3, 1):
        x = layer(x)
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        y = x
        for layer in _conv(filters, 3, stride):
            y = layer(y)
        y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
        y = layers.BatchNormalization()(y)
        if stride != 1:
            x = layers.Conv2D(filters, 1, stride, padding="same")(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def _conv(filters: int, size: int | tuple[int, int], stride: int) -> list[Any]:
    from keras import layers

    return [
        layers.Conv2D(filters, size, stride, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
    ]
