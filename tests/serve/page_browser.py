"""A browser for tests of the page: its microphone hears a voice, and what it asks for and complains about is kept."""

from __future__ import annotations

import shutil
import time

import httpx

from tests.conftest import BROWSERS
from tests.serve.talker import PATIENCE

MS = 1000 * PATIENCE
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def launch(playwright, *arguments):
    """A headless Chromium."""
    path = next(filter(None, map(shutil.which, BROWSERS)))
    return playwright.chromium.launch(executable_path=path, args=[*QUIET, *arguments])


class Visit:
    """The page in a window of its own, and what a test does there."""

    def __init__(self, browser, server, **context):
        self.server = server
        self.context = browser.new_context(accept_downloads=True, **context)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._hear)

    def _hear(self, line) -> None:
        if line.type == "error" and "404" not in line.text:  # what the server does not have, the page hides
            self.faults.append(line.text)

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.server.url}/{query}")
        self.page.wait_for_selector("#talk, #problem")

    def close(self) -> None:
        """Leave; a page that is closed hangs up."""
        self.context.close()
        assert self.faults == []
        assert all(url.startswith((self.server.url, "blob:", "data:")) for url in self.asked), self.asked
        end = time.monotonic() + PATIENCE
        while httpx.get(f"{self.server.url}/health").json()["sessions"]:
            assert time.monotonic() < end

    def reach(self, state: str) -> None:
        self.page.wait_for_function("state => document.body.dataset.state === state", arg=state, timeout=MS)

    def wait(self, condition: str, arg=None) -> None:
        self.page.wait_for_function(condition, arg=arg, timeout=MS)

    def talk(self) -> None:
        self.page.click("#talk")
        self.reach("live")

    def received(self, more: int) -> None:
        """Wait for so many more frames from the server."""
        count = "() => Number((document.getElementById('frames')?.textContent ?? '/0').split('/')[1])"
        now = self.page.evaluate(count)
        self.wait(f"least => ({count})() >= least", now + more)

    def level(self, side: str, above: int) -> None:
        self.wait("([id, above]) => Number(document.getElementById(id).ariaValueNow) > above", [f"{side}-meter", above])

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)
