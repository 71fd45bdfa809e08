"""The faults of the sandbox itself. What the code inside does wrong is never raised: it is a `Result`."""

from __future__ import annotations


class SandboxError(Exception):
    """The sandbox broke while it was in use; the code in it is not to blame, so the run may be repeated.

    `message` names the place and the cause, `remedy` the way out (empty when there is none to give).
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class SandboxUnavailable(SandboxError):
    """No jail can be made on this machine as it is set up; a person must change something first."""


class SessionLost(SandboxError):
    """The slot of a session died, and its files and variables with it; the session gets another when used."""
