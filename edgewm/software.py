"""Which software is installed here, as JSON: what a training has to be repeated with."""

from __future__ import annotations

import platform
from importlib import metadata

from .sealed_file import json_bytes


def software_versions() -> bytes:
    """JSON of the Python, the system and the version of every installed distribution."""
    packages = {held.name: held.version for held in metadata.distributions() if held.name}
    return json_bytes(
        {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "packages": packages,
        }
    )
