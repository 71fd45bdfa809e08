"""What went wrong on a page, in the platform's terms: a class for the record, a sentence that helps an agent.

Playwright tells the reason of a failed action in its call log only; this is the one place that reads it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from runtimes.errors import ErrorType, ToolError

_LONGEST = 4_000
"""Characters of a message; addresses and lists of options are as long as a page likes."""


class _Kind(NamedTuple):
    error_type: ErrorType
    remedy: str


_KINDS: dict[str, _Kind] = {
    "covered": _Kind("browser_error", "Close what covers it, or scroll, and try again."),
    "moving": _Kind("browser_error", "Wait for it to come to rest with wait_for, or use another element."),
    "not_visible": _Kind("browser_error", "Scroll to it or open what hides it, or use another element."),
    "disabled": _Kind("browser_error", "Do first what enables it."),
    "detached": _Kind("browser_error", "The page replaced it; use a ref of the latest snapshot."),
    "wrong_element": _Kind("browser_error", "Use the action made for this kind of element."),
    "no_option": _Kind("browser_error", "Choose one of the options in the snapshot."),
    "ambiguous": _Kind("browser_error", "Use a ref of the latest snapshot."),
    "closed_tab": _Kind("browser_error", "Call tabs to see what is open."),
    "name_not_resolved": _Kind("network_error", "Check the address, or try another."),
    "connection_failed": _Kind("network_error", "Check the address, or try another."),
    "redirect_loop": _Kind("network_error", "Go on with another address."),
    "refused_address": _Kind("system_error", "Go on with another address."),
    "too_large": _Kind("network_error", "Go on with another address."),
    "no_history": _Kind("browser_error", "Open an address instead."),
    "stale_ref": _Kind("browser_error", "Use a ref of the latest snapshot."),
    "not_a_page": _Kind("browser_error", "Go on with another address."),
    "navigation_timeout": _Kind("timeout", "Look at the page again with tabs, or open another."),
    "action_timeout": _Kind("timeout", "Look at the page again with tabs."),
    "hanging": _Kind("timeout", "Go on with another page."),
    "other": _Kind("browser_error", "Look at the latest snapshot."),
}

_REASONS = (
    ("intercepts pointer events", "covered"),
    ("element is not stable", "moving"),
    ("element is not visible", "not_visible"),
    ("outside of the viewport", "not_visible"),
    ("element is not enabled", "disabled"),
    ("element is not editable", "disabled"),
    ("was detached from the DOM", "detached"),
    ("not attached to the DOM", "detached"),
    ("did not find some options", "no_option"),
)
"""Lines of the call log, any of which may be the last thing that kept the action from being done."""

_REFUSALS = (
    ("Element is not a", "wrong_element"),
    ("cannot be filled", "wrong_element"),
    ("Cannot type text into", "wrong_element"),
    ("Not a checkbox", "wrong_element"),
    ("not an HTMLInputElement", "wrong_element"),
    ("strict mode violation", "ambiguous"),
    ("has been closed", "closed_tab"),
    ("ERR_NAME_NOT_RESOLVED", "name_not_resolved"),
    ("ERR_TOO_MANY_REDIRECTS", "redirect_loop"),
    ("ERR_BLOCKED_BY", "refused_address"),
    ("ERR_UNSAFE_PORT", "refused_address"),
    ("ERR_ABORTED", "not_a_page"),
    ("Download is starting", "not_a_page"),
    ("net::ERR_", "connection_failed"),
)
"""What Playwright's first line says where it does not even try, or the browser could not."""


def fault(error_class: str, message: str, remedy: str = "") -> ToolError:
    """A ToolError of a class of `WebRecord.error_class`."""
    kind = _KINDS[error_class]
    message, remedy = message[:_LONGEST], (remedy or kind.remedy)[:_LONGEST]
    return ToolError(kind.error_type, message, remedy, error_class=error_class)


def fault_of(what: str, error: Exception, *, otherwise: str = "other") -> ToolError:
    """Playwright's `error` while doing `what`; `otherwise` is the class where it gives no reason."""
    lines = [line.strip(" -\t") for line in str(error).split("\n") if line.strip()]
    first = re.sub(r"^\w+\.\w+: (Error: )?", "", lines[0]) if lines else type(error).__name__
    for marker, error_class in _REFUSALS:
        if marker in first:
            return fault(error_class, f"{what} failed: {_short(first)}.")
    for line in reversed(lines[1:]):
        for marker, error_class in _REASONS:
            if marker in line:
                return fault(error_class, f"{what} failed: {_short(line)}.")
    return fault(otherwise, f"{what} failed: {_short(first)}.")


def _short(line: str) -> str:
    return line[:500].rstrip(".")
