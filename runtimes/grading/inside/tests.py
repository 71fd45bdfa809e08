"""The side of the conversation with the tests: here they run, and here the verdict is made."""

from __future__ import annotations

import builtins
import functools
import importlib
import json
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from runtimes.grading.inside.line import Line
from runtimes.grading.inside.stand_ins import Remote, Stream, Tests
from runtimes.grading.inside.wire import NotData

TEST_FILE = "test_submission.py"


def run(
    source: str,
    names: list[str],
    *,
    classes: list[str],
    in_place: bool,
    module: str,
    calls: list[str],
    modules: list[str],
) -> Line:
    """Begin: load the submission there, then evaluate `calls` or, without any, run the file of tests."""
    tests = Tests(classes, in_place)
    text = "\n".join(calls)
    if not calls:
        with open(TEST_FILE, encoding="utf-8") as file:
            text = file.read()

    def work() -> None:
        try:
            found = tests.load(source, names)
        except BaseException as error:
            tests.line.report({"fault": f"the submitted code raised {_told(error)}"})
            return
        found |= _modules(modules)
        if "numpy" in text or {"np", "numpy"} & set(modules):
            _heed_sizes()
        try:
            values = [_value(call, found) for call in calls]
            tests.line.report({"values": values} if calls else _pytest(module, found))
        except BaseException as error:
            tests.line.report({"fault": f"the tests broke off: {_told(error)}"})

    tests.line.start(work)
    return tests.line


def _modules(names: list[str]) -> dict[str, Any]:
    """Modules by the names that the tests use; numpy only where it is."""
    found = {}
    for name in names:
        with suppress(ImportError):
            found[name] = importlib.import_module({"np": "numpy"}.get(name, name))
    return found


def _heed_sizes() -> None:
    """Let nothing be close to a number: numpy makes as few of the number as there are of the other."""
    with suppress(ImportError):
        import numpy

        for name in ("allclose", "array_equiv", "isclose"):
            setattr(numpy, name, _heeding_sizes(getattr(numpy, name), numpy))


def _heeding_sizes(compare: Callable[..., Any], numpy: Any) -> Callable[..., Any]:
    @functools.wraps(compare)
    def heeding(one: Any, other: Any, *args: Any, **options: Any) -> Any:
        if bool(numpy.size(one)) != bool(numpy.size(other)):
            return numpy.False_
        return compare(one, other, *args, **options)

    return heeding


def _value(call: str, names: dict[str, Any]) -> dict[str, Any]:
    """One call's value, plain enough for JSON, evaluated with this side's operators and builtins."""
    try:
        value = eval(call, dict(names))
        return {"value": json.loads(json.dumps(value, default=_plain))}
    except BaseException as error:
        return {"error": _told(error)}


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Stream):
        return list(value)
    if isinstance(value, Remote):
        raise NotData(f"{value!r} is no data")
    return repr(value)


def _pytest(module: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run the tests. What they name is found as a builtin would be, so that nothing of theirs is hidden."""
    import pytest

    submitted = types.ModuleType(module)
    vars(submitted).update(names)
    sys.modules[module] = submitted
    for name in names.keys() - vars(builtins).keys():
        setattr(builtins, name, names[name])
    heard = _Reports()
    plugins = ("cacheprovider", "faulthandler", "junitxml", "pastebin", "stepwise")
    options = ["-q", "-x", "--capture=sys", "--rootdir=.", *(f"-pno:{name}" for name in plugins), TEST_FILE]
    code = int(pytest.main(options, plugins=[heard]))
    return {"exit_code": code, "passed": heard.passed, "failed": heard.failed}


class _Reports:
    """What pytest tells of the tests."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid.partition("::")[2])
        elif report.when == "call" and report.passed:
            self.passed += 1

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append("the tests' own module")


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
