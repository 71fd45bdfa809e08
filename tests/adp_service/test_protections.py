"""The second table of `adp doctor`: names that can be copied, a reason for every no, and what is used."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from adp_resources.settings import Settings
from adp_service.cli import protections
from adp_service.cli.protections import protections_table
from sandbox.backends.choice import Examined
from sandbox.backends.protections import HARDENING, MEANING, NAMESPACES
from sandbox.cgroups import Parent

WALLED = (*NAMESPACES, *HARDENING, "bounded_inodes")
FOUND = [
    Examined("zygote", object(), WALLED),  # type: ignore[arg-type]
    Examined("nsjail", None, problem="nsjail is not on PATH."),
    Examined("landlock", object(), (*HARDENING, "landlock", "no_network", "no_signals_out")),  # type: ignore[arg-type]
]
GROUPS = Parent(2, {}, {"memory_cgroup": "memory: no permission. Give SANDBOX_CGROUP."}, "")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def examine_all(cgroup: str | None) -> tuple[list[Examined], Parent]:
        return FOUND, GROUPS

    monkeypatch.setattr(protections, "examine_all", examine_all)


async def shown(width: int = 80, **settings: Any) -> str:
    console = Console(file=io.StringIO(), width=width, soft_wrap=True)
    console.print(await protections_table(Settings(**settings), width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_names_are_whole_in_a_narrow_terminal_and_explained_in_a_wide_one(found: None) -> None:
    narrow, wide = await shown(80), await shown(200)
    for name, meaning in MEANING.items():
        assert f" {name} " in narrow
        assert meaning in wide
    assert "seccomp *" in narrow
    assert "bounded_inodes *" not in narrow


async def test_every_no_has_a_reason(found: None) -> None:
    text = await shown()
    assert "zygote without no_network: it has network_namespace instead." in text
    assert "zygote without ids_of_its_own: only root" in text
    assert "landlock without bounded_inodes: files are counted" in text
    assert "memory_cgroup: memory: no permission." in text
    assert "nsjail cannot be had: nsjail is not on PATH." in text


@pytest.mark.parametrize(
    ("wish", "minimum", "words"),
    [
        ("auto", "", "SANDBOX_BACKEND=auto takes zygote."),
        ("auto", "ids_of_its_own", "SANDBOX_BACKEND=auto takes none: no backend has what is required."),
        ("zygote", "", "SANDBOX_BACKEND=zygote is used."),
        ("landlock", "landlock", "SANDBOX_BACKEND=landlock is used."),
        ("landlock", "", "SANDBOX_BACKEND=landlock is not used: it is without cgroup_namespace, "),
        ("nsjail", "", "SANDBOX_BACKEND=nsjail cannot be had. Set it to auto (zygote)."),
    ],
)
async def test_a_wish_for_a_backend_is_answered(found: None, wish: str, minimum: str, words: str) -> None:
    assert words in await shown(sandbox_backend=wish, sandbox_minimum=minimum)


async def test_a_folder_that_is_no_control_group_is_a_finding() -> None:
    text = await shown(sandbox_cgroup="/tmp")
    assert "The folder /tmp is no control group. Give one" in text
