"""Verbs whose files are imported when the verb is used: `verify` pays for nothing that only `demo` needs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LateVerbs(click.Group):
    """A group that knows its verbs by name; each is a function of a file of this folder.

    `verbs` gives file and help of each; a verb is the function of its name, dashes as underscores, with an
    underscore behind it where Python has the name.
    """

    def __init__(self, *, verbs: Mapping[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(**more)
        self._verbs = dict(sorted(verbs.items()))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, in the order of the alphabet."""
        return list(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, its file imported now; None for a name that is none."""
        if cmd_name not in self._verbs:
            return None
        module = importlib.import_module(f"edgewm.cli.{self._verbs[cmd_name][0]}")
        named = "list_" if cmd_name == "list" else cmd_name.replace("-", "_")
        command: click.Command = getattr(module, named)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of verbs, without importing one."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in self._verbs.items()])
