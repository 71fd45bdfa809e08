"""The errors that cross a room of this package, each with its cause and the way out.

Two of them carry the platform's most important distinction. A `ToolError` is the agent's own failure: the
agent sees it as an observation and may go on. An `InfrastructureError` is ours: the episode ends, is tried
again, and never counts as a failed task. A `ToolUnavailable` is between the two: the agent may go on without.
"""

from __future__ import annotations

from typing import Literal

from runtimes.text import well_formed

ErrorType = Literal[
    "timeout",
    "network_error",
    "compile_error",
    "runtime_error",
    "browser_error",
    "system_error",
]


class PlatformError(Exception):
    """A fault with a message a user can act on.

    `message` names the place and the cause, `remedy` the way out (empty when there is none to give).
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = well_formed(message)
        self.remedy = remedy
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class InvalidTask(PlatformError):
    """A task that cannot be run as it is written; raised where tasks are read."""


class ConfigurationError(PlatformError):
    """A setting, path or installation that must be changed by a person before anything can run."""


class ToolError(PlatformError):
    """A tool call that failed by the agent's doing; shown to the agent, which may go on.

    `error_class` is finer than the type where there is something finer to say; see `WebRecord`.
    """

    def __init__(
        self, error_type: ErrorType, message: str, remedy: str = "", *, error_class: str = ""
    ) -> None:
        super().__init__(message, remedy)
        self.error_type: ErrorType = error_type
        self.error_class = error_class


CONTEXT_LENGTH = "context_length"
"""The `error_class` where a conversation is too long for its model, said by us or by the model's provider."""


class ToolUnavailable(ToolError):
    """A tool that failed by no doing of the agent's: its server is gone, it gave no answer, it is cut off.

    The agent sees it and may go on by other ways. Its circuit breaker counts these and no other errors.
    """


class VerifierFault(PlatformError):
    """The verifier itself is at fault, its script broken or its page nowhere: no try could give a verdict."""


class InfrastructureError(PlatformError):
    """The platform's own failure: sandbox, browser, model or disk. Tried again, never the task's fault."""

    def __init__(self, error_type: ErrorType, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.error_type: ErrorType = error_type


class ModelUnavailable(InfrastructureError):
    """The model's server gave no usable answer after every retry."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__("network_error", message, remedy)


class ModelRefused(InfrastructureError):
    """The model's server refused the request for good: a bad key, an unknown model. Retrying cannot help."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__("system_error", message, remedy)


class BudgetSpent(PlatformError):
    """A limit of a round's or a user's tokens or money is reached; the call that would pass it is not made.

    Nobody's fault: the episode is given up as `cancelled`, and can be gone on with later. `user` says whose
    limit it is, where it is not the round's: then the tasks of all others go on.
    """

    def __init__(self, message: str, remedy: str = "", *, user: str | None = None) -> None:
        super().__init__(message, remedy)
        self.user = user
