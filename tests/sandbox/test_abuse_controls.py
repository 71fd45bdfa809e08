"""Whether the probes of `abuse` can fail: each has to succeed where there is no sandbox."""

from __future__ import annotations

import pytest

from tests.sandbox.abuse import PROBES
from tests.sandbox.abuse.control import run_unprotected
from tests.sandbox.abuse.host import Host
from tests.sandbox.abuse.probe import Probe, verdict


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_probe_succeeds_where_there_is_no_sandbox(probe: Probe) -> None:
    outcome = run_unprotected(probe)
    if outcome.cannot:
        pytest.skip(f"cannot be shown on this host: {outcome.cannot}")
    assert outcome.breached, outcome.output


def test_there_are_enough_probes_and_each_has_a_name_of_its_own() -> None:
    names = [probe.name for probe in PROBES]
    assert len(set(names)) == len(names) >= 130


@pytest.mark.parametrize(
    ("stdout", "expected"),
    [
        ("BREACH root's password\n", "breach"),
        ("blocked EPERM\nBREACH after all\n", "breach"),
        ("blocked EPERM\n", "blocked"),
        ("", "broken"),
        ("Traceback\n", "broken"),
        ("blocked EPERM\nblocked EPERM\n", "broken"),
    ],
)
def test_only_a_clear_word_counts_as_blocked(stdout: str, expected: str) -> None:
    assert verdict(stdout) == expected


def test_victims_left_alone_are_unharmed_and_gone_afterwards() -> None:
    with Host() as host:
        assert host.harmed() == []
        host.victim.kill()
        host.victim.wait()
        assert host.harmed() == ["a process of the host was killed"]
    assert not host.secret_file.exists()
