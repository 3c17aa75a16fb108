"""``edgewm device VERB``: what is made for devices and what runs as one; a verb's file is imported late."""

from __future__ import annotations

import importlib

import click

_VERBS = {
    "build": ("device_build", "Build firmware around a model for a Cortex-M board."),
    "engine": ("device_engine", "Write an int8 model as C that needs no runtime."),
    "run": ("device_build", "Run firmware on an emulated board and keep its line open."),
    "linux-root": ("device_linux", "Unpack a Debian of another processor, with an interpreter."),
}


class _Verbs(click.Group):
    """Imports a verb's file only when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"edgewm.cli.{_VERBS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in sorted(_VERBS.items())])


@click.command(cls=_Verbs, no_args_is_help=False)
def device() -> None:
    """Make what a device needs, or stand in for one."""
