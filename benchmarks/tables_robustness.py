"""What marks outlive, attack by attack, what stands against the bars, and how often innocents are accused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from markdown_tables import load, markdown

DATA = {
    "fashion_mnist": "Fashion-MNIST",
    "speech_commands": "Speech Commands",
    "cifar10": "CIFAR-10",
}
SCHEMES = {
    "default": "edgewm, triggers and tilt",
    "triggers": "edgewm, triggers alone",
    "more": "edgewm, 128 triggers alone",
    "adi": "abstract images, mixed (Adi et al.)",
    "logo": "logo, one class (Zhang et al., NXP)",
    "margin": "held-out pictures, margins (Kim et al.)",
    "ewe": "entangled, one class (Jia et al.)",
}
RECOMMENDED = ("default", "triggers")
NONE = "none"
GENTLE = ("fine-tune", "prune", "fine-prune", "noise")
"""Beginnings of the attacks of the fourth bar."""


def robustness() -> str:
    """The README's lines: one scheme a column, one attack a row, on the first data set."""
    cases = {c["scheme"]: c for c in _cases() if c["dataset"] == "fashion_mnist"}
    core = load("robustness")["settings"]["attacks"]
    head = ["int8, worst seed: groups hit, log10 p (by labels)"] + [SCHEMES[s] for s in cases]
    rows = [
        [
            "accuracy cost, points: mean (worst)",
            *(
                f"{c['cost_points_mean']:.2f} ({c['cost_points_worst']:.2f})"
                for c in cases.values()
            ),
        ]
    ]
    for attack in core:
        said = [c["attacks"].get(attack) for c in cases.values()]
        if any(said):
            rows.append([_name(attack), *(_worst(s) for s in said)])
    return markdown(head, rows)


def robustness_attacks() -> str:
    """Every attack on the default scheme of every data set."""
    rows = []
    for case in _cases():
        if case["scheme"] != "default":
            continue
        for attack, said in case["attacks"].items():
            rows.append(
                (
                    f"{DATA[case['dataset']]}: {_name(attack)}",
                    str(said["seeds"]),
                    f"{said['thief_cost_points_mean']:.1f}",
                    f"{said['hit_rate_mean']:.0%} ({said['hit_rate_worst']:.0%})",
                    f"{said['log10_p_triggers_worst']:.1f}",
                    f"{said['log10_p_tilt_worst']:.1f}",
                    f"{said['log10_p_mean']:.1f} ({said['log10_p_worst']:.1f})",
                    f"{said['log10_p_labels_worst']:.1f}",
                    f"{said['shown']} of {said['seeds']}",
                )
            )
    head = (
        *("attack", "seeds", "costs the thief, points", "groups hit, mean (worst)"),
        *("log10 p, triggers", "tilt", "both, mean (worst)", "by labels", "p <= 1e-6"),
    )
    return markdown(head, rows)


def robustness_bars() -> str:
    """What was asked for, and what was measured for both marks and for triggers alone."""
    cases = [
        next(c for c in _cases() if (c["dataset"], c["scheme"]) == ("fashion_mnist", scheme))
        for scheme in RECOMMENDED
    ]
    every = "p < 1e-6 in every run"
    bars: list[tuple[str, str, Callable[[dict[str, Any]], str]]] = [
        ("accuracy cost, points", "at most 0.3 mean, 1.0 worst", _cost),
        ("4-bit weights, groups hit", "at least 90 %", _four_bits),
        ("fine-tune, prune, fine-prune, noise", "95 % of groups, mean", _hits),
    ]
    bars += [(name, every, functools.partial(_shown, member=of)) for name, of in _MEMBERS.items()]
    rows = [[name, asked, *(told(case) for case in cases)] for name, asked, told in bars]
    heads = [SCHEMES[scheme].removeprefix("edgewm, ") for scheme in RECOMMENDED]
    return markdown(["int8, thieves within 5 points", "bar", *heads], rows)


def _cost(case: dict[str, Any]) -> str:
    mean, worst = case["cost_points_mean"], case["cost_points_worst"]
    return f"{mean:.2f}, worst {worst:.2f}: {_kept(mean <= 0.3 and worst <= 1.0)}"


def _four_bits(case: dict[str, Any]) -> str:
    said = case["attacks"].get("4-bit weights")
    if said is None:
        return "not run yet"
    mean, worst = said["hit_rate_mean"], said["hit_rate_worst"]
    return f"{mean:.0%}, worst {worst:.0%}: {_kept(worst >= 0.9)}"


def _hits(case: dict[str, Any]) -> str:
    of = [s for a, s in case["attacks"].items() if a.startswith(GENTLE)]
    mean = sum(s["hit_rate_within"] for s in of) / sum(s["within_5_points"] for s in of)
    return f"{mean:.0%}: {_kept(mean >= 0.95)}"


def _shown(case: dict[str, Any], *, member: Callable[[str], bool]) -> str:
    of = [s for a, s in case["attacks"].items() if member(a)]
    runs, shown, by_labels = (
        sum(s[name] for s in of)
        for name in ("within_5_points", "shown_within", "shown_by_labels_within")
    )
    if not runs:
        return "no thief within 5 points" if of else "not run yet"
    return f"{shown} of {runs} (by labels {by_labels}): {_kept(shown == runs)}"


_MEMBERS: dict[str, Callable[[str], bool]] = {
    "fine-tune at the owner's rate or below, prune, fine-prune, noise": lambda attack: (
        attack.startswith(GENTLE) and not attack.endswith("1e-2")
    ),
    "fine-tune at ten times the owner's rate": lambda attack: attack.endswith("1e-2"),
    "clone, hard labels, other data, architecture": lambda attack: attack == "clone, hard labels",
    "clone by other domain or Jacobian queries": lambda attack: (
        attack in ("clone, other domain", "clone, Jacobian queries")
    ),
    "overwrite, filter, invert": lambda attack: (
        attack.startswith(("overwrite", "invert")) or "in front" in attack
    ),
}


def coupled() -> str:
    """Composites of two classes, with and without a coupling loss."""
    return markdown(
        (
            *("64 composites", "taught by", "accuracy", "groups hit"),
            *("log10 p, values", "labels"),
        ),
        [
            (
                row["suspect"],
                f"`{row['scheme']}`" if ":" in row["scheme"] else "-",
                f"{row['accuracy']:.1%}",
                f"{row['groups_hit']} of {row['groups_asked']}",
                f"{row['log10_p']:.1f}",
                f"{row['log10_p_labels']:.1f}",
            )
            for row in load("coupled")["rows"]
        ],
    )


def robustness_controls() -> str:
    """The innocents beside every attack."""
    names = {
        "wrong_key": "the thief's file, another key",
        "unmarked_twin": "the unmarked twin, the owner's key",
        "independent": "an independent network, the owner's key",
    }
    return markdown(
        ("control", "verdicts", "smallest log10 p"),
        [
            (names[name], str(said["rows"]), f"{said['smallest_log10_p']:.1f}")
            for name, said in load("robustness")["summary"]["controls"].items()
        ],
    )


def false_accusations() -> str:
    """Shares of small p-values among innocents."""
    names = {"both": "triggers and tilt", "both, scores": "triggers and tilt, scores"}
    found = load("false_accusations")["summary"]
    alphas = list(next(iter(found.values()))["shares"])
    rows = []
    for scheme, said in found.items():
        cells = []
        for share in said["shares"].values():
            low, high = share["interval"]
            cells.append(f"{share['share']:.4f} [{low:.4f}, {high:.4f}]" if share["share"] else "0")
        rows.append(
            (
                f"{names.get(scheme, scheme)}: {said['models']} models x {said['keys']:,} keys",
                *cells,
                f"{said['smallest_log10_p']:.1f}",
            )
        )
    heads = [f"share of p <= {alpha}" for alpha in alphas]
    return markdown(("innocents [95 %, by key]", *heads, "smallest log10 p"), rows)


def _cases() -> list[dict[str, Any]]:
    return list(load("robustness")["summary"]["cases"])


def _name(attack: str) -> str:
    return "stolen as it is" if attack == NONE else attack


def _worst(said: dict[str, Any] | None) -> str:
    if said is None:
        return "-"
    broken = "" if said["within_5_points"] else ", broken"
    by_labels = f"({said['log10_p_labels_worst']:.1f})"
    return f"{said['hit_rate_worst']:.0%}, {said['log10_p_worst']:.1f} {by_labels}{broken}"


def _kept(reached: bool) -> str:
    return "yes" if reached else "no"


TABLES = {
    "coupled": coupled,
    "robustness": robustness,
    "robustness_attacks": robustness_attacks,
    "robustness_bars": robustness_bars,
    "robustness_controls": robustness_controls,
    "false_accusations": false_accusations,
}
