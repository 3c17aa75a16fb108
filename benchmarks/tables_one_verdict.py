"""Three marked networks, one verdict wherever they answer."""

from __future__ import annotations

from typing import Any

from markdown_tables import load, markdown

_NETWORKS = {
    "digits": "handwritten digits, 8x8",
    "fashion": "DS-CNN, Fashion-MNIST, 28x28",
    "movement": "movements, 300x6, 3 classes",
}


def one_verdict() -> str:
    """Every runtime, with its controls."""
    rows: dict[tuple[str, str], dict[tuple[str, str], Any]] = {}
    for row in load("one_verdict")["rows"]:
        case = rows.setdefault((row["network"], row["runtime"]), {})
        case[row["suspect"], row["mode"]] = row
    return markdown(
        (
            "answered by",
            "arithmetic",
            "marked: hits, log10 p",
            "stops after",
            "unmarked twin",
            "another key",
        ),
        [
            (
                f"{_NETWORKS[network]}: {_where(of['marked', 'fixed'])}",
                of["marked", "fixed"]["arithmetic"],
                f"{_hits(of['marked', 'fixed'])}, {of['marked', 'fixed']['log10_p']:.1f} "
                f"{_both(of, 'marked')}",
                f"{of['marked', 'sequential']['groups_asked']} groups",
                *(_control(of, suspect) for suspect in ("unmarked", "another key")),
            )
            for (network, _), of in rows.items()
        ],
    )


def _control(of: dict[tuple[str, str], Any], suspect: str) -> str:
    if (suspect, "fixed") not in of:
        return "not asked yet"
    return f"{_hits(of[suspect, 'fixed'])} {_both(of, suspect)}"


def one_verdict_line() -> str:
    """The worst case of each network, in a sentence."""
    summary = load("one_verdict")["summary"]
    told = [
        f"{_NETWORKS[name]}: {of['fewest_hits_marked']} of {of['groups']} on the worst of "
        f"{of['runtimes']} runtimes (unmarked twin at most {of['most_hits_unmarked']}, another key "
        f"{of['most_hits_another_key']})"
        for name, of in summary["networks"].items()
    ]
    left = sorted({f"{name} on {on}" for name, on, _, _ in summary["missing"]})
    not_asked = f" Not asked in full yet: {', '.join(left)}." if left else ""
    same = "The same verdict" if summary["same_verdict_everywhere"] else "NOT the same verdict"
    return f"{same} everywhere, in both modes; hits of three marked networks: {'; '.join(told)}.{not_asked}"


def _where(row: dict[str, Any]) -> str:
    return f"{row['core']} over serial" if row["core"] else f"`{row['runtime']}`"


def _hits(row: dict[str, Any]) -> str:
    return f"{row['groups_hit']} of {row['groups']}"


def _both(of: dict[tuple[str, str], Any], suspect: str) -> str:
    owned = {of[suspect, mode]["owned"] for mode in ("fixed", "sequential")}
    return "modes differ" if len(owned) > 1 else "owned" if owned == {True} else "not shown"


TABLES = {
    "one_verdict": one_verdict,
    "one_verdict_line": one_verdict_line,
}
