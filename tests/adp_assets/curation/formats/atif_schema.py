"""ATIF as the specification has it (RFC 0001 of harbor-framework/harbor, version 1.7), as strict models.

Keys that may be missing may not be null, and there are no others. The Agent Data Protocol differs in how it
tells a reply's price, and wants ids that are unique.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

AGENT_ONLY = {"model_name", "reasoning_effort", "reasoning_content", "tool_calls", "metrics"}


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def no_key_without_a_value(cls, values: Any) -> Any:
        assert all(value is not None for value in values.values())
        return values


class ToolCall(Strict):
    tool_call_id: str = Field(min_length=1)
    function_name: str = Field(min_length=1)
    arguments: dict[str, Any]
    extra: dict[str, Any] = {}


class Result(Strict):
    source_call_id: str = ""
    content: str
    extra: dict[str, Any] = {}


class Observation(Strict):
    results: list[Result]


class Metrics(Strict):
    prompt_tokens: int = Field(0, ge=0)
    completion_tokens: int = Field(0, ge=0)
    cached_tokens: int = Field(0, ge=0)
    cost_usd: float = 0.0
    extra: dict[str, Any] = {}


class Step(Strict):
    step_id: int
    timestamp: str = ""
    source: Literal["system", "user", "agent"]
    model_name: str = ""
    message: str
    reasoning_content: str = ""
    tool_calls: list[ToolCall] = []
    observation: Observation = Observation(results=[])
    metrics: Metrics | None = None
    is_copied_context: bool = False
    llm_call_count: int = 1
    extra: dict[str, Any] = {}

    @model_validator(mode="after")
    def of_its_source(self) -> Step:
        assert self.source == "agent" or not AGENT_ONLY & self.model_fields_set
        if self.timestamp:
            datetime.fromisoformat(self.timestamp)
        made = {call.tool_call_id for call in self.tool_calls}
        assert all(
            not each.source_call_id or each.source_call_id in made for each in self.observation.results
        )
        return self


class Agent(Strict):
    name: str
    version: str
    model_name: str = ""
    tool_definitions: list[dict[str, Any]] = []
    extra: dict[str, Any] = {}


class FinalMetrics(Strict):
    total_prompt_tokens: int = 0
    total_completion_tokens: int = 0
    total_cost_usd: float = 0.0
    total_steps: int = 0


class Document(Strict):
    schema_version: Literal["ATIF-v1.7"]
    session_id: str
    trajectory_id: str
    agent: Agent
    steps: list[Step] = Field(min_length=1)
    final_metrics: FinalMetrics
    extra: dict[str, Any] = {}

    @model_validator(mode="after")
    def in_order(self) -> Document:
        assert [step.step_id for step in self.steps] == list(range(1, len(self.steps) + 1))
        assert self.final_metrics.total_steps == len(self.steps)
        return self


class ProtocolMetrics(Strict):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost: float = 0.0
    extra: dict[str, Any] = {}


class ProtocolStep(Step):
    metrics: ProtocolMetrics | None = None  # type: ignore[assignment]


class ProtocolDocument(Document):
    steps: list[ProtocolStep] = Field(min_length=1)  # type: ignore[assignment]

    @model_validator(mode="after")
    def calls_have_ids_of_their_own(self) -> ProtocolDocument:
        ids = [call.tool_call_id for step in self.steps for call in step.tool_calls]
        assert len(ids) == len(set(ids))
        return self
