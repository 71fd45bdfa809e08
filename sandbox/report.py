"""What the driver reports of one request, read with distrust and turned into a result."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sandbox.contracts import JailLost, Limits, Result
from sandbox.verdict import judge

LOST = "[sandbox: the jail was lost with this run; the next run starts in a new one with an empty workspace]"


@dataclass(frozen=True)
class Report:
    """How a request ended. `stopped` is the limit for which the driver ended it, empty if it ended itself."""

    stopped: str
    exit_code: int | None
    signal: int | None
    wall_seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    stdout: bytes
    stderr: bytes

    @classmethod
    def parse(cls, reply: list[bytes]) -> Report:
        """Raises JailLost for what no driver reports: code that took one over could say anything."""
        try:
            done, stopped, numbers, stdout, stderr = reply
            status, wall, cpu, peak_kb = numbers.split()
            if done != b"done":
                raise ValueError(done)
            code = os.waitstatus_to_exitcode(int(status))
            return cls(
                stopped=stopped.decode("ascii"),
                exit_code=code if code >= 0 else None,
                signal=-code if code < 0 else None,
                wall_seconds=float(wall),
                cpu_seconds=float(cpu),
                peak_memory_mb=int(peak_kb) / 1024,
                stdout=stdout,
                stderr=stderr,
            )
        except ValueError as error:
            raise JailLost("the driver's report has another form") from error

    def result(self, limits: Limits, protections: tuple[str, ...]) -> Result:
        """The run's result under `limits`, with a mark at the end of a stream that was cut."""
        stderr = self.stderr.decode(errors="replace")
        status = judge(
            stopped=self.stopped,
            exit_code=self.exit_code,
            signal=self.signal,
            stderr=stderr,
            cpu_seconds=self.cpu_seconds,
            limits=limits,
        )
        cut = f"\n[sandbox: cut at {limits.output_bytes} bytes]" if status == "output_limit" else ""
        return Result(
            status=status,
            exit_code=self.exit_code,
            signal=self.signal,
            stdout=self.stdout.decode(errors="replace") + cut * (len(self.stdout) == limits.output_bytes),
            stderr=stderr + cut * (len(self.stderr) == limits.output_bytes),
            wall_seconds=self.wall_seconds,
            cpu_seconds=self.cpu_seconds,
            peak_memory_mb=self.peak_memory_mb,
            protections=protections,
        )


def lost_result(error: JailLost | TimeoutError, wall_seconds: float, protections: tuple[str, ...]) -> Result:
    """The result of a run that cost its jail: it killed the driver, or kept it from answering in time."""
    return Result(
        status="timeout" if isinstance(error, TimeoutError) else "crashed",
        exit_code=None,
        signal=None,
        stdout="",
        stderr=LOST,
        wall_seconds=wall_seconds,
        cpu_seconds=0.0,
        peak_memory_mb=0.0,
        protections=protections,
    )
