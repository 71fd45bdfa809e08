"""How untrusted code runs: in jails, under limits. Knows nothing of tasks, models or pipelines."""

from sandbox.contracts import File, Limits, Result, Status
from sandbox.errors import SandboxError, SandboxUnavailable, SessionLost
from sandbox.pool import SandboxPool
from sandbox.profiles import Profile, profile_of
from sandbox.session import Branch, Session, Snapshot

__all__ = [
    "Branch",
    "File",
    "Limits",
    "Profile",
    "Result",
    "SandboxError",
    "SandboxPool",
    "SandboxUnavailable",
    "Session",
    "SessionLost",
    "Snapshot",
    "Status",
    "profile_of",
]
