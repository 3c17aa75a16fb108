"""edgewm: ownership watermarks for edge neural networks.

    key = edgewm.new_key()
    triggers = edgewm.make_triggers(key, shape=(28, 28, 1), classes=10)
    model.fit(x, y, callbacks=[edgewm.Mark(triggers=triggers, key=key)])
    artifact = edgewm.export(model, x, path="model.tflite", triggers=triggers, key=key)
    verdict = edgewm.verify("suspect.tflite", triggers=triggers, key=key)

Names are imported when they are used (PEP 562): verifying never imports TensorFlow, and importing this
package imports nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .artifact import Artifact
    from .errors import BadInput, DoesNotCheck, EdgewmError, ModelRefused, RuntimeUnavailable
    from .exporting import Converter, export
    from .finding import find
    from .key import Key, load_key, new_key, save_key
    from .matching import match_weights, read_owned
    from .parts import make_output_triggers
    from .patterns import make_triggers
    from .questioning import Run
    from .schemes.lean import Lean
    from .schemes.mark import Mark
    from .schemes.mark_outputs import MarkOutputs
    from .selection import commit_selection, select_groups
    from .tilt import Tilt, load_tilt, save_tilt
    from .triggers import Triggers, load_triggers, save_triggers
    from .undecided import make_tilt
    from .verdict import Verdict
    from .verification import verify

__version__ = "0.1.0"

_HOME = {
    "Artifact": "artifact",
    "BadInput": "errors",
    "Converter": "exporting",
    "DoesNotCheck": "errors",
    "EdgewmError": "errors",
    "Key": "key",
    "Lean": "schemes.lean",
    "Mark": "schemes.mark",
    "MarkOutputs": "schemes.mark_outputs",
    "ModelRefused": "errors",
    "Run": "questioning",
    "RuntimeUnavailable": "errors",
    "Tilt": "tilt",
    "Triggers": "triggers",
    "Verdict": "verdict",
    "commit_selection": "selection",
    "export": "exporting",
    "find": "finding",
    "load_key": "key",
    "load_tilt": "tilt",
    "load_triggers": "triggers",
    "make_output_triggers": "parts",
    "make_tilt": "undecided",
    "make_triggers": "patterns",
    "match_weights": "matching",
    "new_key": "key",
    "read_owned": "matching",
    "save_key": "key",
    "save_tilt": "tilt",
    "save_triggers": "triggers",
    "select_groups": "selection",
    "verify": "verification",
}

__all__ = [
    "Artifact",
    "BadInput",
    "Converter",
    "DoesNotCheck",
    "EdgewmError",
    "Key",
    "Lean",
    "Mark",
    "MarkOutputs",
    "ModelRefused",
    "Run",
    "RuntimeUnavailable",
    "Tilt",
    "Triggers",
    "Verdict",
    "commit_selection",
    "export",
    "find",
    "load_key",
    "load_tilt",
    "load_triggers",
    "make_output_triggers",
    "make_tilt",
    "make_triggers",
    "match_weights",
    "new_key",
    "read_owned",
    "save_key",
    "save_tilt",
    "save_triggers",
    "select_groups",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'edgewm' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"edgewm.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
