"""promptfoo's file of an evaluation: prompts times tests.

Format: https://www.promptfoo.dev/docs/configuration/reference/. What is known here is read as
promptfoo does; what would change what is asked or graded is refused by name; the rest is noted.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.assertions.findings import quoted
from comparator.evaluation.suite_files import bounds, templates
from comparator.evaluation.suite_files.items import FileRow
from comparator.evaluation.suite_files.notes import Notes

_THE_PROMPT = "{{prompt}}"  # promptfoo's own where a file has no prompts
_FILE = re.compile(r"(?:file|huggingface|langfuse|portkey|helicone)://", re.IGNORECASE)
_FILE_NAME = re.compile(r"\S+\.(?:txt|jsonl?|ya?ml|csv|md|j2|py|[cm]?[jt]s|xlsx?)", re.I)

_TOP = ("prompts", "tests", "defaultTest", "description", "assertionTemplates")
_TEMPLATES = "#/assertionTemplates/"
_TOP_REFUSED = {
    "scenarios": "write their tests as tests",
    "nunjucksFilters": "filters of one's own are programs",
    "redteam": "attacks are not made up here",
}
_TOP_NOTED = {
    "providers": "models are named on the command line or on the page",
    "targets": "models are named on the command line or on the page",
    "evaluateOptions": "repeats and batches are set with the run",
    "outputPath": "reports are written by comparator suite report",
}
_DEFAULT_TEST = ("vars", "assert", "options")
_TEST = (*_DEFAULT_TEST, "description")
_PROMPT = ("raw", "label", "id")
_TEST_REFUSED = {
    "providerOutput": "each model answers itself here",
    "assertScoringFunction": "an answer passes where all its assertions do",
    "prompts": "each test is asked with each prompt",
}
_TEST_NOTED = {
    "threshold": "an answer passes where all its assertions do",
    "provider": "each test is asked of each model",
    "providers": "each test is asked of each model",
}
_OPTIONS_REFUSED = {
    "transform": "it would change what is graded",
    "postprocess": "it would change what is graded",
    "transformVars": "it would change what is asked",
    "storeOutputAs": "answers are not put into other prompts",
    "prefix": "write it into the prompt",
    "suffix": "write it into the prompt",
}
_OPTIONS = ("disableVarExpansion", "disableDefaultAsserts")


@dataclass(frozen=True)
class _Prompt:
    """One of a file's prompts: a template, or messages of templates."""

    label: str
    text: str | None = None
    messages: list[Any] | None = None


def rows_of(name: str, found: Any, notes: Notes) -> Iterator[FileRow]:
    """Yield a row for each prompt with each test.

    Args:
        name: of the file, as the beginning of a sentence.
        found: what its YAML or JSON says.
        notes: told what was passed over.

    Raises:
        ConfigurationError: something is wrong or not known here, and where.
    """
    if not isinstance(found, dict) or not {"prompts", "tests"} & set(found):
        raise ConfigurationError(
            f"{name} must have prompts and tests, as promptfoo's files have them."
        )
    _mind_keys(found, _TOP, _TOP_REFUSED, _TOP_NOTED, name, notes)
    if found.get("description"):
        notes.add(f"It is described as {quoted(str(found['description']), 200)}")
    prompts = list(_prompts(name, found.get("prompts"), notes))
    usual = _test(f"{name}, defaultTest", found.get("defaultTest") or {}, notes, _DEFAULT_TEST)
    usual = _with_templates(f"{name}, defaultTest", usual, found)
    number = 0
    for place, given in enumerate(_tests(name, found.get("tests")), start=1):
        where = f"{name}, test {place}"
        test = _with_templates(where, _test(where, given, notes), found)
        for variables in _expanded(where, usual, test):
            number += 1
            yield from _asked(where, number, prompts, usual, test, variables)


def _asked(
    where: str,
    number: int,
    prompts: list[_Prompt],
    usual: Mapping[str, Any],
    test: Mapping[str, Any],
    variables: dict[str, Any],
) -> Iterator[FileRow]:
    """Yield the rows of one test with one choice of its variables."""
    is_alone = (test.get("options") or {}).get("disableDefaultAsserts") is True
    asserted = [*([] if is_alone else usual.get("assert") or []), *(test.get("assert") or [])]
    told = test.get("description")
    for place, prompt in enumerate(prompts, start=1):
        at = where if len(prompts) == 1 else f"{where} with prompt {place}"
        name = str(number) if len(prompts) == 1 else f"{number}-{place}"
        values: dict[str, Any] = {
            "id": f"{name} {str(told)[: bounds.LONGEST_ID // 2]}" if told else name,
            "assert": _filled_in(asserted, variables, at),
            "tags": [] if len(prompts) == 1 else [prompt.label],
        }
        if prompt.messages is None:
            asked = templates.filled(prompt.text or "", variables, at)
            values |= _as_chat(asked)
        else:
            values["messages"] = _filled_in(prompt.messages, variables, at)
        yield FileRow(at, values, variables)


def _as_chat(text: str) -> dict[str, Any]:
    """Return the messages that a filled prompt is the JSON of, as promptfoo takes it; or itself."""
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if _are_messages(found):
            return {"messages": found}
    return {"prompt": text}


def _are_messages(found: Any) -> bool:
    return (
        isinstance(found, list)
        and bool(found)
        and all(isinstance(one, dict) and "role" in one for one in found)
    )


def _prompts(name: str, given: Any, notes: Notes) -> Iterator[_Prompt]:
    if isinstance(given, dict):
        raise ConfigurationError(
            f"{name}: prompts name other files, and no other file is read. Write them as a list of "
            "texts."
        )
    listed = given if isinstance(given, list) else [_THE_PROMPT if given is None else given]
    if not listed:
        raise ConfigurationError(f"{name} has an empty list of prompts. Write one.")
    for number, one in enumerate(listed, start=1):
        where = f"{name}, prompt {number}"
        label = f"prompt {number}"
        if isinstance(one, dict):
            _mind_keys(one, _PROMPT, {}, {}, where, notes)
            label = str(one.get("label") or one.get("id") or label)[: bounds.LONGEST_TAG]
            one = one.get("raw")
        if not isinstance(one, str) or not one.strip():
            raise ConfigurationError(f"{where} must be text, or an object with raw.")
        _refuse_place(one, where)
        chat = _as_chat(one).get("messages")
        yield _Prompt(label, None if chat else one, chat)


def _refuse_place(text: str, where: str) -> None:
    if _FILE.match(text.strip()) or _FILE_NAME.fullmatch(text.strip()):
        raise ConfigurationError(
            f"{where} refers to another file ({quoted(text.strip())}), and no other file is read. "
            "Put what it says into this one."
        )


def _tests(name: str, given: Any) -> list[Any]:
    if given is None or given == []:
        return [{}]
    if isinstance(given, str):
        _refuse_place(given, f"{name}, tests")
    if not isinstance(given, list):
        raise ConfigurationError(
            f"{name}: tests must be a list of objects with vars and assert. Generators and other "
            "files are not read."
        )
    return given


def _test(
    where: str, given: Any, notes: Notes, known: tuple[str, ...] = _TEST
) -> Mapping[str, Any]:
    """Return a test whose parts have been looked at."""
    if isinstance(given, str):
        _refuse_place(given, where)
    if not isinstance(given, dict):
        raise ConfigurationError(f"{where} must be an object with vars and assert.")
    _mind_keys(given, known, _TEST_REFUSED, _TEST_NOTED, where, notes)
    options = given.get("options") or {}
    if not isinstance(options, dict):
        raise ConfigurationError(f"{where}: options must be an object.")
    _mind_keys(options, _OPTIONS, _OPTIONS_REFUSED, {}, f"{where}, options", notes)
    variables, asserted = given.get("vars") or {}, given.get("assert") or []
    if not isinstance(variables, dict):
        raise ConfigurationError(f"{where}: vars must be an object; no other file is read.")
    for name, value in variables.items():
        _mind_variable(f"{where}, the variable {quoted(str(name))}", value, notes)
    if not isinstance(asserted, list):
        raise ConfigurationError(f"{where}: assert must be a list.")
    return given


def _with_templates(
    where: str, test: Mapping[str, Any], found: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return a test in whose assertions no ``$ref`` stands for one of ``assertionTemplates``."""
    known = found.get("assertionTemplates") or {}
    asserted = []
    for one in test.get("assert") or []:
        if isinstance(one, dict) and "$ref" in one:
            name = str(one["$ref"]).removeprefix(_TEMPLATES)
            if not isinstance(known, dict) or name not in known or len(one) > 1:
                raise ConfigurationError(
                    f"{where}: the assertion refers to {quoted(str(one['$ref']))}; it must be "
                    f"{_TEMPLATES}NAME of an assertion in assertionTemplates, and no more."
                )
            one = known[name]
        asserted.append(one)
    return {**test, "assert": asserted}


def _mind_variable(where: str, value: Any, notes: Notes) -> None:
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and _FILE.match(text):
            _refuse_place(text, where)
        if isinstance(text, str) and "{{" in text:
            notes.add("The value of a variable is no template here; {{…}} in one stays", where)


def _mind_keys(
    given: Mapping[Any, Any],
    known: tuple[str, ...],
    refused: Mapping[str, str],
    noted: Mapping[str, str],
    where: str,
    notes: Notes,
) -> None:
    for name in given:
        if name in refused:
            raise ConfigurationError(
                f"{where} has {name}, which is not known here: {refused[name]}. Leave it out."
            )
        if name in noted:
            notes.unknown("promptfoo's", name, where, f": {noted[name]}")
        elif name not in known:
            notes.unknown("promptfoo's", name, where)


def _expanded(
    where: str, usual: Mapping[str, Any], test: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the variables of a test: each choice of one element of each that is a list."""
    variables = {**(usual.get("vars") or {}), **(test.get("vars") or {})}
    options = {**(usual.get("options") or {}), **(test.get("options") or {})}
    if options.get("disableVarExpansion") is True:
        yield variables
        return
    choices = [value if isinstance(value, list) else [value] for value in variables.values()]
    count = 1
    for name, choice in zip(variables, choices, strict=True):
        if not choice:
            raise ConfigurationError(f"{where}: the variable {quoted(str(name))} is an empty list.")
        count *= len(choice)
    if count > bounds.MOST_ITEMS:
        raise ConfigurationError(
            f"{where} comes to {count} prompts, by its variables that are lists; a suite has up to "
            f"{bounds.MOST_ITEMS}."
        )
    for chosen in itertools.product(*choices):
        yield dict(zip(variables, chosen, strict=True))


def _filled_in(value: Any, variables: Mapping[str, Any], where: str) -> Any:
    """Return a value all of whose texts are filled."""
    if isinstance(value, str):
        return templates.filled(value, variables, where)
    if isinstance(value, dict):
        return {name: _filled_in(one, variables, where) for name, one in value.items()}
    return (
        [_filled_in(one, variables, where) for one in value] if isinstance(value, list) else value
    )
