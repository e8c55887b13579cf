"""The browser that tests of pages share: what it forgets between two of them."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.ui.conftest import Server, chromium

PERMISSION = "navigator.permissions.query({ name: 'clipboard-read' }).then((one) => one.state)"
REMEMBER = """async () => {
  localStorage.setItem("a", "b");
  sessionStorage.setItem("a", "b");
  document.cookie = "a=b; max-age=600";
  await new Promise((done) => { indexedDB.open("a").onsuccess = done; });
}"""
REMEMBERED = """async () => [
  localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length]
"""


def _plain(page: Page, server: Server) -> Page:
    page.goto(f"{server.url}no such address")  # of the same origin, without the page's scripts
    return page


def test_a_session_that_is_lent_again_remembers_nothing(server: Server) -> None:
    with chromium.session(["clipboard-read"]) as first:
        page = _plain(first.new_page(), server)
        page.evaluate(REMEMBER)
        assert page.evaluate(REMEMBERED) == [1, 1, "a=b", 1]
        assert page.evaluate(PERMISSION) == "granted"
    with chromium.session() as again:
        assert again is first
        assert len(again.pages) == 1
        page = _plain(again.new_page(), server)
        assert page.evaluate(REMEMBERED) == [0, 0, "", 0]
        assert page.evaluate(PERMISSION) != "granted"


def test_two_sessions_at_once_are_two_and_one_that_was_closed_is_not_lent_again() -> None:
    with chromium.session() as first, chromium.session() as second:
        assert first is not second
        first.close()
    with chromium.session() as again, chromium.session() as another:
        assert first not in (again, another)
