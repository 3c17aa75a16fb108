"""The command line: ``edgewm VERB``. One function a verb: parse, call the library, print, exit code.

Verbs are imported when they are used, so that `verify` pays for nothing that only `demo` needs. Every
error of the package is caught here and nowhere else: one line on stderr, exit code 2 (3 where bytes do
not check), never a traceback for bad input.

    0 shown: owned, written, works      1 not shown      2 misuse or bad input      3 does not check
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from .. import __version__
from ..errors import EdgewmError
from .late import LateVerbs

_VERBS = {
    "ask": ("asking", "Write the secret inputs to be asked elsewhere."),
    "attack": ("attacking", "Attack your own .tflite as a thief would."),
    "bench": ("costing", "Say what a verification costs on a device, before anything is built."),
    "chart": ("charting", "Draw the margins or the hits of the owner's own files."),
    "claim": ("recording", "Sign that a key committed to its triggers, before training."),
    "demo": ("tour", "Mark, export, verify, steal and verify again, on real data."),
    "device": ("device", "Make what a device needs, or stand in for one."),
    "disclose": ("disclosing", "Open some groups for a third party, and keep the rest."),
    "dispute": ("disputing", "Say which of two parties was first, from their marks and stamps."),
    "doctor": ("checkup", "Show which runtimes work here, and which boards they answer like."),
    "dossier": ("dossiers", "Bind training data, parameters and graph into a claim; show parts."),
    "export": ("shipping", "Convert a .keras model to TFLite and check its marks."),
    "find": ("hunting", "Find models in files, firmware images and archives inside archives."),
    "inspect": ("costing", "Show MACs, arena and quantisation of a .tflite, layer by layer."),
    "keygen": ("secrets", "Make the owner's key."),
    "list": ("tour", "List plug-ins and targets."),
    "mark": ("marking", "Put marks into a .keras or int8 .tflite that is trained already."),
    "mark-data": ("data_marking", "Mark a training set, and so whatever is trained on it."),
    "record": ("recording", "Add to, check, show or stamp the owner's records."),
    "report": ("reporting", "Write a report on a verification, to read, print and repeat."),
    "scan": ("scanning", "Check every model in files against every mark."),
    "tilt": ("tilting", "Make, show or ask a mark without triggers."),
    "match": ("hunting", "Find your weights where no model is left."),
    "trace": ("tracing", "Issue copies for recipients, and name whose copy leaked."),
    "triggers": ("secrets", "Make or show a set of secret inputs."),
    "verify": ("asking", "Ask a suspect and give a verdict with its error probability."),
}


@click.command(
    cls=LateVerbs, verbs=_VERBS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="edgewm")
def edgewm() -> None:
    """Ownership watermarks for edge neural networks."""


def run(arguments: Sequence[str]) -> int:
    """Run one verb; returns the exit code. Prints what went wrong as one line."""
    try:
        return _invoke(arguments)
    except EdgewmError as error:
        return _say(str(error), error.exit_code)
    except click.ClickException as error:
        verb = getattr(error, "ctx", None)
        return _say(
            f"{error.format_message()} (see {verb.command_path if verb else 'edgewm'} --help)", 2
        )
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted; nothing half-written was left under a final name", 130)
    except OSError as error:
        _give_up_stdout()
        return _say(f"{error.filename or 'output'} cannot be written: {error.strerror}", 2)
    except MemoryError:
        return _say("out of memory; close other programs or ask fewer inputs", 2)


def _invoke(arguments: Sequence[str]) -> int:
    """Not edgewm.main: it adds a line to Ctrl-C and gives a closed pipe exit code 1, "not shown"."""
    try:
        with edgewm.make_context("edgewm", list(arguments) or ["--help"]) as context:
            code = edgewm.invoke(context)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as ended:  # --help and --version
        return ended.exit_code
    except BrokenPipeError:
        _give_up_stdout()
        return 141  # whoever reads stopped reading; 0 would say "owned"


def _give_up_stdout() -> None:
    """Send what is left in its buffer away, or python would fail once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _say(text: str, code: int) -> int:
    click.echo("edgewm: " + " ".join(text.split()), err=True)
    return code
