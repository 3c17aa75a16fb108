"""What a tilt costs, what inherits it, and whom it does not accuse."""

from __future__ import annotations

from typing import Any

from markdown_tables import load, markdown

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
    return markdown(head, rows)


def lean_time() -> str:
    """What leaning costs in training time, given the references."""
    found = load("lean_time")["summary"]
    return markdown(
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
    return markdown((*head, "p <= 1e-6"), rows)


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
    return markdown(
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
    return markdown(
        ("innocents", "alpha", "share of p <= alpha [95 %, by key]", "smallest log10 p"), rows
    )


def _tails(evidence: dict[str, Any]) -> str:
    return f"{evidence['log10_p_median']:.1f} ({evidence['log10_p_worst']:.1f})"


TABLES = {
    "tilt": tilt,
    "lean_time": lean_time,
    "tilt_suspects": tilt_suspects,
    "tilt_queries": tilt_queries,
    "tilt_innocents": tilt_innocents,
}
