"""Files that every later version reads and verifies: see v1/README.md."""

from __future__ import annotations

from pathlib import Path

V1 = Path(__file__).parent / "v1"
TILT = V1 / "tilt.npz"
KEY, LOCKED, TRIGGERS = V1 / "owner.key", V1 / "locked.key", V1 / "triggers.npz"
MARKED, UNMARKED, VERDICT = V1 / "marked.tflite", V1 / "unmarked.tflite", V1 / "verdict.json"
RECORDS = V1 / "records"
DOSSIER = V1 / "dossier"
OVERWRITTEN = V1 / "overwritten"
PASSPHRASE = "golden passphrase"
