"""Which Python expressions a suite may have: one expression, of names that are known, in bounds.

What it may do besides is limited where it runs: in a process of its own, behind a sandbox.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from comparator.core.exceptions import ConfigurationError

LONGEST_EXPRESSION = 4000  # characters
VARIABLES = ("output", "context")
MODULES: dict[str, tuple[str, ...]] = {  # and what of them there is
    "json": ("loads", "dumps"),
    "re": (
        *("search", "match", "fullmatch", "findall", "finditer", "split", "sub", "subn", "escape"),
        *("IGNORECASE", "MULTILINE", "DOTALL", "I", "M", "S"),
    ),
    "math": (
        *("ceil", "floor", "sqrt", "exp", "log", "log2", "log10", "pow", "fabs", "fsum"),
        *("isclose", "isfinite", "isnan", "isinf", "gcd", "hypot", "pi", "e", "inf", "nan"),
    ),
}
BUILTINS = (
    *("abs", "all", "any", "ascii", "bin", "bool", "chr", "dict", "divmod", "enumerate", "filter"),
    *("float", "frozenset", "hex", "int", "isinstance", "iter", "len", "list", "map", "max"),
    *("min", "next", "oct", "ord", "pow", "range", "repr", "reversed", "round", "set", "slice"),
    *("sorted", "str", "sum", "tuple", "zip"),
)
NAMES = frozenset((*VARIABLES, *MODULES, *BUILTINS))
STEP = "expression"  # by which a child tells that one begins


def check_expression(source: str) -> None:
    """Refuse what is no single expression of known names.

    Raises:
        ConfigurationError: says what is wrong with it; without a place.
    """
    if len(source) > LONGEST_EXPRESSION:
        raise ConfigurationError(
            f"the expression has {len(source)} characters; the limit is {LONGEST_EXPRESSION}"
        )
    if not source.strip():
        raise ConfigurationError("the expression is empty; write such as len(output) < 100")
    tree = _parsed(source.strip())
    bound = set(_bound(tree))
    for node in ast.walk(tree):
        _check_node(node, bound)


def _parsed(source: str) -> ast.Expression:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a text of its own is no matter here
            return ast.parse(source, mode="eval")
    except SyntaxError as error:
        raise ConfigurationError(_not_an_expression(source, error)) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigurationError(f"the expression cannot be read: {error}") from None


def _not_an_expression(source: str, error: SyntaxError) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            is_program = bool(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        is_program = False
    if is_program or "return" in source.split():
        return (
            "the value must be one expression, such as len(output) < 100; statements (import, =, "
            "def, return, several lines) are not run"
        )
    at = f" at line {error.lineno}, character {error.offset}" if error.lineno else ""
    return f"the expression is no Python{at}: {error.msg}"


def _bound(tree: ast.AST) -> Iterator[str]:
    """Yield the names that an expression gives values itself: loops and arguments of lambdas."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def _check_node(node: ast.AST, bound: set[str]) -> None:
    if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom)):
        raise ConfigurationError("await and yield are not known to expressions")
    if isinstance(node, ast.Attribute):
        _check_attribute(node)
    elif isinstance(node, ast.Name) and node.id not in NAMES | bound:
        raise ConfigurationError(
            f"{node.id[:60]!r} is not known to expressions. There are output (the answer), "
            f"context, {', '.join(MODULES)} (parts of them), and {', '.join(BUILTINS)}"
        )


def _check_attribute(node: ast.Attribute) -> None:
    if node.attr.startswith("_"):
        raise ConfigurationError(
            f"{node.attr[:60]!r}: names that begin with _ are not for expressions"
        )
    owner = node.value.id if isinstance(node.value, ast.Name) else ""
    if owner in MODULES and node.attr not in MODULES[owner]:
        raise ConfigurationError(
            f"{owner}.{node.attr[:60]} is not known to expressions. Of {owner} there are: "
            f"{', '.join(MODULES[owner])}"
        )
