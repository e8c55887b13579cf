"""Expressions of a suite: what they may say, and that each that does harm fails alone."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.core.expressions import BUILTINS, MODULES
from comparator.evaluation.assertions import Grader, check, expressions
from comparator.evaluation.assertions.findings import AnswerFinding
from comparator.library.changes import child_jobs
from comparator.storage.kept_suite import Assertion, AssertionOutcome, Item
from runners import protocol
from runners.timeouts import Deadlines

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the sandbox is Linux's"
)

ITEM = Item(
    "cats",
    [{"role": "user", "content": "How many cats?"}],
    "4",
    tags=["counting"],
    vars={"animal": "cat"},
)


def hello() -> str:
    """Return what the sandbox of a child says of itself."""
    assignment = protocol.Assignment(
        protocol.Job(expressions.JOB, {"expressions": [], "output": "", "context": "{}"}),
        started=time.monotonic(),
    )
    first, *_ = child_jobs.messages(assignment)
    assert isinstance(first, protocol.Hello)
    return first.sandbox


@pytest.fixture(scope="module", autouse=True)
def sandbox() -> None:
    if not (state := hello()).startswith("on"):
        pytest.skip(f"no sandbox on this kernel: {state}")


def graded(answer: str, *assertions: Assertion) -> list[AssertionOutcome]:
    with Grader() as grader:
        item = Item(ITEM.id, ITEM.messages, ITEM.expected, list(assertions), ITEM.tags, ITEM.vars)
        return grader.grade(item, {"content": answer})


CASES: list[tuple[str, float | None, bool, float | None]] = [  # and whether it is so, and its score
    ("len(output) < 100", None, True, None),
    ("'dog' in output", None, False, None),
    ("0.3", None, True, 0.3),
    ("0", None, False, 0.0),
    ("0.3", 0.5, False, 0.3),
    ("max(0, len(output) - 3)", None, True, None),
    ("-1", None, False, None),
    ("len(output)", 1000, False, None),
    ("1", 1, True, 1.0),
    ("{'pass': True, 'score': 0.5, 'reason': 'Half of it.'}", None, True, 0.5),
    ("{'pass': True, 'score': 0.5}", 0.6, False, 0.5),
    ("{'pass': False, 'reason': 'No cat.'}", None, False, None),
    ("{'score': 0.9}", 0.8, True, 0.9),
    (
        "context['vars']['animal'] in output and context['vars']['expected'] in output",
        None,
        True,
        None,
    ),
    ("context['prompt'] == 'How many cats?' and context['test']['id'] == 'cats'", None, True, None),
    ("json.loads('[4]')[0] == int(re.search(r'\\d', output).group())", None, True, None),
    ("all(word.islower() for word in output.split()[3:])", None, True, None),
    ("(lambda text: math.sqrt(len(text)) > 1)(output)", None, True, None),
    (
        "any((length := len(word)) > 100 or length == 3 for word in output.split())",
        None,
        True,
        None,
    ),
]


def test_expressions_and_their_contraries() -> None:
    for source, threshold, _, _ in CASES:
        check(Assertion("python", source, threshold), "Item 1")
    outcomes = graded("There are 4 cats.", *(Assertion("python", *case[:2]) for case in CASES))
    contraries = graded(
        "There are 4 cats.", *(Assertion("not-python", *case[:2]) for case in CASES)
    )
    for (source, _, is_so, score), one, other in zip(CASES, outcomes, contraries, strict=True):
        assert (one.passed, other.passed, one.score) == (is_so, not is_so, score), source
        assert one.reason
    reasons = [outcome.reason for outcome in outcomes]
    assert reasons[0] == "The expression “len(output) < 100” is True."
    assert reasons[4] == "The expression “0.3” gives 0.3; at least 0.5 is asked for."
    assert "Half of it." in reasons
    assert "No cat." in reasons


def test_all_names_that_are_promised_are_there() -> None:
    names = [
        *BUILTINS,
        *(f"{module}.{part}" for module, parts in MODULES.items() for part in parts),
    ]
    outcomes = graded("", *(Assertion("python", f"{name} is not None") for name in names))
    assert [outcome.passed for outcome in outcomes] == [True] * len(names)


def test_a_process_is_started_for_expressions_alone_and_once_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[protocol.Assignment] = []
    usual = child_jobs.messages

    def counted(assignment: protocol.Assignment, *args: Any, **named: Any) -> Any:
        started.append(assignment)
        return usual(assignment, *args, **named)

    monkeypatch.setattr(child_jobs, "messages", counted)
    graded("x", Assertion("contains", "x"), Assertion("regex", "x"), Assertion("is-json"))
    assert not started
    graded("x", *[Assertion("python", "True")] * 5)
    assert len(started) == 1


# Ways out of the names that expressions are given; the sandbox must hold them all the same.
OF_OS = (
    "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0]"
    ".__init__.__globals__"
)
HARMFUL: list[tuple[str, str]] = [  # and what is said of it
    (f"{OF_OS}['__builtins__']['open']('/etc/passwd').read()", "PermissionError"),
    (f"{OF_OS}['listdir']('/')", "PermissionError"),
    (f"{OF_OS}['__builtins__']['open']('/tmp/harm', 'w')", "PermissionError"),
    (f"{OF_OS}['sys'].modules['socket'].socket()", "PermissionError"),
    (f"{OF_OS}['fork']()", "PermissionError"),
    (f"{OF_OS}['system']('true') == 0", "is False"),
    (f"{OF_OS}['kill']({OF_OS}['getppid'](), 9)", "PermissionError"),
    (f"{OF_OS}['_exit'](0)", "ended its process"),
    (f"{OF_OS}['kill']({OF_OS}['getpid'](), 11)", "ended its process"),
    (f"{OF_OS}['abort']()", "ended its process"),
    ("(lambda f: f(f))(lambda f: f(f))", "RecursionError"),
    ("1 / 0", "ZeroDivisionError"),
    ("output['x']", "TypeError"),
    ("undefined_name", "NameError"),
    ("open('/etc/passwd')", "NameError"),
    ("__import__('os').fork()", "NameError"),
    ("'\\ud800'", "must be True or False"),
    ("'7'", "its value is '7' (str); it must be True or False, a number, or a dict"),
    ("math.inf", "its value is inf"),
    ("10 ** 400", "(int); it must be"),
    ("float('nan')", "its value is nan"),
    ("None", "NoneType"),
    ("{'score': 2}", "its score must be a number from 0 to 1"),
    ("{'pass': 1}", "its pass must be True or False"),
]

GREEDY: list[tuple[str, str]] = [
    ("all(True for _ in iter(int, 1))", "about a second of processor time"),
    ("[0] * 10**10", "more memory than an expression may have"),
    ("[list(range(10**6)) for _ in range(10**6)]", "more memory than an expression may have"),
]


@pytest.mark.parametrize("cases", [HARMFUL, GREEDY], ids=["harmful", "greedy"])
def test_what_does_harm_fails_alone(cases: list[tuple[str, str]]) -> None:
    sources = ["len(output) == 1", *(source for source, _ in cases), "output == 'x'"]
    first, *found, last = expressions.findings(sources, [None] * len(sources), "x", {})
    assert (first.holds, last.holds) == (True, True)
    for (source, why), finding in zip(cases, found, strict=True):
        assert finding.holds is not True, source
        assert why in finding.why, source


def test_one_that_sleeps_for_ever_and_poses_as_coming_forward_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expressions, "_DEADLINES", Deadlines(load_seconds=60, total_seconds=3))
    progress = f"{OF_OS}['sys']._getframe(2).f_locals['progress']"
    sleep = f"{OF_OS}['sys'].modules['time'].sleep"  # which takes no processor time
    source = (
        "(lambda tell, sleep: all(iter(lambda: (tell('expression', 0.0, 1.0), sleep(0.2)), 1)))"
        f"({progress}, {sleep})"
    )
    (found,) = expressions.findings([source], [None], "x", {})
    assert found.holds is None
    assert "3 s" in found.why


def test_many_that_end_their_process_are_not_tried_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expressions, "MOST_ENDED", 2)
    ending = f"{OF_OS}['_exit'](0)"
    sources = [ending, "True", ending, ending, "True"]
    reasons = [one.why for one in expressions.findings(sources, [None] * 5, "x", {})]
    assert "ended its process" in reasons[0]
    assert "ended its process" in reasons[2]
    assert all("was not evaluated" in reasons[place] for place in (1, 3, 4))


def test_what_fails_has_not_passed_with_not_either() -> None:
    (outcome,) = graded("x", Assertion("not-python", "1 / 0"))
    assert outcome.passed is False
    assert "ZeroDivisionError" in outcome.reason


def test_what_could_not_begin_says_nothing_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: Any, **_named: Any) -> Any:
        yield protocol.Failed("start", "crashed", "The system refused to start a process.")

    monkeypatch.setattr(child_jobs, "messages", refused)
    first, second = graded("x", *[Assertion("python", "True")] * 2)
    assert first == second
    assert first.passed is None
    assert "could not be evaluated: The system refused" in first.reason


def test_nothing_is_evaluated_without_a_sandbox() -> None:
    """As on systems that have none: what is checked is whether files can be reached."""
    assignment = protocol.Assignment(
        protocol.Job(expressions.JOB, {"expressions": ["1"], "output": "", "context": "{}"}),
        started=time.monotonic(),
        readable=("/",),
    )
    *_, last = child_jobs.messages(assignment)
    assert isinstance(last, protocol.Failed)
    assert "here it does not (files can be reached)" in last.message


WRONG = [
    ("", "must be an expression"),
    ("import os", "statements (import"),
    ("x = 1", "statements"),
    ("return True", "statements"),
    ("len(output)\nTrue", "statements"),
    ("len(output", "no Python at line 1"),
    ("open('/etc/passwd').read()", "'open' is not known to expressions. There are output"),
    ("__import__('os')", "'__import__' is not known"),
    ("os.system('true')", "'os' is not known"),
    ("().__class__", "'__class__': names that begin with _"),
    ("json.codecs", "json.codecs is not known to expressions. Of json there are: loads"),
    ("(yield)", "await and yield"),
    ("x" * 4001, "the limit is 4000"),
    ("(" * 300 + ")" * 300, "Python"),
    ("\0", "null bytes"),
]


@pytest.mark.parametrize(("source", "why"), WRONG)
def test_what_is_no_expression_is_found_before_anything_runs(source: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check(Assertion("python", source), "Item 1")
    assert str(caught.value).startswith("Item 1, assertion python: ")
    assert why in str(caught.value)


def test_a_finding_that_failed_passes_neither_way() -> None:
    assert [AnswerFinding(None, "x").passed(inverse) for inverse in (False, True)] == [False, False]
    undecided = AnswerFinding(None, "x", is_undecided=True)
    assert [undecided.passed(inverse) for inverse in (False, True)] == [None, None]


def test_what_is_needed_is_imported_before_a_model_is_measured() -> None:
    source = (
        "import sys\n"
        "from comparator.evaluation.assertions import Grader\n"
        "from comparator.storage.kept_suite import Assertion, Item\n"
        "libraries = {'regex', 'jsonschema', 'jinja2', 'yaml', 'numpy', 'model2vec'}\n"
        "def loaded(): return sorted(libraries & set(sys.modules))\n"
        "def of(name): return Item('1', [], assertions=[Assertion(name)])\n"
        "grader, told = Grader(), [loaded()]\n"
        "for name in ('contains', 'not-regex', 'is-json'):\n"
        "    grader.make_ready([of(name)])\n"
        "    told.append(loaded())\n"
        "print(told)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[[], [], ['regex'], ['jsonschema', 'regex']]"
