"""The errors edgewm raises, and the exit code each one gives the command line.

One root, caught in one place (`edgewm.cli`). A message is one line that says which argument, what was
got, what was expected and what to do; nothing below this root ever reaches a user as a traceback.

    EdgewmError                 exit code 2
    |- BadInput                 2   an argument, a file or a model that cannot be used
    |- RuntimeUnavailable       2   an interpreter that is not installed or cannot run on this machine
    |- ModelRefused             2   an interpreter that is installed and does not run this file
    `- DoesNotCheck             3   a digest, key, signature or record that does not check
       `- Copied                3   a claim whose signer is not the one that its commitment names
"""

from __future__ import annotations


class EdgewmError(Exception):
    """Root of every error that edgewm raises on purpose. Never raised directly."""

    exit_code = 2


class BadInput(EdgewmError):
    """An argument, a file or a model that cannot be used as given."""


class RuntimeUnavailable(EdgewmError):
    """A runtime that is not installed, or not for this machine."""


class ModelRefused(EdgewmError):
    """A runtime that works here and does not run this file; the text is the runtime's own reason.

    `how` says how it ended: refused, crashed, timed_out, out_of_memory, or bad_reply.
    """

    def __init__(self, text: str, *, how: str = "refused") -> None:
        super().__init__(text)
        self.how = how


class DoesNotCheck(EdgewmError):
    """Bytes that are not the bytes that were committed to."""

    exit_code = 3


class Copied(DoesNotCheck):
    """A well-signed claim of a commitment that itself names another claimant."""
