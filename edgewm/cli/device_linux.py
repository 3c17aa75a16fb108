"""``edgewm device linux-root``: the one command behind the runtimes qemu_aarch64 and qemu_arm."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("linux-root")
@click.option(
    "--arch", type=click.Choice(("arm64", "armhf")), required=True, help="64-bit ARM, or 32-bit."
)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder to make.")
@click.option("--mirror", default=None, help="Debian mirror, if not deb.debian.org.")
@click.option("--json", "as_json", is_flag=True, help="Print what was unpacked as one JSON object.")
def linux_root(*, arch: str, out: Path, mirror: str | None, as_json: bool) -> None:
    """Download and unpack a Debian root with the official wheels, then have it answer once.

    Needs no rights and changes nothing outside the folder. Then: edgewm verify ... --on
    qemu_aarch64:root=FOLDER (or qemu_arm).
    """
    from .. import spec
    from ..linux_root import MIRROR, make_root
    from .tour import steps

    name = {"arm64": "qemu_aarch64", "armhf": "qemu_arm"}[arch]
    with steps(visible=not as_json) as say:
        facts = make_root(arch, out, mirror=mirror or MIRROR, say=say)
        say("asking it the probe")
        runtime = spec.load("runtimes", name)(root=str(out))
        child = runtime.start()
        arithmetic = child.arithmetic()
        child.close()
    answered = {"runtime": spec.spell(runtime), "version": child.version, "arithmetic": arithmetic}
    if as_json:
        click.echo(json.dumps({**facts, **answered}))
        return
    click.echo(f"made {out}: {child.version}, arithmetic {arithmetic}; use --on {name}:root={out}")
