"""The documents lead to what is there: links, headings, paths of code, lists of what exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from comparator.cli.main import app
from runners import protocol

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
DECISIONS = DOCS / "decisions"
PAGES = sorted(
    [*(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
     *DOCS.rglob("*.md")]
)  # fmt: skip
NAMES = [page.relative_to(REPOSITORY).as_posix() for page in PAGES]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
PATH = re.compile(r"`((?:runners|comparator|tests|scripts|benchmarks|docs|spaces)/[\w./-]+)")
INLINE = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"(?:\$ )?(?:\.venv/bin/)?comparator (.+)$")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def links_of(page: Path) -> list[str]:
    """Return where a page's links lead that stay in the repository."""
    targets = LINK.findall(CODE.sub("", page.read_text("utf-8")))
    return [target for target in targets if "://" not in target]


def led_to(page: Path, target: str) -> Path:
    """Return the file that a relative link means; for ``#heading`` alone the page itself."""
    path = target.partition("#")[0]
    return (page.parent / path).resolve() if path else page


def anchors_of(page: Path) -> set[str]:
    """Return what GitHub makes of a page's headings: small, spaces as hyphens, no punctuation."""
    titles = HEADING.findall(CODE.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_to_a_file_and_a_heading_of_it(name: str) -> None:
    page = REPOSITORY / name
    missing = [link for link in links_of(page) if not led_to(page, link).exists()]
    assert not missing, f"{name} leads to what is not there: {missing}"
    headings = [link for link in links_of(page) if "#" in link]
    lost = [
        link for link in headings if link.partition("#")[2] not in anchors_of(led_to(page, link))
    ]
    assert not lost, f"{name} leads to headings that are not there: {lost}"


def test_every_page_can_be_reached_from_readme() -> None:
    reached: set[Path] = set()
    waiting = [REPOSITORY / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        waiting += [led_to(page, link) for link in links_of(page)]
    lost = [page.relative_to(REPOSITORY).as_posix() for page in PAGES if page not in reached]
    assert not lost, f"no link leads to {lost}: README's 'Where to read on' is the index"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CHANGELOG.md"])  # history
def test_every_path_of_ours_that_a_page_names_is_there(name: str) -> None:
    named = set(PATH.findall((REPOSITORY / name).read_text("utf-8")))
    missing = sorted(path for path in named if not (REPOSITORY / path.rstrip(".")).exists())
    assert not missing, f"{name} names what is not there: {missing}"


def test_every_decision_has_its_line_in_the_index() -> None:
    lines = (DECISIONS / "README.md").read_text("utf-8").splitlines()
    expected = []
    for page in sorted(DECISIONS.glob("[0-9]*.md")):
        title = page.read_text("utf-8").splitlines()[0].removeprefix("# ")
        expected.append(f"| {page.name[:4]} | [{title}]({page.name}) |")
    assert [line for line in lines if re.match(r"\| \d", line)] == expected


def test_the_drawing_of_a_run_names_messages_of_the_protocol() -> None:
    page = (DOCS / "life-of-a-run.md").read_text("utf-8")
    told = set(re.findall(r"`([A-Z][A-Za-z]+)`", page))
    drawn = set(re.findall(r"C-->>P: ([A-Z]\w+)", page))
    finals = {kind.__name__ for kind in protocol.FINAL}
    assert {"Hello", "Token", *finals} <= told
    assert drawn
    for name in told | drawn:
        assert hasattr(protocol, name), f"there is no message {name}"


def test_contributing_names_every_folder_of_the_code() -> None:
    page = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
    parts = {
        f"{package}/{folder.name}"
        for package in ("comparator", "runners")
        for folder in (REPOSITORY / package).iterdir()
        if (folder / "__init__.py").is_file()
    }
    missing = sorted(
        part for part in parts if f"`{part}`" not in page and f"`{Path(part).name}/`" not in page
    )
    assert not missing, f"CONTRIBUTING does not say what is in {missing}"


def commands_of(page: Path) -> Iterator[list[str]]:
    """Yield the words behind ``comparator`` of each command that a page tells to type."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    lines = [line for block in CODE.findall(text) for line in block.splitlines()]
    for told in (*lines, *INLINE.findall(CODE.sub("", text))):
        if found := COMMAND.match(told.strip()):
            yield found[1].split("#")[0].split()


def options_of(words: list[str]) -> set[str]:
    """Return the options of a command, or of a group of them; there has to be one."""
    command: Any = get_command(app)
    for word in words:
        if not hasattr(command, "commands_known"):
            break
        command = command.get_command(None, word)
        assert command is not None, f"there is no command {word}"
    return {"--help", *(option for one in command.params for option in one.opts)}


@pytest.mark.parametrize("name", NAMES)
def test_every_command_that_a_page_tells_is_there_with_its_options(name: str) -> None:
    for words in commands_of(REPOSITORY / name):
        if not words or words[0].startswith("-") or words[0] == "COMMAND":
            continue
        asked = {word.strip("[](),.|…").partition("=")[0] for word in words if "-" in word[:2]}
        asked = {word for word in asked if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        assert asked <= options_of(words), f"{name} tells 'comparator {' '.join(words)}'"
