"""How untrusted code runs: in jails, under limits. Knows nothing of tasks, models or pipelines."""

from sandbox.contracts import Limits, Result, Status
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.pool import SandboxPool
from sandbox.session import Session

__all__ = ["Limits", "Result", "SandboxError", "SandboxPool", "SandboxUnavailable", "Session", "Status"]
