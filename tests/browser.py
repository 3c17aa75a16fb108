"""A real headless Chromium, spoken to over its DevTools pipe: what it logged, asked for, showed and printed.

No driver and no port: messages are JSON ended by a zero byte, on descriptors 3 (to the browser) and 4 (from
it). Programs of the distribution are found by their path.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-pipe",
)


@dataclass
class Page:
    """One tab."""

    to_browser: int
    from_browser: int
    session: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    _number: int = 0
    _rest: bytes = b""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol and its result; events on the way are kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self._number:
                assert "error" not in found, found
                return found["result"]
            self.events.append(found)

    def open(self, path: Path) -> None:
        """Load a file; returns once everything in it is loaded."""
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(f"{domain}.enable")
        self.events.clear()
        self.call("Page.navigate", url=path.absolute().as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._next())
        time.sleep(0.1)
        self.value("1")  # what was logged until now has arrived

    def value(self, expression: str) -> Any:
        """What a line of JavaScript gives, run from outside the page."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def complaints(self) -> list[str]:
        """Everything the console, the log or the inspector said."""
        told = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        told += ("Audits.issueAdded",)
        return [json.dumps(e["params"]) for e in self.events if e.get("method") in told]

    def requests(self, page: Path) -> list[str]:
        """Addresses that were asked for, beside the page itself and what it holds inside."""
        asked = [
            e["params"]["request"]["url"]
            for e in self.events
            if e.get("method") == "Network.requestWillBeSent"
        ]
        assert page.absolute().as_uri() in asked, "the events of the network are not seen"
        return [u for u in asked if not u.startswith("data:") and u != page.absolute().as_uri()]

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        done = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(done["data"])

    def pdf(self) -> bytes:
        """The page as it prints, on its own paper."""
        done = self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=False)
        return base64.b64decode(done["data"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self.from_browser, 1 << 16)
            assert more, "chromium ended"
            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        held: dict[str, Any] = json.loads(message)
        return held


@contextlib.contextmanager
def chromium(profile: Path, width: int = 1000, height: int = 1400) -> Iterator[Page]:
    """A browser with one empty page, and an end to it."""
    program = shutil.which("chromium") or "/usr/bin/chromium"
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()

    process = subprocess.Popen(
        [
            "bash",
            "-c",
            f'exec "$0" "$@" 3<&{to_read} 4>&{from_write}',  # where the pipes must be
            program,
            *SWITCHES,
            f"--window-size={width},{height}",
            f"--user-data-dir={profile}",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(to_read, from_write),
    )
    os.close(to_read)
    os.close(from_write)
    page = Page(to_browser=to_write, from_browser=from_read)
    try:
        targets = page.call("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        yield page
    finally:
        process.kill()
        process.wait()
        os.close(to_write)
        os.close(from_read)
