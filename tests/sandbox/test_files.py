"""Files go in and out of the workspace, and only of the workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import Limits, SandboxPool, Session
from tests.sandbox.conftest import ON_ONE_LOOP

pytestmark = ON_ONE_LOOP


async def test_files_last_from_run_to_run(session: Session) -> None:
    await session.write("data/in.txt", b"\0\xff text")
    await session.run(code="open('out.txt', 'wb').write(open('data/in.txt', 'rb').read()[::-1])")
    await session.step("open('stepped', 'w').write('kept')")
    assert await session.read("out.txt") == b"txet \xff\0"
    assert await session.listdir() == ["data", "out.txt", "stepped"]
    assert await session.listdir("data") == ["in.txt"]
    assert (await session.run(shell="cat stepped")).stdout == "kept"


async def test_all_files_come_with_their_bytes_as_far_as_there_is_room(session: Session) -> None:
    assert await session.files(most_files=9, most_bytes=99) == ()
    await session.run(shell="mkdir -p a/b; echo one > a/b/one; ln -s /etc/passwd link; echo two > two")
    await session.step("open('large', 'wb').write(bytes(100))")
    found = await session.files(most_files=9, most_bytes=99)
    assert {file.path: file.data for file in found} == {"a/b/one": b"one\n", "large": None, "two": b"two\n"}
    first, rest = await session.files(most_files=1, most_bytes=999)
    assert (first.path, first.data) == ("large", bytes(100))
    assert (rest.path, rest.note) == (".", "left out: files beyond 1: 2")


async def test_code_may_change_what_the_host_wrote(session: Session) -> None:
    await session.write("a/b", b"old")
    result = await session.run(shell="echo new > a/b && mv a/b c && rmdir a && chmod 700 c && stat -c %U c")
    assert (result.status, result.stdout) == ("ok", "sandbox\n"), result
    assert await session.read("c") == b"new\n"
    await session.write("c", b"newer")
    assert (await session.run(shell="cat c")).stdout == "newer"


async def test_sessions_do_not_see_each_other(pool: SandboxPool) -> None:
    async with pool.session() as one, pool.session() as two:
        await one.write("mine.txt", b"1")
        assert await two.listdir() == []


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "", "a\0b"])
async def test_a_path_out_of_the_workspace_is_refused(session: Session, path: str) -> None:
    with pytest.raises(ValueError, match="workspace"):
        await session.read(path)
    with pytest.raises(ValueError, match="workspace"):
        await session.write(path, b"")
    with pytest.raises(ValueError, match="workspace"):
        await session.listdir(path)


async def test_what_goes_wrong_with_a_file_is_the_error_open_would_raise(session: Session) -> None:
    await session.run(shell="mkdir folder; mkfifo pipe; ln -s / out; echo x > one; ln one two")
    with pytest.raises(FileNotFoundError, match="missing"):
        await session.read("missing")
    with pytest.raises(IsADirectoryError):
        await session.write("folder", b"")
    with pytest.raises(NotADirectoryError):
        await session.listdir("pipe")
    with pytest.raises(OSError, match="not a regular file"):
        await session.read("pipe")
    with pytest.raises(OSError, match="second name"):
        await session.read("two")
    with pytest.raises(OSError, match="symbolic link"):
        await session.write("out/usr/x", b"")


async def test_a_planted_link_does_not_reach_the_host(session: Session, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    await session.run(shell=f"ln -s {secret} link; ln -s {tmp_path} folder; ln -s /etc/shadow shadow")
    for path in ("link", "folder/secret", "shadow"):
        with pytest.raises(OSError, match="symbolic link"):
            await session.read(path)
    # Writing takes the link's place and leaves alone what it points to.
    await session.write("link", b"changed")
    assert await session.read("link") == b"changed"
    assert secret.read_text() == "of the host"


async def test_files_over_the_limit_are_refused(pool: SandboxPool) -> None:
    async with pool.session(limits=Limits(file_mb=1, tmp_mb=2)) as session:
        await session.write("fits", b"x" * (1 << 20))
        assert len(await session.read("fits")) == 1 << 20
        with pytest.raises(OSError, match="larger than"):
            await session.write("fits", b"x" * (1 << 20) + b"x")
        await session.write("half", b"x" * (1 << 19))
        with pytest.raises(OSError, match="No space left"):
            await session.write("too much", b"x" * (1 << 20))
        assert len(await session.read("fits")) == 1 << 20
