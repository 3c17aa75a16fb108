"""What finding and matching cost, and what they get wrong."""

from __future__ import annotations

from markdown_tables import load, markdown


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
    return markdown(("finding and matching", "measured", "bar"), rows)


TABLES = {
    "hunt": hunt,
}
