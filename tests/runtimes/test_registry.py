"""Task types and the runtimes behind them, a user's own included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runtimes.errors import InvalidTask
from runtimes.registry import check_task_type, create_runtime, task_types
from tests.runtimes.scripted import ScriptedModel, finishes, services


def test_the_built_in_types_come_first() -> None:
    assert task_types()[:3] == ("code", "web", "reasoning")


def test_an_unknown_type_is_refused_with_the_known_ones_and_the_way_to_add_one() -> None:
    with pytest.raises(InvalidTask, match=r"code, web, reasoning.*adp\.runtimes"):
        check_task_type("audio")


async def test_each_type_has_the_runtime_that_other_systems_know_by_id() -> None:
    async with services(ScriptedModel(finishes())) as opened:
        found = {kind: create_runtime(kind, opened).runtime_id for kind in ("code", "web", "reasoning")}
    assert found == {"code": "sandbox-runtime", "web": "web-runtime", "reasoning": "reasoning-runtime"}


USER_RUNTIME = """
from runtimes.contracts import Runtime, Trajectory
class Echo(Runtime):
    task_type, runtime_id, capabilities = "echo", "echo-runtime", frozenset({"echo"})
    def __init__(self, services): pass
    async def execute(self, task, *, sample=0, round=""):
        return Trajectory(task_id=task.task_id, runtime_id=self.runtime_id, final_result=task.description)
"""


def installed(folder: Path, entry_points: str, module: str) -> str:
    """A package as pip would install it into `folder`."""
    info = folder / "user_pkg-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: user-pkg\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    (folder / "user_pkg.py").write_text(module)
    return f"import sys; sys.path.insert(0, {str(folder)!r})\n"


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_a_users_runtime_for_a_type_of_its_own_needs_only_an_entry_point(tmp_path: Path) -> None:
    setup = installed(tmp_path, "[adp.runtimes]\necho = user_pkg:Echo\n", USER_RUNTIME)
    program = """
import asyncio
from runtimes.contracts import TaskSpec
from runtimes.registry import create_runtime, task_types
task = TaskSpec(task_type="echo", description="hello").named()
print(task_types()[-1], asyncio.run(create_runtime("echo", None).execute(task)).final_result)
"""
    ended = python(setup + program)
    assert ended.stdout == "echo hello\n", ended.stderr


def test_an_entry_point_that_does_not_import_is_named_with_its_package(tmp_path: Path) -> None:
    setup = installed(tmp_path, "[adp.tools]\nmagic = user_pkg:TOOLS\n", "1 / 0")
    ended = python(setup + "from runtimes.tools.registry import grants; grants()")
    assert "'magic' (adp.tools) of user-pkg does not import: ZeroDivisionError" in ended.stderr
    assert "Mend user_pkg:TOOLS or uninstall user-pkg." in ended.stderr


def test_the_runtimes_import_neither_dagster_nor_playwright_nor_openai() -> None:
    ended = python(
        "import sys, runtimes.builtin, runtimes.perform, runtimes.llm.client\n"
        "print({'dagster', 'playwright', 'openai', 'sqlalchemy'} & sys.modules.keys())"
    )
    assert ended.stdout == "set()\n", ended.stderr
