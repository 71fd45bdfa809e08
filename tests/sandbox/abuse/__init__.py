"""Attempts at what a sandbox forbids, as plain data by theme; each succeeds where there is no sandbox."""

from tests.sandbox.abuse import (
    files,
    ipc,
    kernel,
    namespaces,
    network,
    privileges,
    proc,
    processes,
    resources,
    system_calls,
)
from tests.sandbox.abuse.probe import Probe

PROBES: tuple[Probe, ...] = (
    *network.PROBES,
    *files.PROBES,
    *proc.PROBES,
    *processes.PROBES,
    *privileges.PROBES,
    *namespaces.PROBES,
    *system_calls.PROBES,
    *kernel.PROBES,
    *ipc.PROBES,
    *resources.PROBES,
)
