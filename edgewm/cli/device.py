"""``edgewm device VERB``: what is made for devices and what runs as one; a verb's file is imported late."""

from __future__ import annotations

import click

from .late import LateVerbs

_VERBS = {
    "build": ("device_build", "Build firmware around a model for a Cortex-M board."),
    "engine": ("device_engine", "Write an int8 model as C that needs no runtime."),
    "export": ("device_export", "Write what the on-device checker is told of a mark."),
    "run": ("device_build", "Run firmware on an emulated board and keep its line open."),
    "linux-root": ("device_linux", "Unpack a Debian of another processor, with an interpreter."),
}


@click.command(cls=LateVerbs, verbs=_VERBS, no_args_is_help=False)
def device() -> None:
    """Make what a device needs, or stand in for one."""
