"""One browser for all tests of a page: what it has fetched stays, what it remembers does not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, Playwright, sync_playwright

SIZE = {"width": 1280, "height": 800}
REMEMBERED = "cookies,local_storage,indexeddb,service_workers,cache_storage,file_systems"


class SharedBrowser:
    """A browser that starts when a test asks for it, and sessions that tests take in turn.

    A page in a fresh session costs twice the processor time: its scripts are fetched and compiled
    anew, and a window is made. So a session is cleaned of cookies, storage and permissions and lent
    again.
    """

    def __init__(self, program: str, flags: Sequence[str], patience_seconds: float) -> None:
        self._program, self._flags, self._patience_seconds = program, flags, patience_seconds
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._free: list[BrowserContext] = []

    def browser(self) -> Browser:
        """Return the browser, started anew where there is none that answers."""
        if self._browser is None or not self._browser.is_connected():
            self.close()
            self._playwright = sync_playwright().start()
            self._browser = self._playwright.chromium.launch(
                executable_path=self._program, args=list(self._flags)
            )
        return self._browser

    def close(self) -> None:
        """End the browser and what drives it; nothing where it does not run."""
        self._free.clear()
        with contextlib.suppress(Error):
            if self._browser is not None:
                self._browser.close()
        if self._playwright is not None:
            self._playwright.stop()
        self._browser = self._playwright = None

    @contextlib.contextmanager
    def session(self, permissions: Sequence[str] = (), **options: Any) -> Iterator[BrowserContext]:
        """Lend a session that remembers nothing; one with options of its own is made and closed."""
        browser = self.browser()
        if options or not self._free:
            context = browser.new_context(viewport=SIZE, **options)
            context.set_default_timeout(self._patience_seconds * 1000)
            context.new_page()  # it keeps the window, which each first page would have made anew
        else:
            context = self._free.pop()
        context.grant_permissions(list(permissions))
        try:
            yield context
        finally:
            if options or not _forgets(context):
                context.close()
            else:
                self._free.append(context)


def _forgets(context: BrowserContext) -> bool:
    """Close a session's pages and clear what it remembers; False where it is not there any more."""
    try:
        first, *others = context.pages
        for page in others:
            page.close()
        context.clear_permissions()
        devtools = context.new_cdp_session(first)
        devtools.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": REMEMBERED})
        devtools.detach()
    except (Error, ValueError):
        return False
    return True
