"""Which model answers: the configured providers in their order, the built-in teacher when there is none."""

from __future__ import annotations

import logging
import re
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from runtimes.errors import ConfigurationError
from runtimes.llm.base import BUILTIN, ChatModel
from runtimes.llm.catalog import DEFAULT_VLLM_URL, ROWS, with_version
from runtimes.llm.client import OpenAIChat
from runtimes.llm.failover import DEADLINE_SECONDS, Failover
from runtimes.llm.retry import RetryPolicy

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Provider:
    """One provider as configured, its name that of its row in the catalog; a key makes it a candidate."""

    name: str
    api_key: str
    base_url: str
    model: str


@dataclass(frozen=True)
class ModelChoice:
    """What the environment says about models, as plain values; `providers` in the order of preference.

    `timeout` is of one try and `deadline` of a whole call, in seconds. With `failover`, all that are
    configured are used, otherwise the first alone.
    """

    providers: tuple[Provider, ...] = ()
    vllm_url: str = DEFAULT_VLLM_URL
    vllm_model: str = ""
    model: str = ""
    failover: bool = True
    teacher_error_rate: float = 0.15
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: float = 120.0
    deadline: float = DEADLINE_SECONDS
    max_in_flight: int = 256


def choose_model(choice: ModelChoice) -> ChatModel:
    """The configured providers with a key, else the vLLM server, else the built-in teacher.

    The first of the providers answers, the others when it cannot, last of all a vLLM server that is set.
    `choice.model` overrides the first one's model and leaves no other, who would not know it; `builtin` asks
    for the teacher. The teacher stands in for a vLLM server that does not answer only when nothing points at
    one: the address is the default and neither `model` nor `vllm_model` is set. Otherwise that raises
    ConfigurationError, as do a server that lists no model when none is set, and an address or a key that
    cannot be one.
    """
    if choice.model == BUILTIN:
        return _teacher(choice)
    keyed = [provider for provider in choice.providers if provider.api_key]
    if not keyed:
        served = _vllm(choice)
        return _teacher(choice) if served is None else _failover(choice, [served])
    if choice.model:
        first = keyed[0]
        return _failover(choice, [Provider(first.name, first.api_key, first.base_url, choice.model)])
    if not choice.failover:
        return _failover(choice, keyed[:1])
    return _failover(choice, [*keyed, *_vllm_as_last(choice)])


def _failover(choice: ModelChoice, providers: list[Provider]) -> Failover:
    for provider in providers:
        _check(provider)
    clients = [
        OpenAIChat(
            provider=provider.name,
            model=provider.model,
            base_url=provider.base_url,
            api_key=provider.api_key,
            retry=choice.retry,
            timeout=choice.timeout,
            max_in_flight=choice.max_in_flight,
        )
        for provider in providers
    ]
    return Failover(clients, deadline=choice.deadline)


def _check(provider: Provider) -> None:
    """Raise ConfigurationError for what could be sent nowhere."""
    row = ROWS[provider.name]
    if urlsplit(provider.base_url).scheme not in {"http", "https"} or not urlsplit(provider.base_url).netloc:
        raise ConfigurationError(
            f"{row.url_variable} is no address: {provider.base_url!r}.", f"Write it as {row.url}."
        )
    if not re.fullmatch("[!-~]+", provider.api_key):
        raise ConfigurationError(
            f"{row.key_variable} holds a character that no key has, such as a space.", "Copy the key anew."
        )


def _teacher(choice: ModelChoice) -> ChatModel:
    from runtimes.llm.teacher import Teacher

    return Teacher(error_rate=choice.teacher_error_rate)


def _vllm(choice: ModelChoice) -> Provider | None:
    base_url = with_version(choice.vllm_url)
    named = choice.model or choice.vllm_model
    try:
        served = served_models(base_url)
    except OSError as error:
        if _is_default(choice) and not named:
            return None
        raise ConfigurationError(
            f"No LLM server answers at VLLM_URL={choice.vllm_url} ({error}).",
            "Set SSL_CERT_FILE to a file with the certificate of its authority, or correct VLLM_URL."
            if isinstance(error.__cause__, ssl.SSLCertVerificationError)
            else "Start it or correct VLLM_URL, set another provider's key, "
            "or use `--model builtin` for the built-in teacher.",
        ) from error
    model = named or next(iter(served), "")
    if not model:
        raise ConfigurationError(f"{base_url}/models lists no model.", "Set MODEL or pass --model.")
    return Provider("vllm", "none", base_url, model)


def _vllm_as_last(choice: ModelChoice) -> list[Provider]:
    """The vLLM server behind other providers: one that was set, and that answers now."""
    if _is_default(choice):
        return []
    try:
        served = _vllm(choice)
    except ConfigurationError as error:
        log.warning("%s Going on without it.", error.message)
        return []
    return [served] if served is not None else []


def _is_default(choice: ModelChoice) -> bool:
    return choice.vllm_url.rstrip("/") == DEFAULT_VLLM_URL


def served_models(base_url: str, timeout: float = 2.0) -> list[str]:
    """The ids a server lists under `/models`. Raises OSError when nothing usable answers in `timeout` s."""
    try:
        with urllib.request.urlopen(f"{base_url}/models", timeout=timeout) as response:
            listed = msgspec.json.decode(response.read())
        return [str(entry["id"]) for entry in listed["data"]]
    except urllib.error.HTTPError as error:
        return [] if error.code < 500 else _no_server(error)
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise OSError(
                f"nobody vouches for its certificate: {error.reason.verify_message}"
            ) from error.reason
        raise
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        return _no_server(error)


def _no_server(error: Exception) -> list[str]:
    raise OSError(f"not an OpenAI-compatible server: {error}") from error
