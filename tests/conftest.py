"""What every test shares: one line of settings, and files that are pinned for ever."""

from __future__ import annotations

import os

# A passphrase of the person who runs the tests must not open or lock a test's key.
os.environ.pop("EDGEWM_PASSPHRASE", None)
