"""Windows over pictures: their size, steps and padding, as TensorFlow Lite computes them."""

from __future__ import annotations

from dataclasses import dataclass

from .graph import Operator
from .step import Structure, numbers

_SAME = 0


@dataclass(frozen=True, kw_only=True)
class Window:
    """How a window goes over an input of shape (1, height, width, channels)."""

    input: tuple[int, int, int]
    output: tuple[int, int]
    size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int]
    """Values before the first row and the first column."""

    @property
    def is_one_value(self) -> bool:
        """Whether output pixel i needs input pixel i and no other."""
        return self.size == (1, 1) and self.stride == (1, 1) and self.pad == (0, 0)

    def structure(self) -> Structure:
        """The constant that the kernels take."""
        return Structure(
            kind="window",
            fields=numbers(
                *self.input, *self.output, *self.size, *self.stride, *self.dilation, *self.pad
            ),
        )


def window_of(operator: Operator, size: tuple[int, int]) -> Window:
    """The window of a convolution or pooling of this size.

    Raises:
        BadInput: shapes that do not fit each other, or a batch other than 1.
    """
    options = operator.options
    shape, output = operator.quantized(0).shape, operator.quantized_output().shape
    if len(shape) != 4 or len(output) != 4 or shape[0] != 1 or output[0] != 1:
        raise operator.refuse(f"shapes {shape} to {output}, expected 4 axes with batch 1")
    stride = options.get("stride_height", 0), options.get("stride_width", 0)
    dilation = options.get("dilation_height", 1), options.get("dilation_width", 1)
    if min(*stride, *dilation, *size) < 1 or max(*stride, *dilation, *size) > 1 << 16:
        raise operator.refuse(f"stride {stride}, dilation {dilation}, window {size}")
    sizes, pads = [], []
    for length, side, step, gap in zip(shape[1:3], size, stride, dilation, strict=True):
        reach = (side - 1) * gap + 1
        same = options.get("padding", 0) == _SAME
        count = -(-length // step) if same else (length - reach) // step + 1
        sizes.append(count)
        pads.append(max((count - 1) * step + reach - length, 0) // 2 if same else 0)
    if tuple(sizes) != output[1:3]:
        raise operator.refuse(f"shapes {shape} to {output}, expected an output of {tuple(sizes)}")
    return Window(
        input=(shape[1], shape[2], shape[3]),
        output=(output[1], output[2]),
        size=size,
        stride=stride,
        dilation=dilation,
        pad=(pads[0], pads[1]),
    )
