"""Skills: what is read of a folder, and what happens when an agent uses one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runtimes.builtin import CodeRuntime
from runtimes.errors import ConfigurationError, ToolError, ToolUnavailable
from runtimes.tools.base import Workbench
from runtimes.tools.call import call_tool
from runtimes.tools.code import run_shell
from runtimes.tools.files import operate_on_files
from runtimes.tools.skill_folders import find_skills, read_skill
from runtimes.tools.skills import Skill
from runtimes.tools.toolbox import Toolbox
from tests.llm_server.process import ROOT
from tests.runtimes.scripted import ScriptedModel, call, code_task, finishes, says, services

BUNDLED = ROOT / "examples/skills/text-statistics"


def make(folder: Path, front: str, code: str = "", *, name: str = "greet", body: str = "Say hello.") -> Path:
    """A skill's folder with these lines of front matter and `run.py`."""
    place = folder / name
    place.mkdir(parents=True)
    (place / "SKILL.md").write_text(
        f"---\nname: {name}\ndescription: Greets.\n{front}\n---\n{body}\n", "utf-8"
    )
    if code:
        (place / "run.py").write_text(code, "utf-8")
    return place


@pytest.fixture
async def bench() -> AsyncIterator[Workbench]:
    async with services(ScriptedModel(finishes())) as opened, Workbench(code_task(), opened) as bench:
        yield bench


async def use(skill: Skill, bench: Workbench, **arguments: Any) -> str:
    return await call_tool(skill.tool(), bench, arguments)


async def test_the_bundled_skill_is_used_in_an_episode_on_a_file_that_the_agent_wrote() -> None:
    model = ScriptedModel(
        says(
            None,
            call(
                "file_operations", {"operation": "write", "path": "a.txt", "content": "to be or not to be 茶"}
            ),
        ),
        says(None, call("text-statistics", {"path": "a.txt", "most_frequent": 2})),
        says(None, call("text-statistics", {"path": "b.txt"})),
        says(None, call("text-statistics", {"most_frequent": "two"})),
        finishes("7"),
    )
    async with services(model) as opened:
        opened.toolbox = Toolbox(skills=[read_skill(BUNDLED)])
        task = code_task(expected_tools=["file_operations", "text-statistics"])
        trajectory = await CodeRuntime(opened).execute(task)
    _, counted, missing, malformed, _ = trajectory.steps
    assert json.loads(counted.observation) == {
        "characters": 20,
        "words": 7,
        "lines": 1,
        "most_frequent": [["to", 2], ["be", 2]],
    }
    assert "b.txt cannot be read" in missing.observation
    assert "at most_frequent" in malformed.observation
    assert counted.action_type == "code_execution"


async def test_arguments_come_as_json_on_standard_input_and_the_result_from_standard_output(
    tmp_path: Path, bench: Workbench
) -> None:
    code = "import json, sys\nprint('Hello', json.load(sys.stdin)['who'])"
    skill = read_skill(make(tmp_path, "entry_point: run.py\narguments: {who: Whom to greet.}", code))
    assert skill.tool().parameters["required"] == ["who"]
    assert await use(skill, bench, who="世界 'quoted' $HOME") == "Hello 世界 'quoted' $HOME"


async def test_what_the_agent_puts_in_its_way_is_not_beside_its_code(
    tmp_path: Path, bench: Workbench
) -> None:
    place = make(tmp_path, "entry_point: run.py", "import json, other; print(other.MINE, json.__name__)")
    (place / "other.py").write_text("MINE = 'mine'")
    skill = read_skill(place)
    planted = (
        "mkdir -p skills/greet && echo 'import sys; sys.exit(69)' | tee json.py other.py skills/greet/json.py"
    )
    await run_shell(bench, planted)
    assert await use(skill, bench) == "mine json"


async def test_calls_at_once_have_each_their_own_arguments(tmp_path: Path, bench: Workbench) -> None:
    code = "import json, sys\nprint(json.load(sys.stdin)['who'])"
    skill = read_skill(make(tmp_path, "entry_point: run.py\narguments: {who: Whom to greet.}", code))
    asked = [f"number {number}" for number in range(4)]
    assert await asyncio.gather(*(use(skill, bench, who=who) for who in asked)) == asked


async def test_it_works_on_the_episodes_files_and_leaves_its_own_arguments_nowhere(
    tmp_path: Path, bench: Workbench
) -> None:
    skill = read_skill(make(tmp_path, "entry_point: run.py", "open('made.txt', 'w').write('x')"))
    assert await use(skill, bench) == "(nothing)"
    assert await operate_on_files(bench, "list") == "made.txt (1 bytes)"


async def test_a_workspace_that_is_in_its_way_is_the_agents_to_mend(tmp_path: Path, bench: Workbench) -> None:
    skill = read_skill(make(tmp_path, "license: MIT", "print('mine')"))
    for command in ("echo x > skills", "rm skills; ln -s / skills"):
        await run_shell(bench, command)
        with pytest.raises(ToolError, match=r"The files of greet cannot be written to skills/greet"):
            await use(skill, bench)
    await run_shell(bench, "rm skills")
    assert "Say hello." in await use(skill, bench)


async def test_a_shell_script_is_an_entry_point_too(tmp_path: Path, bench: Workbench) -> None:
    place = make(tmp_path, "entry_point: run.sh")
    (place / "run.sh").write_text("read line; echo got $line")
    assert "got {" in await use(read_skill(place), bench)


async def test_one_that_fails_tells_why_and_one_that_lacks_what_it_needs_counts_as_unavailable(
    tmp_path: Path, bench: Workbench
) -> None:
    code = "import sys\nprint('the reason', file=sys.stderr)\nsys.exit(int(sys.stdin.read()[6:-1]))"
    front = "entry_point: run.py\nparameters: {type: object, properties: {n: {type: integer}}}"
    skill = read_skill(make(tmp_path / "alone", front, code.replace("[6:-1]", "[5:-1]")))
    for ended in (1, 69, 75):  # it needs nothing that could be down
        with pytest.raises(ToolError, match="the reason") as failed:
            await use(skill, bench, n=ended)
        assert not isinstance(failed.value, ToolUnavailable)
    front += "\nhosts: [api.example]"
    skill = read_skill(make(tmp_path / "reaching", front, code.replace("[6:-1]", "[5:-1]")))
    for code_of_unavailable in (69, 75):
        with pytest.raises(ToolUnavailable, match="the reason"):
            await use(skill, bench, n=code_of_unavailable)


@pytest.mark.parametrize("first", ["", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
async def test_one_that_takes_too_long_is_ended_and_the_files_stay(
    tmp_path: Path, bench: Workbench, first: str
) -> None:
    await operate_on_files(bench, "write", "kept", "x")
    code = f"{first}\nimport time; time.sleep(60)"
    skill = read_skill(make(tmp_path, "entry_point: run.py\ntimeout: 0.2", code))
    with pytest.raises(ToolError, match=r"greet took longer than 0.2 s") as late:
        await use(skill, bench)
    assert late.value.error_type == "timeout"
    assert not bench.unavailable  # it was given too much to do, which is the agent's doing
    assert await operate_on_files(bench, "read", "kept") == "x"


async def test_one_without_an_entry_point_gives_its_instructions_and_its_files(
    tmp_path: Path, bench: Workbench
) -> None:
    skill = read_skill(make(tmp_path, "license: MIT", "print(1)", body="# How to greet\nRun run.py."))
    assert await use(skill, bench) == "Its files are in skills/greet.\n\n# How to greet\nRun run.py."
    assert "1" in await run_shell(bench, "python3 skills/greet/run.py")


async def test_one_with_hosts_runs_apart_so_that_the_agents_code_cannot_reach_them(
    tmp_path: Path, bench: Workbench
) -> None:
    code = "import os\nprint(bool(os.environ.get('http_proxy')), os.path.exists('secret'))"
    skill = read_skill(make(tmp_path, "entry_point: run.py\nhosts: [api.example]", code))
    await operate_on_files(bench, "write", "secret", "x")
    assert await use(skill, bench) == "True False"
    assert "status: ok" in await run_shell(bench, 'test -z "$http_proxy" && test ! -e skills')


async def test_a_task_that_says_which_hosts_may_be_reached_is_obeyed(tmp_path: Path) -> None:
    skill = read_skill(make(tmp_path, "entry_point: run.py\nhosts: [api.example]", "print(1)"))
    for domains, reached in ((["other.example"], False), (["api.example"], True)):
        task = code_task(constraints={"allowed_domains": domains})
        async with services(ScriptedModel(finishes())) as opened, Workbench(task, opened) as bench:
            if reached:
                assert await use(skill, bench) == "1"
            else:
                with pytest.raises(ToolError, match=r"reaches api.example.*allowed_domains"):
                    await use(skill, bench)


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("entry_point: nowhere.py", "'nowhere.py' is none of its files"),
        ("entry_point: SKILL.md", "must end with .py or .sh"),
        ("parameters: {type: string}", '"type": "object"'),
        ("parameters: {type: object, properties: {a: {type: text}}}", "no valid JSON schema"),
        ("parameters: {type: object}\narguments: {a: b}", "Give one of them"),
        ("timeout: 0", "more than 0"),
        ("timeout: soon", "front matter"),
        ("permission: king", "front matter"),
        ("entry_point: run.py\nhosts: [https://x]", "The host 'https://x' is not"),
        ("hosts: [api.example]", "no entry_point"),
        ("a: [", "front matter"),
    ],
)
def test_what_is_wrong_with_a_skill_is_said_with_its_place(tmp_path: Path, front: str, said: str) -> None:
    place = make(tmp_path, front, "print(1)")
    with pytest.raises(ConfigurationError) as wrong:
        read_skill(place)
    assert said in str(wrong.value)
    assert str(place) in str(wrong.value)


def test_a_folder_without_front_matter_or_with_another_name_is_no_skill(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ConfigurationError, match=r"a folder with a SKILL\.md"):
        read_skill(tmp_path / "a")
    (tmp_path / "a/SKILL.md").write_text("# Title")
    with pytest.raises(ConfigurationError, match="no front matter"):
        read_skill(tmp_path / "a")
    (tmp_path / "a/SKILL.md").write_text("---\nname: other\ndescription: x\n---\n")
    with pytest.raises(ConfigurationError, match="folder to have the same name"):
        read_skill(tmp_path / "a")


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    place = make(tmp_path, "")
    (place / "passwords").symlink_to("/etc/passwd")
    with pytest.raises(ConfigurationError, match="passwords is a symbolic link"):
        read_skill(place)


def test_one_broken_skill_leaves_the_others_there(tmp_path: Path) -> None:
    make(tmp_path, "", name="good")
    make(tmp_path, "timeout: soon", name="bad")
    make(tmp_path / "elsewhere", "", name="good")
    skills, faults = find_skills(tmp_path, [tmp_path / "elsewhere/good", tmp_path / "gone"])
    assert [skill.name for skill in skills] == ["good"]
    assert [("bad" in str(f), "is called good" in str(f), "gone" in str(f)) for f in faults] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert find_skills(tmp_path / "nowhere") == ([], [])
