"""The shapes that cross package borders: tasks, steps, trajectories, essences, and what a runtime is.

They are msgspec structs because every record passes through here on its way in and out of files, the
journal and workers: `make bench-contracts` measures decoding and validating a trajectory against the same
model in pydantic. Field names are contracts with other tools; `docs/contracts.md` lists them.
"""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from runtimes.errors import ErrorType, InvalidTask
from runtimes.text import well_formed_json
from runtimes.world import World

ActionType = Literal["code_execution", "browser_action", "tool_call"]
Outcome = Literal["solved", "unsolved", "unverified", "infrastructure_error", "cancelled"]
Withheld = Literal["judged", "refs_moved"]
Message = dict[str, Any]
"""One chat-completions message, kept exactly as it was sent or received."""

MAX_STEPS = 1000
MAX_TIMEOUT = 86_400
"""Seconds."""
MAX_USER_CHARACTERS = 200
MAX_TASK_ID_BYTES = 200
"""A task's id names its file, `<task_id>.json`, and file names end at 255 bytes."""


class Verifier(Struct, frozen=True):
    """Who decides whether a task was solved, and by what.

    `kind` names a registered verifier (`runtimes.grading`), `spec` holds what that verifier reads. A verifier
    stays with the grader: `TaskSpec.for_agent` takes it off before any runtime or model sees the task.
    """

    kind: str
    spec: dict[str, Any] = {}


class Lineage(Struct, frozen=True, omit_defaults=True):
    """Where a task came from. A seed is its own root and has generation 0."""

    root_id: str = ""
    parents: tuple[str, ...] = ()
    operator: str = "seed"
    generation: int = 0
    source: str = ""


class TaskSpec(Struct, frozen=True, kw_only=True):
    """One line of a task file: what an agent is to do, with what, and within which limits.

    `task_type` is any type a registered runtime executes. `timeout` is in seconds for the whole episode,
    `priority` runs from 1 to 10, 10 first.
    """

    task_type: Annotated[str, Meta(min_length=1)]
    description: Annotated[str, Meta(min_length=1)]
    task_id: str = ""
    expected_tools: list[str] = []
    constraints: dict[str, Any] = {}
    max_steps: Annotated[int, Meta(ge=1, le=MAX_STEPS)] = 10
    timeout: Annotated[int, Meta(ge=1, le=MAX_TIMEOUT)] = 300
    priority: Annotated[int, Meta(ge=1, le=10)] = 1
    verifier: Verifier | None = None
    lineage: Lineage = Lineage()
    metadata: dict[str, Any] = {}

    def named(self) -> TaskSpec:
        """The same task with an id, and itself as root where it had no root.

        A task without an id gets a UUID made of its content: reading the same line twice gives the same task.

        Raises InvalidTask for an id that cannot name a file, and for a user that cannot be counted by.
        """
        _check_user(self.user)
        task_id = self.task_id or str(uuid.uuid5(uuid.NAMESPACE_OID, msgspec.json.encode(self).decode()))
        check_task_id(task_id)
        lineage = self.lineage
        if not lineage.root_id:
            lineage = msgspec.structs.replace(lineage, root_id=task_id)
        return msgspec.structs.replace(self, task_id=task_id, lineage=lineage)

    def for_agent(self) -> TaskSpec:
        """The task as an agent's runtime may see it: without verifier, lineage and metadata but its user."""
        metadata = {"user_id": self.user} if self.user else {}
        return msgspec.structs.replace(self, verifier=None, lineage=Lineage(), metadata=metadata)

    @property
    def user(self) -> str:
        """Whose task it is, as its metadata says; empty where nobody is named."""
        return str(self.metadata.get("user_id") or "")


def _check_user(user: str) -> None:
    if len(user) > MAX_USER_CHARACTERS or "\0" in user:
        raise InvalidTask(
            f"metadata.user_id {user[:40]!r} holds NUL, or is longer than {MAX_USER_CHARACTERS} characters.",
            "Shorten it.",
        )


def check_task_id(task_id: str) -> None:
    """Raise InvalidTask unless `task_id` can name a file that `ls *.json` lists."""
    remedy = "Use letters, digits, '-', '_', ':' and '.', the last not first."
    if any(c in "/\\" or ord(c) < 32 for c in task_id):
        raise InvalidTask(f"task_id {task_id!r} holds a path separator or a control character.", remedy)
    if task_id.startswith(".") or task_id != task_id.strip():
        raise InvalidTask(f"task_id {task_id!r} starts with a dot, or starts or ends with a space.", remedy)
    if len(task_id.encode()) > MAX_TASK_ID_BYTES:
        raise InvalidTask(
            f"task_id {task_id[:40]!r}... is longer than {MAX_TASK_ID_BYTES} bytes.", "Shorten it."
        )


class WebRecord(Struct, kw_only=True, omit_defaults=True):
    """What a browser step was done to and what it did, enough to do it again in another browser.

    `locator` (and `to_locator` of a drag) is a Playwright selector without refs, `box` the element's
    x, y, width and height in the viewport, CSS pixels. `snapshot` and `screenshot` are SHA-256 digests, hex:
    of the observation's whole snapshot, and of a picture beside the trajectories. `error_class` is finer than
    the step's error type. `timings_ms` names the parts of the step. `tab` counts from 0.
    """

    ref: str = ""
    locator: str = ""
    to_locator: str = ""
    box: tuple[float, float, float, float] | None = None
    tab: int = 0
    url_before: str = ""
    url_after: str = ""
    snapshot: str = ""
    screenshot: str = ""
    page_changed: bool | None = None
    dialogs: list[dict[str, str]] = []
    downloads: list[str] = []
    popups: list[str] = []
    blocked: list[str] = []
    error_class: str = ""
    timings_ms: dict[str, float] = {}


class ExecutionStep(Struct, kw_only=True):
    """One action of an agent and what came of it.

    `timestamp` is epoch seconds at the start, `duration` seconds. Steps that one model reply asked for share
    `turn`; the reply itself, raw, is the `message` of the first of them and its tokens are counted there.
    `echo` is what later requests hold in its place, None where they hold the reply as it is: what no provider
    takes back, such as arguments that are not JSON, goes back mended. `observation` is None where nothing
    came back: the episode ended with the step, or before it. `web` is None for steps on no page. `extra` is
    as in Trajectory.
    """

    step_id: int | str
    action_type: ActionType
    action_params: dict[str, Any] = {}
    observation: Any = ""
    success: bool
    error_type: ErrorType | None = None
    error_message: str | None = None
    timestamp: float = 0.0
    duration: float = 0.0
    thought: str = ""
    turn: int = 0
    tool_name: str = ""
    tool_call_id: str = ""
    message: Message | None = None
    echo: Message | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    web: WebRecord | None = None
    extra: dict[str, Any] = {}


class Grade(Struct, frozen=True, kw_only=True):
    """A verifier's verdict: `reward` from 0 to 1, solved when it is 1, and why in words.

    `judged` says that it is the word of a judge alone: nothing was executed, compared or counted.
    """

    verifier: str
    reward: float
    reason: str = ""
    judged: bool = False

    @property
    def solved(self) -> bool:
        return self.reward >= 1.0


class Trim(Struct, frozen=True, kw_only=True):
    """One observation that was cut so that the conversation stayed within the model's window.

    In the request of `turn` and all after it, the message with what step `step_id` observed reads `content`.
    Step 0 is the last message of the prompt, which holds the first page.
    """

    turn: int
    step_id: int | str
    content: str


class Trajectory(Struct, kw_only=True):
    """One episode: a task, executed once, with every step and the verdict.

    The first ten fields are the format other tools read. `outcome` says where the matter ended: it follows
    where a fault was raised, never the error type alone, and `success` is true only for `solved`. `surplus`
    marks what was solved when as many as were asked for had been: kept, and in no dataset. `prompt` and
    `tools` are what the model was given first; `messages()` is the conversation, `requests()` what the model
    was sent of it, which differ by `trims`. `extra` holds fields of foreign files that this version does not
    know, so that reading and writing lose nothing.
    """

    task_id: str
    runtime_id: str
    success: bool = False
    steps: list[ExecutionStep] = []
    final_result: Any = None
    error_type: ErrorType | None = None
    error_message: str | None = None
    total_duration: float = 0.0
    metadata: dict[str, Any] = {}
    created_at: float = msgspec.field(default_factory=time.time)

    task_type: str = ""
    round: str = ""
    sample: int = 0
    outcome: Outcome = "unverified"
    verified: bool = False
    verifier: str = ""
    reward: float | None = None
    grade_reason: str = ""
    judged: bool = False
    surplus: bool = False
    teacher: str = ""
    model: str = ""
    sampling: dict[str, Any] = {}
    prompt_hash: str = ""
    code_version: str = ""
    prompt: list[Message] = []
    tools: list[dict[str, Any]] = []
    trims: list[Trim] = []
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    extra: dict[str, Any] = {}

    @property
    def finished(self) -> bool:
        """Whether the task had its fair try; our own failures and cancellations are to be repeated."""
        return self.outcome in {"solved", "unsolved", "unverified"}

    @property
    def withheld(self) -> Withheld | None:
        """Why datasets leave it out, solved as it may be; `judged` only where they are not told to take such.

        Where an earlier solution was done again and refs had moved, its calls name refs of other pages.
        """
        if self.metadata.get("refs_moved"):
            return "refs_moved"
        return "judged" if self.judged else None

    def messages(self) -> list[Message]:
        """The conversation in order, as chat completions have it, with observations whole.

        It ends with the model's last reply: what came of that, no model saw, and it is in the steps. So every
        call is answered but those of the last message, or none of them, as trainers want it.
        """
        replies = [at for at, step in enumerate(self.steps) if step.message is not None]
        last = replies[-1] if replies else len(self.steps)
        messages = list(self.prompt)
        for at, step in enumerate(self.steps):
            if step.message is not None:
                messages.append(step.message)
            if at < last and (answer := _answer(step)):
                messages.append(answer)
        return messages

    def requests(self) -> list[list[Message]]:
        """The messages of each request that got a reply, turn by turn, exactly as they were sent."""
        requests: list[list[Message]] = []
        messages = list(self.prompt)
        places: dict[int | str, int] = {0: len(messages) - 1}
        for step in self.steps:
            if step.message is not None:
                for trim in self.trims:
                    if trim.turn == step.turn and trim.step_id in places:
                        place = places[trim.step_id]
                        messages[place] = {**messages[place], "content": trim.content}
                requests.append(list(messages))
                messages.append(step.echo or step.message)
            if answer := _answer(step):
                places[step.step_id] = len(messages)
                messages.append(answer)
        return requests

    def graded(self, grade: Grade | None) -> Trajectory:
        """This trajectory with its verdict; without a grade it is unverified, never taken as passed."""
        if not self.finished:
            return self
        if grade is None:
            return msgspec.structs.replace(
                self, outcome="unverified", success=False, verified=False, reward=None, judged=False
            )
        return msgspec.structs.replace(
            self,
            outcome="solved" if grade.solved else "unsolved",
            success=grade.solved,
            verified=True,
            verifier=grade.verifier,
            reward=grade.reward,
            grade_reason=grade.reason,
            judged=grade.judged,
        )


def _answer(step: ExecutionStep) -> Message | None:
    """The message that tells the model what came of a step; None where nothing was told."""
    if step.observation is None:
        return None
    if step.tool_call_id:
        return {"role": "tool", "tool_call_id": step.tool_call_id, "content": step.observation}
    return {"role": "user", "content": step.observation} if step.observation else None


class SuccessPattern(Struct, frozen=True, kw_only=True):
    """What worked: the steps that mattered, their shape, and how one could tell."""

    key_steps: list[str]
    execution_pattern: str
    success_indicators: list[str]


class Essence(Struct, frozen=True, kw_only=True):
    """What one trajectory teaches, small enough to make new tasks from.

    `kind` is `success`, or `failure` for an instructive one. `evidence` are the ids of the steps that the
    pattern rests on, `verifier` is the kind that gave the verdict, `skills` are the tools whose calls worked.
    `steps` and `seconds` are what the whole episode took; 0 where nobody wrote it down.
    """

    essence_id: str
    task_id: str
    root_id: str
    round: str
    task_type: str
    domain: str
    query: str
    complexity_level: Literal["simple", "medium", "complex"]
    success_pattern: SuccessPattern
    kind: Literal["success", "failure"] = "success"
    evidence: list[str] = []
    verifier: str = ""
    skills: list[str] = []
    steps: int = 0
    seconds: float = 0.0


class Health(Struct, frozen=True):
    """Whether a runtime can take work now, why not, and the way out."""

    healthy: bool
    detail: str = ""
    remedy: str = ""


class Runtime(ABC):
    """What executes one type of task. Register one with the entry point group `adp.runtimes`.

    An episode's own failure is part of the trajectory it returns; only a fault of the runtime itself may be
    raised, as InfrastructureError.
    """

    task_type: str
    runtime_id: str
    capabilities: frozenset[str]

    @abstractmethod
    async def execute(self, task: TaskSpec, *, sample: int = 0, round: str = "") -> Trajectory:
        """Run `task` once. `sample` varies the model's seed; one sample is as repeatable as the model."""

    @asynccontextmanager
    async def episode(
        self, task: TaskSpec, *, sample: int = 0, round: str = "", keep_page: bool = False
    ) -> AsyncIterator[tuple[Trajectory, World]]:
        """Run `task` once, and what a verifier may see of its end while the context lasts.

        A runtime with a page overrides this: with `keep_page` it leaves the agent's last page open.
        """
        yield await self.execute(task, sample=sample, round=round), World()

    async def health_check(self) -> Health:
        """Prove that the runtime could take a task now."""
        return Health(True)

    async def cleanup(self) -> None:  # noqa: B027 - most runtimes own nothing
        """Release everything the runtime opened; safe to call twice."""


_KNOWN_FIELDS = frozenset(Trajectory.__struct_fields__) - {"extra"}
_KNOWN_TASK_FIELDS = frozenset(TaskSpec.__struct_fields__)
_KNOWN_STEP_FIELDS = frozenset(ExecutionStep.__struct_fields__) - {"extra"}


def trajectory_to_json(trajectory: Trajectory) -> bytes:
    """The one JSON form of a trajectory, UTF-8, with foreign fields back where they were."""
    plain = msgspec.to_builtins(trajectory)
    plain["steps"] = [{**step.pop("extra"), **step} for step in plain["steps"]]
    document = {**plain.pop("extra"), **plain}
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return msgspec.json.encode(well_formed_json(document))


def trajectory_from_json(data: bytes | str) -> Trajectory:
    """Read what `trajectory_to_json` wrote, or an older or foreign file of the same format.

    Raises msgspec.ValidationError naming the field, msgspec.DecodeError for what is not JSON.
    """
    plain = _decoded(data)
    extra = _foreign(plain, _KNOWN_FIELDS)
    steps = plain.get("steps")
    found = [_foreign(step, _KNOWN_STEP_FIELDS) for step in steps] if isinstance(steps, list) else []
    trajectory = msgspec.convert(plain, Trajectory)
    trajectory.extra = extra
    for step, foreign in zip(trajectory.steps, found, strict=True):
        step.extra = foreign
    return trajectory


def _decoded(data: bytes | str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error


def _foreign(plain: Any, known: frozenset[str]) -> dict[str, Any]:
    """Take the fields that are not known out of an object; what is no object has none."""
    if not isinstance(plain, dict) or plain.keys() <= known:
        return {}
    return {key: plain.pop(key) for key in list(plain) if key not in known}


def task_from_json(data: bytes | str) -> TaskSpec:
    """One task line, named; fields this version does not know are kept in its metadata.

    Raises InvalidTask saying which field is wrong and why.
    """
    try:
        plain = _decoded(data)
        foreign = _foreign(plain, _KNOWN_TASK_FIELDS)
        task = msgspec.convert(plain, TaskSpec)
    except msgspec.MsgspecError as error:
        raise InvalidTask(f"not a task: {error}.") from error
    if foreign:
        task = msgspec.structs.replace(task, metadata={**foreign, **task.metadata})
    return task.named()
