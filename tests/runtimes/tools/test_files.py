"""Files of the episode's sandbox as an agent keeps them, and what it is told when that fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtimes.errors import ToolError
from runtimes.tools.base import Workbench
from runtimes.tools.code import run_python, run_shell
from runtimes.tools.files import operate_on_files
from runtimes.tools.inside.files import HIDDEN
from runtimes.tools.shown import SHOWN_CHARACTERS, shortened
from sandbox.runs import OWN_FOLDERS
from tests.runtimes.scripted import ScriptedModel, code_task, finishes, services


@pytest.fixture
async def bench() -> AsyncIterator[Workbench]:
    async with services(ScriptedModel(finishes())) as opened, Workbench(code_task(), opened) as bench:
        yield bench


async def do(bench: Workbench, operation: str, *arguments: str, **named: Any) -> str:
    return await operate_on_files(bench, operation, *arguments, **named)


async def test_files_are_written_appended_to_read_and_listed(bench: Workbench) -> None:
    assert await do(bench, "write", "data/数.txt", "一二三") == "wrote 9 bytes to data/数.txt"
    assert await do(bench, "append", "data/数.txt", "\nfour") == (
        "appended 5 bytes to data/数.txt, which has 14 now"
    )
    assert await do(bench, "append", "new.txt", "x") == "appended 1 bytes to new.txt, which has 1 now"
    assert await do(bench, "read", "data/数.txt") == "一二三\nfour"
    assert await do(bench, "list", "data") == "数.txt (14 bytes)"
    assert await do(bench, "list") == "data/\nnew.txt (1 bytes)"
    assert "一二三" in await run_shell(bench, "cat data/*")
    assert "status: ok" in await run_python(bench, "import os; os.listdir('data')")


async def test_some_lines_of_a_file_are_read(bench: Workbench) -> None:
    await do(bench, "write", "a.txt", "one\ntwo\nthree\nfour\n")
    assert await do(bench, "read", "a.txt", first_line=2, last_line=3) == "two\nthree\n"
    assert await do(bench, "read", "a.txt", first_line=4) == "four\n"
    with pytest.raises(ToolError, match="it has 4 lines only"):
        await do(bench, "read", "a.txt", first_line=9)


async def test_files_and_folders_are_moved_and_deleted(bench: Workbench) -> None:
    await do(bench, "write", "a/one.txt", "1")
    assert await do(bench, "move", "a/one.txt", destination="b/c/two.txt") == "moved a/one.txt to b/c/two.txt"
    assert await do(bench, "read", "b/c/two.txt") == "1"
    assert await do(bench, "move", "b", destination="d") == "moved b to d"
    await do(bench, "write", "three.txt", "3")
    assert await do(bench, "move", "three.txt", destination="d") == "moved three.txt to d/three.txt"
    assert await do(bench, "delete", "d/three.txt") == "deleted d/three.txt"
    assert await do(bench, "delete", "d") == "deleted the folder d and 1 files in it"
    assert await do(bench, "list") == "a/"


async def test_nothing_is_overwritten_by_a_move(bench: Workbench) -> None:
    await do(bench, "write", "a", "1")
    await do(bench, "write", "b", "2")
    with pytest.raises(ToolError, match="'b' is there already"):
        await do(bench, "move", "a", destination="b")
    assert await do(bench, "read", "b") == "2"


async def test_files_are_found_by_name_and_by_content(bench: Workbench) -> None:
    await do(bench, "write", "src/a.py", "import os\nprint('你好')\n")
    await do(bench, "write", "src/deep/b.py", "import sys\n")
    await do(bench, "write", "notes.md", "import nothing\n")
    assert await do(bench, "find", pattern="*.py") == "src/a.py\nsrc/deep/b.py"
    assert await do(bench, "find", "src", pattern="deep/*") == "src/deep/b.py"
    assert await do(bench, "find", pattern="*.py", content="import") == (
        "src/a.py:1: import os\nsrc/deep/b.py:1: import sys"
    )
    assert await do(bench, "find", content="你好") == "src/a.py:2: print('你好')"
    assert await do(bench, "find", pattern="*.rs") == "Nothing was found."


async def test_what_is_long_is_cut_and_says_so(bench: Workbench) -> None:
    await run_python(bench, "for i in range(300): open(f'f{i:03}', 'w').close()")
    assert "[... 100 more, not shown ...]" in await do(bench, "list")
    assert "[... 100 more, not shown ...]" in await do(bench, "find")


@pytest.mark.parametrize("operation", ["read", "write", "append", "list", "move", "delete", "find"])
@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a\0b", "data/../../x"])
async def test_no_operation_leaves_the_working_directory(operation: str, path: str) -> None:
    with pytest.raises(ToolError, match="leaves the working directory") as failed:
        await do(None, operation, path, destination="y")  # type: ignore[arg-type]
    assert failed.value.error_type == "runtime_error"


async def test_a_misspelt_name_is_told_with_what_there_is(bench: Workbench) -> None:
    await do(bench, "write", "data/sales.csv", "a\n")
    for operation, arguments in (("delete", {}), ("move", {"destination": "x"}), ("list", {})):
        with pytest.raises(ToolError, match=r"No such file or directory.*In 'data' there is: sales.csv"):
            await do(bench, operation, "data/sale.csv", **arguments)
    with pytest.raises(ToolError, match="No such file"):
        await do(bench, "read", "data/sale.csv")


async def test_what_cannot_be_done_says_why(bench: Workbench) -> None:
    await do(bench, "write", "file", "x")
    await run_python(bench, "open('binary', 'wb').write(bytes(100))")
    assert await do(bench, "read", "binary") == "[binary is no text: 100 bytes]"
    for said, operation, path, named in (
        ("a folder, not a regular file", "read", ".", {}),
        ("It is a file, 1 bytes. Read it", "list", "file", {}),
        ("Not a directory", "find", "file", {}),
        ("Not a directory", "write", "file/x", {"content": "y"}),
        ("no destination", "move", "file", {}),
        ("the working directory itself", "delete", ".", {}),
        ("the working directory itself", "move", "./", {"destination": "x"}),
    ):
        with pytest.raises(ToolError, match=said):
            await do(bench, operation, path, **named)


async def test_modules_that_the_agent_wrote_do_not_get_in_the_way(bench: Workbench) -> None:
    for name in ("shutil", "fnmatch", "os", "duckdb"):
        await do(bench, "write", f"{name}.py", "raise RuntimeError('mine')")
    assert await do(bench, "move", "os.py", destination="x.py") == "moved os.py to x.py"
    assert "shutil.py" in await do(bench, "find", pattern="*.py")


async def test_a_failing_command_shows_its_output_and_its_status(bench: Workbench) -> None:
    with pytest.raises(ToolError, match=r"(?s)status: runtime_error.*out.*stderr.*bad") as failed:
        await run_shell(bench, "echo out; echo bad >&2; exit 3")
    assert failed.value.error_type == "runtime_error"


def test_what_the_sandbox_keeps_in_the_workspace_is_hidden() -> None:
    assert HIDDEN == OWN_FOLDERS


def test_short_text_is_shown_whole_and_long_text_keeps_both_ends() -> None:
    assert shortened("x" * SHOWN_CHARACTERS) == "x" * SHOWN_CHARACTERS
    cut = shortened("a" + "x" * SHOWN_CHARACTERS + "z")
    assert (cut[0], cut[-1]) == ("a", "z")
    assert "2 characters cut" in cut
