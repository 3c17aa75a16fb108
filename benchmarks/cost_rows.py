"""Published MLPerf Tiny results as rows of CPU class, engine, version, network and cycles.

Names are of whoever submitted, so they are read here in one place; what was corrected is said beside it.
Left out: float networks, results without a clock, and networks compiled into an FPGA, where every submission
is a machine of its own.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from edgewm.content import of_bytes
from edgewm.layers import Mix, layers_of, mix_of
from edgewm.tflite import read_tflite

NETWORKS = {
    "ic": "mlperf_ic_resnet8_int8",
    "kws": "mlperf_kws_dscnn_int8",
    "vww": "mlperf_vww_mbv1_int8",
    "ad": "mlperf_ad_autoenc_int8",
}
_FPGA = ("fpgaconvnet", "hls4ml-finn")
_ENGINES = {
    "bosch": "hale",
    "plumerai": "plumerai",
    "renesas": "tflm",  # blank in the table; the outputs of both Arm boards are TFLM's, bit for bit
    "Renesas": "tflm",
    "STMicroelectronics": "x-cube-ai",  # blank up to v1.0
}
_VERSION = re.compile(r"(?:x-cube-ai[ -]v?|engine |version )(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One published result."""

    round: float
    maker: str
    system: str
    network: str
    cpu: str
    engine: str
    version: tuple[int, ...]
    """Of the engine; empty where it was not said."""
    cycles: float
    """Of one inference."""
    uj: float | None
    """Energy of one inference, microjoules."""

    @property
    def pair(self) -> tuple[str, str]:
        """What a calibration is for."""
        return self.cpu, self.engine

    @property
    def age(self) -> tuple[float, tuple[int, ...]]:
        """Sorts older results before newer ones."""
        return self.round, self.version

    @property
    def name(self) -> str:
        """As a person finds it again."""
        return f"MLPerf Tiny v{self.round} {self.maker} {self.system} {self.network}"


def read_rows(data: Path) -> list[Row]:
    """Every usable row of `mlperf_tiny/calibration.csv`."""
    with (data / "mlperf_tiny" / "calibration.csv").open(encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    return [
        Row(
            round=float(line["round"]),
            maker=line["org"],
            system=line["system"],
            network=line["bench"],
            cpu=_cpu(line),
            engine=_engine(line),
            version=_version(line),
            cycles=float(line["ms"]) * _mhz(line) * 1e3,
            uj=float(line["uJ"]) if line["uJ"] else None,
        )
        for line in lines
        if line["mhz"] and "float" not in line["system"] and not _is_fpga(line)
    ]


def mixes(data: Path) -> dict[str, Mix]:
    """What each network is made of."""
    found = {}
    for name, file in NETWORKS.items():
        model = (data / "models" / f"{file}.tflite").read_bytes()
        found[name] = mix_of(layers_of(read_tflite(of_bytes(model))))
    return found


def newest(rows: list[Row]) -> list[Row]:
    """Of each CPU class, engine and network, the rows of the newest version: engines get faster."""
    last: dict[tuple[str, str, str], tuple[float, tuple[int, ...]]] = {}
    for row in rows:
        key = (*row.pair, row.network)
        last[key] = max(last.get(key, row.age), row.age)
    return [row for row in rows if row.age == last[*row.pair, row.network]]


def _is_fpga(line: dict[str, str]) -> bool:
    return line["org"] in _FPGA or line["accel"] == "ANPU"


def _cpu(line: dict[str, str]) -> str:
    accelerator = f"+{line['accel'].lower()}" if line["accel"] else ""
    if "nrf5340" in line["system"].lower():  # called a Cortex-M4 in v1.0
        return "cortex-m33"
    if line["org"] == "syntiant":
        return "syntiant-core-2"
    arm = re.search(r"cortex[^a-z0-9]*(m\d+\+?)", line["cpu"].lower())
    if arm:
        return f"cortex-{arm.group(1)}{accelerator}"
    return re.sub(r"[^a-z0-9]+", "-", line["cpu"].lower()).strip("-") + accelerator


def _engine(line: dict[str, str]) -> str:
    named = f"{line['framework']} {line['system']}".lower()
    if "x-cube" in named:
        return "x-cube-ai"
    if "microtvm" in named:
        return "microtvm-native" if "native" in named else "microtvm-cmsis-nn"
    if "onnc" in named:
        return "onnc"
    if "tensorflow lite" in named or "tflite-micro" in named:
        return "tflm"
    return _ENGINES.get(line["org"], line["org"].lower())


def _version(line: dict[str, str]) -> tuple[int, ...]:
    found = _VERSION.search(f"{line['framework']} {line['system']}".lower())
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def _mhz(line: dict[str, str]) -> float:
    if "nrf5340" in line["system"].lower():
        return 128.0  # 120 in v1.0, beside 128 of the same board
    if "0v9_30mhz" in line["system"]:
        return 30.7  # 98.7 in v0.7 and v1.0, with the same times
    return float(line["mhz"])
