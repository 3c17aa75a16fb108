"""Dossiers, forging and damaged files: what was measured."""

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


_WAYS = {
    "edgewm, 6 groups": "edgewm: redraw every answer, 6 groups",
    "edgewm, 26 groups": "edgewm: redraw every answer, 26 groups",
    "edgewm, inputs": "edgewm: make inputs for the answers, commit, again",
    "key alone": "answers from the key alone: make inputs for them",
    "one secret a group": "a secret for each group alone: draw each again",
    "free labels": "free labels: write down what the suspect says",
}


def forging() -> str:
    """What a claimant reaches who invents a mark after the fact, by what binds the answers."""
    held = load("forging")["summary"]
    rows = []
    for way, told in _WAYS.items():
        row = held[way]
        low, high = row["reached_interval"]
        rows.append(
            (
                told,
                f"{row['median_prf']:,.0f}",
                f"{row['median_hits']:g}/{row['groups']}",
                f"{row['best_log10_p']:.1f}",
                f"{row['reached_alpha']} of {row['accusers']} ({low:.0%} to {high:.0%})",
                f"{row['owned']} of {row['accusers']}",
            )
        )
    head = (
        *("what binds the answers, and what the forger does", "hashes", "best hits, median"),
        *("best log10 p", "p at most 1e-6 [95 %]", "owned, unstamped"),
    )
    return markdown(head, rows)


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
    "forging": forging,
    "mutations": mutations,
}
