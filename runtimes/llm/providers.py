"""Which model answers: the providers in their order, and the built-in teacher when there is none."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass, field

import msgspec

from runtimes.errors import ConfigurationError
from runtimes.llm.base import ChatModel
from runtimes.llm.client import OpenAIChat
from runtimes.llm.retry import RetryPolicy

BUILTIN = "builtin"
DEFAULT_VLLM_URL = "http://localhost:8000"


@dataclass(frozen=True)
class Provider:
    """One provider as configured: a key that is set makes it a candidate."""

    name: str
    api_key: str
    base_url: str
    model: str


@dataclass(frozen=True)
class ModelChoice:
    """What the environment says about models, as plain values; `providers` in the order of preference."""

    providers: tuple[Provider, ...] = ()
    vllm_url: str = DEFAULT_VLLM_URL
    vllm_model: str = ""
    model: str = ""
    teacher_error_rate: float = 0.15
    retry: RetryPolicy = field(default_factory=RetryPolicy)


def choose_model(choice: ModelChoice) -> ChatModel:
    """The first configured provider, else the vLLM server, else the built-in teacher.

    `choice.model` overrides the chosen provider's model; `builtin` asks for the teacher. The teacher stands
    in for a vLLM server that does not answer only when nothing points at one: the address is the default and
    neither `model` nor `vllm_model` is set. Otherwise that raises ConfigurationError, as does a server that
    lists no model when none is set.
    """
    if choice.model == BUILTIN:
        return _teacher(choice)
    for provider in choice.providers:
        if provider.api_key:
            return OpenAIChat(
                provider=provider.name,
                model=choice.model or provider.model,
                base_url=provider.base_url,
                api_key=provider.api_key,
                retry=choice.retry,
            )
    return _vllm(choice) or _teacher(choice)


def _teacher(choice: ModelChoice) -> ChatModel:
    from runtimes.llm.teacher import Teacher

    return Teacher(error_rate=choice.teacher_error_rate)


def _vllm(choice: ModelChoice) -> ChatModel | None:
    base_url = with_version(choice.vllm_url)
    named = choice.model or choice.vllm_model
    try:
        served = served_models(base_url)
    except OSError as error:
        if choice.vllm_url.rstrip("/") == DEFAULT_VLLM_URL and not named:
            return None
        raise ConfigurationError(
            f"No LLM server answers at VLLM_URL={choice.vllm_url} ({error}).",
            "Start it or correct VLLM_URL, set another provider's key, "
            "or use `--model builtin` for the built-in teacher.",
        ) from error
    model = named or next(iter(served), "")
    if not model:
        raise ConfigurationError(f"{base_url}/models lists no model.", "Set MODEL or pass --model.")
    return OpenAIChat(provider="vllm", model=model, base_url=base_url, api_key="none", retry=choice.retry)


def served_models(base_url: str, timeout: float = 2.0) -> list[str]:
    """The ids a server lists under `/models`. Raises OSError when nothing usable answers in `timeout` s."""
    try:
        with urllib.request.urlopen(f"{base_url}/models", timeout=timeout) as response:
            listed = msgspec.json.decode(response.read())
        return [str(entry["id"]) for entry in listed["data"]]
    except urllib.error.HTTPError as error:
        return [] if error.code < 500 else _no_server(error)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        return _no_server(error)


def _no_server(error: Exception) -> list[str]:
    raise OSError(f"not an OpenAI-compatible server: {error}") from error


def with_version(url: str) -> str:
    """A vLLM address as the client wants it: users set it with and without `/v1`."""
    url = url.rstrip("/")
    return url if url.endswith("/v1") else f"{url}/v1"


def gemini_base(url: str) -> str:
    """Gemini's OpenAI-compatible address; its native `.../v1beta` base gets `/openai` appended."""
    url = url.rstrip("/")
    return f"{url}/openai" if url.endswith(("/v1beta", "/v1")) else url
