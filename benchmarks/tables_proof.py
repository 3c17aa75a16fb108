"""Dossiers and damaged files: what was measured."""

from __future__ import annotations

from markdown_tables import load, markdown


def dossier() -> str:
    """How long a manifest takes, by what holds the samples."""
    rows = [
        (
            row["what"],
            f"{row['samples']:,}",
            f"{row['seconds']:.1f} s",
            f"{row['cpu_s']:.1f} s",
            f"{row['peak_mib']:.0f} MiB",
            f"{row['prove_s']:.2f} s",
        )
        for row in load("dossier_speed")["rows"]
    ]
    return markdown(("manifest of", "samples", "time", "CPU", "memory", "one proof"), rows)


def mutations() -> str:
    """Which damage was noticed, by the kind of file."""
    rows = [
        (
            row["what"],
            f"{row['damages'] - row['not_noticed'] - row['crashed']:,} of {row['damages']:,}",
            str(row["crashed"]),
            str(row["exit_code_2"]),
        )
        for row in load("mutations")["rows"]
    ]
    return markdown(("damaged file", "noticed", "crashes", "exit code 2: nothing left"), rows)


TABLES = {
    "dossier": dossier,
    "mutations": mutations,
}
