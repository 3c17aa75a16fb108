"""The tables of README.md and docs/, generated from benchmarks/results/*.json; a test holds them equal.

    python benchmarks/readme_tables.py           rewrite the documents
    python benchmarks/readme_tables.py --check   exit code 1 when one would change

A table stands between ``<!-- table NAME -->`` and ``<!-- end NAME -->``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parent.parent
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "tilt.md")


def load(name: str) -> dict[str, Any]:
    """One result file."""
    held: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return held


def demo() -> str:
    """What `edgewm demo` printed, from the rows it left."""
    held = load("digits_demo")
    first = held["summary"]["shown_seed"]
    rows = [row for row in held["rows"] if row["seed"] == first and "runtime" in row]
    lines = [_line(("suspect", "runtime", "arithmetic", "accuracy", "hit", "log10 p", "verdict"))]
    before = ""
    for row in rows:
        name = row["suspect"] if row["suspect"] != before else ""
        before = row["suspect"]
        lines.append(
            _line(
                (
                    name,
                    row["runtime"],
                    row["arithmetic"],
                    f"{row['accuracy']:.1%}",
                    f"{row['groups_hit']}/{row['groups_asked']}",
                    f"{row['log10_p']:.1f}",
                    "OWNED" if row["owned"] else "not shown",
                )
            )
        )
    return "```\n" + "\n".join(lines) + "\n```"


def digits() -> str:
    """The digits demo over several seeds."""
    summary = load("digits_demo")["summary"]
    return _markdown(
        ("digits, int8, small CNN", "measured", "bar"),
        [
            ("seeds", str(summary["seeds"]), ""),
            (
                "accuracy against the unmarked twin, mean (worst)",
                f"{summary['mean_difference_points']:+.2f} "
                f"({summary['worst_difference_points']:+.2f}) points",
                "within 1 point",
            ),
            (
                "marked: groups hit, worst runtime and seed",
                f"{summary['marked_worst_groups_hit']}/{summary['groups']}",
                f"{summary['groups']}/{summary['groups']}",
            ),
            (
                "controls `owned` (unmarked twin, wrong key)",
                f"{summary['controls_owned']} of {summary['controls']}",
                "0",
            ),
            ("wall time of one demo", f"{summary['wall_s_median']:.0f} s", "120 s"),
        ],
    )


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
    return _markdown(head, rows)


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
    return _markdown(("worst case's mean (worst seed)", *(f"`{r}`" for r in runtimes)), rows)


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
    return _markdown(head, rows)


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
    return _markdown(("time, marked / unmarked", "a marked epoch", "a training"), rows)


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
    return _markdown(("cost of a verdict", "measured", "bar"), rows)


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
    return f"{_markdown(head, lines)}\n\n{every}."


def records() -> str:
    """What a ledger survives, how fast it checks, and whether changed bytes are noticed."""
    crash = load("ledger_crash")["summary"]
    held = load("record_checks")
    changed = sum(row["changes"] for row in held["rows"])
    refused = sum(row["refused"] for row in held["rows"])
    what = ", ".join(row["what"] for row in held["rows"])
    return _markdown(
        ("records", "measured", "bar"),
        [
            (
                f"{crash['kills']} kill -9 while {crash['writers']} processes append: acknowledged "
                "records lost",
                f"{crash['lost']} of {crash['acknowledged']:,}",
                "0",
            ),
            (
                f"`edgewm record check` on {held['summary']['records']:,} records",
                f"{held['summary']['check_s']:.1f} s",
                "10 s",
            ),
            (
                f"one changed byte ({what}): refused",
                f"{refused:,} of {changed:,}",
                f"{changed:,}",
            ),
        ],
    )


def hunt() -> str:
    """What finding and matching cost, and what they get wrong."""
    found, matched = load("find_speed"), load("match_speed")
    whole, pairs = found["summary"], matched["summary"]
    rows = [
        (
            f"`find`, {found['settings']['mib']} MiB of {row['kind']}, against `grep -c TFL3`",
            f"{row['find_s']:.2f} s / {row['grep_s']:.2f} s = {row['ratio']:.2f}",
            f"at most {whole['bar_ratio']:.0f}",
        )
        for row in found["rows"]
    ]
    rows += [
        ("its memory", f"{whole['largest_memory_mib']:.0f} MiB", f"{whole['bar_memory_mib']} MiB"),
        ("models in those files that are none", f"{whole['false_models']}", "0"),
        (
            f"`match`, {matched['settings']['mib']} MiB, {matched['settings']['owners']} models",
            f"{pairs['seconds']:.1f} s",
            f"{pairs['bar_seconds']:.0f} s",
        ),
        (
            "its memory, coverage of the model that is in there",
            f"{pairs['memory_mib']:.0f} MiB, {pairs['coverage_of_the_hidden_one']:.0%}",
            "100%",
        ),
        (
            "pairs of different models with one window in common",
            f"{pairs['wrong_pairs_with_a_window']} of {pairs['wrong_pairs']}",
            "0",
        ),
    ]
    return _markdown(("finding and matching", "measured", "bar"), rows)


SUSPECTS = {
    "leaned": "stolen file",
    "clone": "clone: hard labels, another architecture, other pictures",
    "finetuned": "copied file, fine-tuned with 20 % fresh labels",
    "clone_same": "clone of the owner's architecture",
    "clone_cifar10": "clone by CIFAR-10 in grey",
    "clone_digits": "clone by digits",
    "clone_again": "clone of the clone",
    "clean": "unmarked twin (control)",
    "wrong_key": "stolen file, another key (control)",
}
TILT_DATA = {"fashion_mnist": "Fashion-MNIST", "speech_commands": "Speech Commands"}


def tilt() -> str:
    """The tilt in a few lines: what it costs and what inherits it."""
    rows = []
    for name, found in load("tilt")["summary"].items():
        low, high = found["interval_points"]
        suspects = found["suspects"]
        rows.append(
            (
                f"{TILT_DATA[name]}, {found['pairs']} pairs",
                f"{found['accuracy_difference_points']:+.2f} [{low:+.2f}, {high:+.2f}]",
                *(_tails(suspects[s]["all_queries"]) for s in ("leaned", "clone", "finetuned")),
                _tails(suspects["clean"]["all_queries"]),
            )
        )
    head = (
        *("int8, log10 p: median (worst)", "accuracy, points [95 %]", "stolen file"),
        *("clone, another architecture", "fine-tuned", "unmarked twin"),
    )
    return _markdown(head, rows)


def lean_time() -> str:
    """What leaning costs in training time, given the references."""
    found = load("lean_time")["summary"]
    return _markdown(
        ("training time", "measured", "bar"),
        [
            (
                "an epoch of `Lean` beside an ordinary one, 1 / 4 references",
                f"{found['one_reference_epoch_ratio']:.2f} / {found['four_epoch_ratio']:.2f}",
                "",
            ),
            (
                f"{found['lean_epochs']} such epochs beside {found['unmarked_epochs']} ordinary ones",
                f"{found['lean_over_training']:.2f}",
                "1.2",
            ),
        ],
    )


def tilt_suspects() -> str:
    """Every suspect of every data set."""
    rows = []
    for name, found in load("tilt")["summary"].items():
        for suspect, said in found["suspects"].items():
            evidence = said["all_queries"]
            rows.append(
                (
                    f"{TILT_DATA[name]}: {SUSPECTS[suspect]}",
                    str(evidence["pairs"]),
                    f"{said['accuracy']:.1%}",
                    f"{evidence['z_median']:.1f} ({evidence['z_worst']:.1f})",
                    _tails(evidence),
                    f"{evidence['owned']} of {evidence['pairs']}",
                )
            )
    head = ("suspect", "pairs", "accuracy", "z, median (worst)", "log10 p, median (worst)")
    return _markdown((*head, "p <= 1e-6"), rows)


def tilt_queries() -> str:
    """How evidence grows with the natural inputs that are asked."""
    rows = []
    for name, found in load("tilt")["summary"].items():
        for suspect in ("leaned", "clone"):
            said = found["suspects"][suspect]
            fewer = {named: _tails(e) for named, e in said["fewer_queries"].items()}
            whole = said["all_queries"]
            rows.append(
                (
                    f"{TILT_DATA[name]}: {SUSPECTS[suspect]}",
                    *fewer.values(),
                    f"{_tails(whole)} of {whole['queries_median']:.0f}",
                    f"{_tails(said['sequential'])} after {said['sequential']['queries_median']:.0f}",
                )
            )
    return _markdown(
        ("log10 p by natural inputs asked", "500", "1,000", "2,000", "all", "sequential"), rows
    )


def tilt_innocents() -> str:
    """Shares of small p-values among networks that no key marked."""
    rows = []
    for name, found in load("tilt")["summary"].items():
        innocent = found.get("innocents")
        if innocent is None:
            continue
        for alpha, share in innocent["shares"].items():
            low, high = share["interval"]
            rows.append(
                (
                    f"{TILT_DATA[name]}: {innocent['keys']:,} keys x {len(innocent['models'])} networks",
                    alpha,
                    f"{share['share']:.4f} [{low:.4f}, {high:.4f}]",
                    f"{innocent['smallest_log10_p']:.1f}",
                )
            )
    return _markdown(
        ("innocents", "alpha", "share of p <= alpha [95 %, by key]", "smallest log10 p"), rows
    )


def _tails(evidence: dict[str, Any]) -> str:
    return f"{evidence['log10_p_median']:.1f} ({evidence['log10_p_worst']:.1f})"


def clones() -> str:
    """What `edgewm demo` printed of the clone."""
    rows = [
        (
            row["suspect"],
            f"{row['accuracy']:.1%}",
            f"{row['groups_hit']}/{row['groups_asked']}",
            f"{row['triggers_log10_p']:.1f}",
            f"{row['tilt_z']:.1f}",
            f"{row['tilt_log10_p']:.1f}",
            "OWNED" if row["owned_if_stamped"] else "not shown",
        )
        for row in load("digits_demo")["summary"]["clone"]
    ]
    head = ("suspect", "accuracy", "triggers hit", "log10 p", "tilt z", "log10 p", "stamped claim")
    return _markdown(head, rows)


TABLES: dict[str, Callable[[], str]] = {
    "clones": clones,
    "corruptions": corruptions,
    "cost": cost,
    "demo": demo,
    "digits": digits,
    "formats": formats,
    "records": records,
    "hunt": hunt,
    "lean_time": lean_time,
    "survival": survival,
    "thieves": thieves,
    "tilt": tilt,
    "tilt_innocents": tilt_innocents,
    "tilt_queries": tilt_queries,
    "tilt_suspects": tilt_suspects,
    "training_time": training_time,
}


def filled(text: str) -> str:
    """A document with every table made anew whose place it has."""
    for name in re.findall(r"<!-- table (\w+) -->", text):
        start, end = f"<!-- table {name} -->", f"<!-- end {name} -->"
        pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
        made = f"{start}\n{TABLES[name]()}\n{end}"
        text = pattern.sub(lambda _, made=made: made, text)  # type: ignore[misc]
    return text


def main() -> int:
    """Rewrite or check the documents."""
    changed = 0
    texts = [path.read_text(encoding="utf-8") for path in DOCUMENTS]
    for name in TABLES:
        if not any(f"<!-- table {name} -->" in text for text in texts):
            raise SystemExit(f"no document has a place for the table {name}")
    for path, now in zip(DOCUMENTS, texts, strict=True):
        new = filled(now)
        if "--check" in sys.argv[1:]:
            if new != now:
                print(
                    f"{path.name} differs from benchmarks/results: run benchmarks/readme_tables.py"
                )
            changed |= int(new != now)
        else:
            path.write_text(new, encoding="utf-8")
    return changed


def _line(parts: Sequence[str]) -> str:
    widths = (10, 24, 11, 9, 7, 8, 10)
    aligned = [
        part.rjust(width) if 3 <= at <= 5 else part.ljust(width)
        for at, (part, width) in enumerate(zip(parts, widths, strict=True))
    ]
    return " ".join(aligned).rstrip()


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " --: |" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
