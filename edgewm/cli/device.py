"""``edgewm device``: what runs on a board. A file a verb; this lists them."""

from __future__ import annotations

import click

from .device_engine import engine


@click.group(no_args_is_help=False)
def device() -> None:
    """Write what runs on a board."""


device.add_command(engine)
