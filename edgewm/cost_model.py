"""Cycles of one inference on a CPU class and engine, from published results of the same pair.

The coefficients are in `targets/cost_model.json`, which `benchmarks/cost_model.py` makes from MLPerf Tiny's
results, v0.5 to v1.3. The engine matters as much as the CPU: on one chip the same network takes up to seven
times as long on another engine, so there is no number for a CPU alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .layers import Mix
from .targets import folder

FILE = "cost_model.json"
KINDS = ("conv", "pointwise", "depthwise", "dense")
"""Layers that have a coefficient; all others are in those of the layers around them."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """One CPU class and engine."""

    cpu: str
    engine: str
    cycles_per_mac: dict[str, float]
    """By kind of layer; fitted, so a kind that networks never have alone is the least certain."""
    drops_empty_channels: bool
    """Whether this engine leaves out channels whose weights are all zero."""
    rows: tuple[str, ...]
    """The published results that these numbers were fitted to."""

    def cycles(self, mix: Mix) -> float:
        """Of one inference of an int8 network."""
        macs = mix.live_macs if self.drops_empty_channels else mix.macs
        return sum(self.cycles_per_mac[kind] * macs[kind] for kind in KINDS)

    @property
    def origin(self) -> str:
        """Where an estimate comes from, in words."""
        return f"estimated from {_together(self.rows)}: {self.engine} on {self.cpu}"


@dataclass(frozen=True, kw_only=True)
class BoardEnergy:
    """Supply energy of one board, as published."""

    board: str
    nj_per_cycle: float
    """Median over the networks of its newest results."""
    rows: tuple[str, ...]

    @property
    def origin(self) -> str:
        """Where an estimate comes from, in words."""
        return f"estimated from {self.nj_per_cycle:g} nJ a cycle, median of {_together(self.rows)}"


def calibration(cpu: str, engine: str) -> Calibration | None:
    """The calibration of a pair; None where nothing was published."""
    for entry in _table()["calibrations"]:
        if (entry["cpu"], entry["engine"]) == (cpu, engine):
            return Calibration(**{**entry, "rows": tuple(entry["rows"])})
    return None


def board_energy(board: str) -> BoardEnergy | None:
    """The energy of a board; None where none was published."""
    for entry in _table()["boards"]:
        if entry["board"] == board:
            return BoardEnergy(**{**entry, "rows": tuple(entry["rows"])})
    return None


def _together(rows: tuple[str, ...]) -> str:
    """Rows of one submission once, with its networks behind it."""
    networks: dict[str, list[str]] = {}
    for row in rows:
        system, _, network = row.rpartition(" ")
        networks.setdefault(system, []).append(network)
    return " and ".join(f"{system} ({', '.join(held)})" for system, held in networks.items())


def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads((folder() / FILE).read_text(encoding="utf-8"))
    return table
