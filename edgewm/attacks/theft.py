"""One attack on one file, from the copy to what the thief deploys, and what it cost the thief.

An attack on a network ends in a fresh export, since a mark that survives in float and dies in int8 has not
survived; one on the file's own bytes is deployed as it is.
The cost is in accuracy on held-out samples, file against file on the same runtime; an attack that costs 5
points or more has not removed a mark (the rule of Lukas et al., IEEE S&P 2022), it has broken a model.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from .. import spec
from ..conversion import Converter
from ..errors import BadInput, RuntimeUnavailable
from . import Attack, Inputs, Labels, Loot, Victim

REMOVED_BELOW_POINTS = 5.0
"""A thief who loses this much has not removed the mark."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Theft:
    """What one attack came to."""

    attack: str
    """Its spelling."""
    file: bytes = field(repr=False)
    """What the thief deploys, a `.tflite`."""
    loot: Loot = field(repr=False)
    """With the filter that stands before the file, if any."""
    victim_accuracy: float
    """Share of held-out samples that the copied file labels correctly, 0 to 1."""
    accuracy: float
    """The same of the thief's file, behind the thief's filter."""
    seconds: float
    """The attack and its export took so long."""

    @property
    def cost_points(self) -> float:
        """Accuracy that the attack cost the thief, in points; below 0 where it gained."""
        return 100 * (self.victim_accuracy - self.accuracy)

    def arriving(self, inputs: Inputs) -> Inputs:
        """What the thief's model sees of inputs (n, *shape)."""
        return inputs if self.loot.filter is None else self.loot.filter(inputs)


def run_attack(
    attack: Attack | str,
    victim: Victim,
    x: Inputs,
    y: Labels,
    *,
    held_out: tuple[Inputs, Labels],
    converter: Converter,
) -> Theft:
    """Run an attack with the thief's samples x (n, *shape) and labels y (n,); export a network it made.

    Raises:
        BadInput: a victim without a file, or what the attack and the export refuse.
        RuntimeUnavailable: a 4-bit file without litert-quantizer.
    """
    plugin: Attack = spec.parse("attacks", attack) if isinstance(attack, str) else attack
    if victim.file is None:
        raise BadInput("victim: got no file, expected the copied .tflite")
    began = time.monotonic()
    loot = plugin.steal(victim, x, y)
    file = deployed(loot, victim.file, x, converter)
    seconds = time.monotonic() - began
    x_held, y_held = held_out
    arriving = x_held if loot.filter is None else loot.filter(x_held)
    return Theft(
        attack=spec.spell(plugin),
        file=file,
        loot=loot,
        victim_accuracy=float((victim.ask(x_held).labels == y_held).mean()),
        accuracy=float(
            (Victim(file=file, runtime=victim.runtime).ask(arriving).labels == y_held).mean()
        ),
        seconds=seconds,
    )


def deployed(loot: Loot, copied: bytes, x: Inputs, converter: Converter) -> bytes:
    """The file that goes out: an export, one that the attack wrote itself, or the copied one as it is."""
    if loot.network is not None:
        return exported(loot, x, converter)
    return copied if loot.file is None else loot.file


def exported(loot: Loot, x: Inputs, converter: Converter) -> bytes:
    """The file of a thief's network, calibrated on what the thief has."""
    samples = x[:200] if loot.calibration is None else loot.calibration
    if not loot.four_bit_file:
        return converter.convert(loot.network, samples, format=loot.format).model
    return four_bit(converter.convert(loot.network, format="float32").model)


def four_bit(model: bytes) -> bytes:
    """A float32 `.tflite` with its weights in 4 bits, activations in float; runs on LiteRT alone.

    Raises:
        RuntimeUnavailable: litert-quantizer is not installed.
    """
    try:
        from litert_quantizer import quantizer, recipe
    except ImportError as error:
        raise RuntimeUnavailable(
            f"4-bit files need litert-quantizer ({error}), pip install 'edgewm[attacks]'"
        ) from None
    with tempfile.TemporaryDirectory(prefix="edgewm-") as folder:
        source, target = Path(folder) / "float.tflite", Path(folder) / "four_bit.tflite"
        source.write_bytes(model)
        made = quantizer.Quantizer(str(source), recipe.weight_only_wi4_afp32())
        made.quantize().export_model(target)
        return target.read_bytes()
