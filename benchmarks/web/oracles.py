"""What must be acted on to solve MiniWoB's tasks: the elements of each, as CSS selectors, state by state.

Written from the pages' sources. Tasks without discrete targets are left out: those that ask for a point in
the plane, a stroke, a selection of text, or a chase.
"""

from __future__ import annotations

from typing import NamedTuple


class Act(NamedTuple):
    """Elements an oracle acts on in one state; all that are visible count: the seed chooses among them.

    With `do` the first of them is then clicked ("click"), hovered over ("hover"), or the text is typed into
    it, which leads to the next state.
    """

    selector: str
    do: str = ""


def _acts(*selectors: str | Act) -> tuple[Act, ...]:
    return tuple(Act(entry) if isinstance(entry, str) else entry for entry in selectors)


_SUBMIT = "#subbtn"
_FORM = _acts("#area input", _SUBMIT)
_BOXES = _acts("#area input[type=checkbox]", _SUBMIT)
_TABS = _acts(".ui-tabs-anchor", ".alink")
_CARD = _acts("#area button")
_DATE = _acts(
    Act("#datepicker", "click"),
    ".ui-datepicker-prev:not(.ui-state-disabled), .ui-datepicker-next:not(.ui-state-disabled)",
    ".ui-datepicker-calendar td a",
    _SUBMIT,
)
_FLIGHT = _acts(
    "#flight-from", "#flight-to", Act("#datepicker", "click"), ".ui-datepicker-calendar td a", "#search"
)
_INBOX = (Act("#main .star"), Act("#main .trash"), Act(".email-thread", "click"))
_MAIL = (*_INBOX, Act("#email .star"), Act("#email .trash"), Act("#close-email"), Act(".email-forward"))
_REPLY = (*_MAIL, Act(".email-reply", "click"), Act("#reply-text"), Act("#send-reply"), Act("#close-reply"))
_FORWARD = (
    *_MAIL,
    Act(".email-forward", "click"),
    Act(".forward-sender"),
    Act("#send-forward"),
    Act("#close-forward"),
)
_POSTS = _acts(".reply", ".retweet", ".like", ".share", "#submitRow button")
_SORTABLE = _acts("#sortable li")

ORACLES: dict[str, tuple[Act, ...]] = {
    "ascending-numbers": _acts("#area_svg text"),
    "book-flight": _FLIGHT,
    "book-flight-nodelay": _FLIGHT,
    "button-delay": _CARD,
    "buy-ticket": _acts(".buy-ticket"),
    "choose-date": _DATE,
    "choose-date-easy": _acts(Act("#datepicker", "click"), ".ui-datepicker-calendar td a", _SUBMIT),
    "choose-date-medium": _DATE,
    "choose-date-nodelay": _DATE,
    "choose-list": _acts("#area select", "#area button"),
    "click-button": _CARD,
    "click-button-sequence": _CARD,
    "click-checkboxes": _BOXES,
    "click-checkboxes-large": _BOXES,
    "click-checkboxes-soft": _BOXES,
    "click-checkboxes-transfer": _BOXES,
    "click-collapsible": _acts(Act(".ui-accordion-header", "click"), _SUBMIT),
    "click-collapsible-2": _acts(Act(".ui-accordion-header", "click"), ".alink"),
    "click-collapsible-2-nodelay": _acts(Act(".ui-accordion-header", "click"), ".alink"),
    "click-collapsible-nodelay": _acts(Act(".ui-accordion-header", "click"), _SUBMIT),
    "click-color": _acts(".color"),
    "click-dialog": _acts(".ui-dialog button"),
    "click-dialog-2": _acts(".ui-dialog button"),
    "click-link": _acts(".alink"),
    "click-menu": _acts(
        "#menu > li:not(.ui-state-disabled) > .ui-menu-item-wrapper",
        Act(".ui-menu-icon >> xpath=..", "hover"),
        "#menu ul li div",
    ),
    "click-menu-2": _acts(
        Act("#open-menu", "click"),
        "#menu > li:not(.ui-state-disabled) > .ui-menu-item-wrapper",
        Act(".ui-menu-icon >> xpath=..", "hover"),
        "#menu ul li div",
    ),
    "click-option": _acts("#area input[type=radio]", _SUBMIT),
    "click-pie-nodelay": _acts(Act("#wheelnav-divWheel-spreadertitle", "click"), "[id*=-slice-]"),
    "click-scroll-list": _acts("#area select", "#area option", "#area button"),
    "click-shades": _acts("#area span", "#submit"),
    "click-shape": _acts("#area_svg > *"),
    "click-tab": _acts(".ui-tabs-anchor"),
    "click-tab-2": _TABS,
    "click-tab-2-easy": _TABS,
    "click-tab-2-hard": _TABS,
    "click-tab-2-medium": _TABS,
    "click-test": _CARD,
    "click-test-2": _CARD,
    "click-test-transfer": _CARD,
    "click-widget": _acts(".widget input, .widget textarea, .widget button"),
    "copy-paste": _acts("#to-copy", "#answer-input", _SUBMIT),
    "copy-paste-2": _acts("#area textarea", "#answer-input", _SUBMIT),
    "count-shape": _acts("#count-buttons button"),
    "count-sides": _acts("#form button"),
    "daily-calendar": _acts(".half-hour"),
    "drag-box": _acts("#draggableSmall", "#draggableLarge", _SUBMIT),
    "drag-items": _SORTABLE,
    "drag-items-grid": _SORTABLE,
    "drag-shapes": _acts("#area_svg > :not(#shape-container)", _SUBMIT),
    "drag-shapes-2": _acts("#area_svg > :not(#shape-container)", _SUBMIT),
    "drag-sort-numbers": _SORTABLE,
    "email-inbox": _REPLY,
    "email-inbox-delete": _MAIL,
    "email-inbox-forward": _FORWARD,
    "email-inbox-forward-nl": _FORWARD,
    "email-inbox-forward-nl-turk": _FORWARD,
    "email-inbox-important": _MAIL,
    "email-inbox-nl-turk": _FORWARD,
    "email-inbox-noscroll": _REPLY,
    "email-inbox-reply": _REPLY,
    "email-inbox-star-reply": _REPLY,
    "enter-date": _FORM,
    "enter-password": _FORM,
    "enter-text": _FORM,
    "enter-text-2": _FORM,
    "enter-text-dynamic": _FORM,
    "enter-time": _FORM,
    "find-greatest": _acts(".card", "#submit"),
    "find-word": _FORM,
    "focus-text": _acts("#area input"),
    "focus-text-2": _acts("#area input"),
    "form-sequence": _acts(".ui-slider-handle", "#area input", _SUBMIT),
    "form-sequence-2": _FORM,
    "form-sequence-3": _acts("#buttons button", Act(".selectric", "click"), ".selectric-items li"),
    "generate-number": _CARD,
    "grid-coordinate": _acts("circle.plot-point"),
    "guess-number": _FORM,
    "hover-shape": _acts("#highlight"),
    "identify-shape": _acts("#area-buttons button"),
    "login-user": _FORM,
    "login-user-popup": _FORM,
    "multi-layouts": _acts("#area input", "#area button, #area .final, #area .ui-submit"),
    "multi-orderings": _acts("#area input", "#area .final"),
    "navigate-tree": _acts("#tree span", "#tree .hitarea"),
    "number-checkboxes": _acts("#checkboxes input", _SUBMIT),
    "odd-or-even": _CARD,
    "order-food": _acts(".food-item .add", "#submit-order button"),
    "phone-book": _acts("#contact a", "#pagination a"),
    "read-table": _FORM,
    "read-table-2": _FORM,
    "scroll-text": _acts("#text-area", "#answer-input", _SUBMIT),
    "search-engine": _acts("#search-text", Act("#search", "click"), ".search-title", "#pagination a"),
    "sign-agreement": _acts("#area textarea", "#area button"),
    "simon-says": _CARD,
    "simple-algebra": _acts("#math-answer", _SUBMIT),
    "simple-arithmetic": _acts("#math-answer", _SUBMIT),
    "social-media": _acts(".reply", ".retweet", ".like", Act(".more", "click"), ".media ul li"),
    "social-media-all": _POSTS,
    "social-media-some": _POSTS,
    "stock-market": _acts("#buy"),
    "text-editor": _acts(".ql-editor", ".ql-toolbar button", ".ql-picker-label", _SUBMIT),
    "text-transform": _FORM,
    "tic-tac-toe": _acts(".ttt-row span"),
    "unicode-test": _CARD,
    "use-autocomplete": _acts(Act("#tags", "a"), ".ui-menu-item-wrapper", _SUBMIT),
    "use-autocomplete-nodelay": _acts(Act("#tags", "a"), ".ui-menu-item-wrapper", _SUBMIT),
    "use-slider": _acts(".ui-slider-handle", _SUBMIT),
    "use-slider-2": _acts(".ui-slider-handle", _SUBMIT),
    "use-spinner": _acts("#spinner", ".ui-spinner-button", _SUBMIT),
    "visual-addition": _acts("#math-answer", _SUBMIT),
}
