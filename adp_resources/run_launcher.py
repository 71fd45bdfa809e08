"""The run launcher: Dagster's default one, which also knows rounds that `adp run` executes by itself."""

from __future__ import annotations

from dagster._core.launcher.default_run_launcher import DefaultRunLauncher

COMMAND_TAG = "adp/command_pid"
"""Tag of a run that lives inside the process of `adp run`; its value is that process's id."""


class RoundRunLauncher(DefaultRunLauncher):
    """Terminates such a run by its status alone, which the run's own step looks at twice a second."""

    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        if COMMAND_TAG in run.tags:
            self._instance.report_run_canceling(run)
            return True
        return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
