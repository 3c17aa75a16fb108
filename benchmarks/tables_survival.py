"""What triggers cost and survive, and what a verdict costs."""

from __future__ import annotations

from typing import Any

from markdown_tables import load, markdown


def survival() -> str:
    """What marks cost, and whether they are all there in every format."""
    rows = []
    for case in load("survival")["summary"]["cases"]:
        low, high = case["interval_points"] or (float("nan"), float("nan"))
        marked = case["marked"]
        rows.append(
            (
                _case(case),
                str(case["pairs"]),
                f"{case['unmarked_accuracy']:.1%}",
                f"{case['accuracy_difference_points']:+.2f} [{low:+.2f}, {high:+.2f}]",
                f"{marked['hit_rate_mean']:.1%} ({marked['hit_rate_worst']:.1%})",
                f"{marked['log10_p_worst']:.0f}",
            )
        )
    head = (
        "64 groups, worst runtime and format",
        "pairs",
        "unmarked",
        "points against the twin, mean [95 %]",
        "groups hit, mean (worst)",
        "weakest log10 p",
    )
    return markdown(head, rows)


def formats() -> str:
    """Groups hit by format and runtime, over all networks of the default scheme."""
    cases = [c for c in load("survival")["summary"]["cases"] if c["scheme"] == "robust"]
    runtimes = list(cases[0]["formats"]["int8"])
    rows = []
    for format in cases[0]["formats"]:
        found = [[case["formats"][format].get(r) for case in cases] for r in runtimes]
        cells = [
            "cannot run it"
            if None in of_cases
            else f"{min(f['hit_rate_mean'] for f in of_cases):.1%} "
            f"({min(f['hit_rate_worst'] for f in of_cases):.1%})"
            for of_cases in found
        ]
        rows.append((f"`{format}`", *cells))
    return markdown(("worst case's mean (worst seed)", *(f"`{r}`" for r in runtimes)), rows)


def thieves() -> str:
    """What is left after fine-tuning and pruning, beside the plain scheme."""
    rows = []
    for case in load("survival")["summary"]["cases"]:
        cells = []
        for found in case["thieves"].values():
            cells += [
                f"{found['accuracy']:.1%}",
                f"{found['hit_rate_mean']:.0%} ({found['hit_rate_worst']:.0%})",
                f"{found['owned']} of {found['verdicts']}",
            ]
        rows.append((_case(case), *cells))
    head = ["after int8 again"]
    for thief in ("fine-tuned", "pruned by half", "constant rate (first seed)"):
        head += [f"{thief}: accuracy", "groups hit, mean (worst)", "owned, unstamped"]
    return markdown(head, rows)


def training_time() -> str:
    """What teaching a mark adds."""
    held = load("training_time")
    rows = [
        (
            f"{model}, `{scheme}`",
            f"{found['marked_epoch_ratio']:.2f}",
            f"{found['training_ratio']:.2f}",
        )
        for model, schemes in held["summary"].items()
        for scheme, found in schemes.items()
    ]
    return markdown(("time, marked / unmarked", "a marked epoch", "a training"), rows)


def _case(case: dict[str, Any]) -> str:
    names = {"fashion_mnist": "Fashion-MNIST", "ds_cnn": "DS-CNN", "resnet8": "ResNet-8"}
    dataset, model = (names.get(case[part], case[part]) for part in ("dataset", "model"))
    return f"{dataset}, {model}, `{case['pattern']}`, `{case['scheme']}`"


def cost() -> str:
    """What a verification costs."""
    time, sequential = load("verify_time")["summary"], load("sequential")["summary"]
    rows = [
        (
            "`edgewm verify`, 64 inputs, isolation on, against a bare script",
            f"{time['verify_median_s']:.2f} s / {time['bare_median_s']:.2f} s "
            f"= {time['ratio_of_medians']:.2f}",
            "at most 1.5",
        )
    ]
    for classes, groups in sequential["groups_to_1e6"].items():
        rows.append(
            (
                f"groups until a perfect mark reaches 1e6 (sequential, M = {classes})",
                str(groups["measured"]),
                str(groups["bar"]),
            )
        )
    return markdown(("cost of a verdict", "measured", "bar"), rows)


OUTCOMES = {
    "answered": "answered",
    "refused": "refused",
    "refused_by_edgewm": "refused by edgewm",
    "refused_by_runtime": "refused by the interpreter",
    "crashed": "worker ended, reported",
    "timed_out": "time limit, reported",
}
"""Kinds of `corruptions.json`; the first recording did not say who refused, nor crash from time limit."""


def corruptions() -> str:
    """What became of files with one changed byte."""
    held = load("corruptions")
    rows = held["rows"]
    kinds = [kind for kind in OUTCOMES if any(kind in row for row in rows)]
    lost = held["summary"]["without_an_outcome"]
    head = ("one byte of a model changed", *(OUTCOMES[kind] for kind in kinds), "slowest")
    lines = [
        (
            f"{row['tries']:,} files on {row['runtime']}",
            *(f"{row.get(kind, 0):,}" for kind in kinds),
            f"{row['slowest_s']:.1f} s",
        )
        for row in rows
    ]
    every = f"Of {held['summary']['tries']:,} files, {lost} ended without an outcome"
    return f"{markdown(head, lines)}\n\n{every}."


TABLES = {
    "survival": survival,
    "formats": formats,
    "thieves": thieves,
    "training_time": training_time,
    "cost": cost,
    "corruptions": corruptions,
}
