"""Which groups a device that is not ours has already been shown.

Whoever is asked sees the inputs. What was shown is kept beside the trigger file, in TRIGGERS.spent.json,
so that the next partial run starts at the first group nobody has seen. The file is a memory, not
evidence: losing it costs secrecy, never correctness.

    {"format": "edgewm-spent-1", "triggers_sha256": HEX,
     "shown": [{"first_group": 0, "groups": 16, "to": TEXT}]}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import BadInput
from .files import write_file

FORMAT = "edgewm-spent-1"


@dataclass(frozen=True, kw_only=True)
class SpentGroups:
    """The memory of one trigger file; positions are in the committed order."""

    path: Path
    triggers_sha256: str

    @classmethod
    def beside(cls, triggers_path: Path, triggers_sha256: str) -> SpentGroups:
        """The memory that belongs to a trigger file."""
        path = triggers_path.with_name(triggers_path.name + ".spent.json")
        return cls(path=path, triggers_sha256=triggers_sha256)

    def first_unspent(self) -> int:
        """First position of the order that was never shown."""
        return max((part["first_group"] + part["groups"] for part in self._shown()), default=0)

    def mark(self, first_group: int, groups: int, shown_to: str) -> None:
        """Remember that a run of groups was shown; written before the first of them is."""
        shown = [*self._shown(), {"first_group": first_group, "groups": groups, "to": shown_to}]
        held = {"format": FORMAT, "triggers_sha256": self.triggers_sha256, "shown": shown}
        content = json.dumps(held, indent=1).encode("utf-8") + b"\n"
        write_file(self.path, content, argument="--triggers", mode=0o600)

    def _shown(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        try:
            held = json.loads(self.path.read_bytes())
            shown = [
                {
                    "first_group": int(p["first_group"]),
                    "groups": int(p["groups"]),
                    "to": str(p["to"]),
                }
                for p in held["shown"]
            ]
            known = held["format"] == FORMAT and held["triggers_sha256"] == self.triggers_sha256
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            known = False
        if not known:
            raise BadInput(
                f"--triggers: {self.path} is not the memory of these triggers, move it away"
            )
        return shown
