"""What an error of a provider means: tried again, waited out, sent elsewhere, the agent's or a person's."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from runtimes.errors import CONTEXT_LENGTH, InfrastructureError, ModelRefused, ToolError
from runtimes.llm.pace import RateLimited
from runtimes.llm.retry import Transient, retry_after

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError

_REFUSED = {401, 403, 404}
_PASSING = {408, 409, 425}
_RATE_LIMITED = 429
_PAYMENT_REQUIRED = 402

# OpenAI says by 429 both "slow down" and "you have no money left".
_OUT_OF_CREDIT = re.compile(r"insufficient_quota|billing_hard_limit|insufficient balance", re.IGNORECASE)
# Gemini says how long to wait in the body alone.
_RETRY_DELAY = re.compile(r"""retryDelay['"]:\s*['"](\d+(?:\.\d+)?)s""")

# Providers agree neither on a status nor on a code for these, so their wordings are all there is.
_CONVERSATION_REFUSED_STATUS = {400, 413, 422}
_TOO_LONG = re.compile(
    r"context[_ -]?(length|window|size)|too many (input |prompt )?tokens|(prompt|input) is too long"
    r"|input token count|reduce the length of",
    re.IGNORECASE,
)
_CONTENT_REFUSED = re.compile(
    r"content[_ -]?(filter|management|policy)|usage policy|content exists risk|data_inspection_failed",
    re.IGNORECASE,
)
_FORMAT_REFUSED = re.compile(r"response[_ ](format|schema)|json_schema|json_object", re.IGNORECASE)
_NOT_KNOWN = re.compile(
    r"un(known|supported|recognized|expected)|not (supported|allowed|permitted)", re.IGNORECASE
)

_WISHES = ("seed", "parallel_tool_calls")
"""Parameters whose loss changes neither what is asked nor what the record says of the reply's temperature."""


class OutOfCredit(ModelRefused):
    """The account has no money left: nothing more from this provider until a person pays."""


class Asked(Protocol):
    """Whom a call was sent to, for the words of its errors."""

    provider: str
    model: str
    base_url: str


def status_fault(error: APIStatusError, asked: Asked) -> Exception:
    """What an HTTP status other than 2xx means."""
    status = error.status_code
    told = _told(error)
    said = f"HTTP {status}: {_short(told or error.message)}"
    if status == _PAYMENT_REQUIRED or (status == _RATE_LIMITED and _OUT_OF_CREDIT.search(told)):
        return OutOfCredit(
            f"{asked.provider} at {asked.base_url} answers no more for want of money ({said}).",
            "Top up the account, or set another provider's key, then run again: finished work is kept.",
        )
    if status == _RATE_LIMITED:
        return RateLimited(said, _asked_wait(error))
    if status in _PASSING or status >= 500:
        return Transient(said, _asked_wait(error))
    if status in _REFUSED:
        return ModelRefused(
            f"{asked.provider} at {asked.base_url} refused model {asked.model} ({said}).",
            "Check the API key and the model's name in the environment or .env.",
        )
    if refuses_conversation(error):
        return ToolError(
            "runtime_error",
            f"The model did not take the conversation: {said}",
            error_class=CONTEXT_LENGTH if _TOO_LONG.search(told) else "",
        )
    return InfrastructureError(
        "system_error", f"{asked.provider} at {asked.base_url} rejected the request ({said})."
    )


def connection_fault(error: APIConnectionError, asked: Asked) -> Exception:
    """What a connection that was not made, or broke, means."""
    cause = _root_cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ModelRefused(
            f"Nobody vouches for the certificate of {asked.provider} at {asked.base_url} "
            f"({cause.verify_message}).",
            "Set SSL_CERT_FILE to a file with its authority's certificate, or correct the address.",
        )
    if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
        return ModelRefused(
            f"{asked.provider} at {asked.base_url} does not speak TLS.", "Write http:// or correct the port."
        )
    return Transient(f"connection failed ({cause})")


def refuses_conversation(error: APIStatusError) -> bool:
    """Whether the conversation itself is at fault: too long for the model, or caught by a content filter."""
    told = _told(error)
    return error.status_code in _CONVERSATION_REFUSED_STATUS and bool(
        _TOO_LONG.search(told) or _CONTENT_REFUSED.search(told)
    )


def refuses_format(error: APIStatusError) -> bool:
    """Whether the form of structured output is at fault, and nothing else."""
    return not refuses_conversation(error) and bool(_FORMAT_REFUSED.search(_told(error)))


def unknown_parameters(error: APIStatusError, request: Mapping[str, Any]) -> set[str]:
    """The parameters of the request, of those it can do without, that the provider says it does not know."""
    told = _told(error)
    if not _NOT_KNOWN.search(told):
        return set()
    return {name for name in _WISHES if name in request and re.search(rf"\b{name}\b", told)}


def _asked_wait(error: APIStatusError) -> float | None:
    said = retry_after(error.response.headers)
    in_body = _RETRY_DELAY.search(str(error.body)) if said is None else None
    return float(in_body[1]) if in_body else said


def _told(error: APIStatusError) -> str:
    """The message, code, type and parameter that the body of an error names; empty when it names none."""
    body: Any = error.body
    # Gemini wraps its error object in a list, which the SDK does not look into.
    if isinstance(body, list) and body and isinstance(body[0], dict):
        body = body[0].get("error", body[0])
    if isinstance(body, dict):
        return ", ".join(str(body[key]) for key in ("message", "code", "type", "param") if body.get(key))
    return body if isinstance(body, str) else ""


def _root_cause(error: BaseException) -> BaseException:
    """What began it: over aiohttp, the SDK reports a dropped connection as a timeout, too."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:297] + "..."
