"""What in a text looks like somebody's secret or personal data, by its shape; our own are `secrets`' to know.

Shapes that prove themselves are looked for, no names or addresses of houses: those need a model, and err.
What nobody can own, such as `example.com`, 555 numbers and the test numbers of payment services, is let be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """A kind of thing and how it looks; texts without any of its `marks` are not searched."""

    kind: str
    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    holds: Callable[[str], bool] = bool

    def is_in(self, text: str) -> bool:
        return any(mark in text for mark in self.marks) and any(
            self.holds(found[0]) for found in self.pattern.finditer(text)
        )


def secrets_in(text: str) -> Iterator[str]:
    """The kinds of secrets that a text seems to hold, such as `an AWS key`."""
    return (shape.kind for shape in SECRETS if shape.is_in(text))


def personal_data_in(text: str) -> Iterator[str]:
    """The kinds of personal data that a text seems to hold, such as `an email address`."""
    return (shape.kind for shape in PERSONAL_DATA if shape.is_in(text))


def _is_api_key(key: str) -> bool:
    """Not words alone, as a constraint of SQL or a class of CSS has after the same prefix."""
    return key.startswith("AIza") or any(map(_is_mixed, re.findall(r"[A-Za-z0-9]{12,}", key)))


def _is_access_token(token: str) -> bool:
    scheme, _, value = token.rpartition(" ")
    return not scheme or _is_mixed(value)


def _is_aws_key(key: str) -> bool:
    return key.startswith(("AKIA", "ASIA")) or ("EXAMPLE" not in key and _is_mixed(key[-40:]))


def _is_mixed(text: str) -> bool:
    return any(each.isdigit() for each in text) and any(each.isalpha() for each in text)


def _is_someones_password(address: str) -> bool:
    userinfo, _, host = address.partition("://")[2].partition("@")
    name, _, password = userinfo.partition(":")
    labels = host.lower().rstrip(".").split(".")
    nobodys = labels[-1] in _RESERVED | {"host", "hostname"} or labels[-2:-1] == ["example"]
    varies = len(set(password)) > 2 and not password.startswith(("$", "%s", "%("))
    return not nobodys and varies and password != name and not _PLACEHOLDER.fullmatch(password)


def _is_someones_mailbox(address: str) -> bool:
    name, _, host = address.lower().rpartition("@")
    labels = host.split(".")
    nobodys = labels[-1] in _RESERVED or labels[-2] == "example"
    return not nobodys and name not in _ROLES and not host.endswith(_MACHINES)


def _is_number_of_a_phone(number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    return 10 <= len(digits) <= 15 and "555" not in digits[-10:-4]


def _is_payment_card(number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    return digits not in _TEST_CARDS and len(set(digits)) > 3 and _luhn(digits)


def _luhn(digits: str) -> bool:
    doubled = (int(each) * (1 + at % 2) for at, each in enumerate(reversed(digits)))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def _is_iban(account: str) -> bool:
    plain = re.sub(r"\s", "", account)
    return (
        plain not in _TEST_ACCOUNTS and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1
    )


def _is_chinese_identity(number: str) -> bool:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], weights, strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def _is_social_security(number: str) -> bool:
    area, group, serial = number.split("-")
    fits = area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"
    return fits and number not in {"123-45-6789", "078-05-1120", "219-09-9999"}


_DIGITS = tuple("0123456789")
_RESERVED = {"example", "test", "invalid", "localhost", "local"}
_PLACEHOLDER = re.compile(
    r"(?:(?:your|my|the|some|db|database|user|username|admin|pass|password|passwd|passphrase|pwd?|secret|token"
    r"|key|credentials?|change|me|here|redacted|example|test|x-oauth-basic)[-_]?){1,4}\d{0,4}",
    re.IGNORECASE,
)
_ROLES = {"noreply", "no-reply", "git", "user", "you", "name", "email", "someone", "postmaster"}
_MACHINES = ("noreply.github.com",)
_TEST_CARDS = {
    *("4111111111111111", "4242424242424242", "4012888888881881", "4000056655665556"),
    *("5555555555554444", "5105105105105100", "5200828282828210", "2223003122003222"),
    *("378282246310005", "371449635398431", "6011111111111117", "6011000990139424", "3530111333300000"),
}
_TEST_ACCOUNTS = {"DE89370400440532013000", "GB82WEST12345698765432", "GB29NWBK60161331926819"}

SECRETS = (
    Shape(
        "an API key",
        ("sk-", "rk-", "pk-", "sk_", "rk_", "pk_", "AIza"),
        re.compile(r"\b(?:sk|rk|pk)[-_](?:live|test|proj|ant|or)?[-_]?[A-Za-z0-9_-]{20,}|\bAIza[\w-]{35}"),
        _is_api_key,
    ),
    Shape(
        "an access token",
        ("gh", "glpat-", "xox", "hf_", "Bearer ", "bearer "),
        re.compile(
            r"\b(?:gh[pousr]_\w{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}"
            r"|hf_[A-Za-z0-9]{30,}|[Aa]uthorization\W{1,10}[Bb]earer +[\w.~+/=-]{20,})"
        ),
        _is_access_token,
    ),
    Shape(
        "an AWS key",
        ("AKIA", "ASIA", "ecret_access_key", "SECRET_ACCESS_KEY", "ecretAccessKey"),
        re.compile(
            r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
            r"|(?:secret_access_key|SECRET_ACCESS_KEY|[sS]ecretAccessKey)\W{1,10}?[A-Za-z0-9/+]{40}(?![\w/+=])"
        ),
        _is_aws_key,
    ),
    Shape(
        "a password in an address",
        ("://",),
        re.compile(
            r"""://[^\s/:@?#"'`<>{}\[\]\\|,;]{0,64}:[^\s/@?#"'`<>{}\[\]\\|,;]{4,128}@(?!sha\d+:)[A-Za-z0-9][\w.-]*"""
        ),
        _is_someones_password,
    ),
    Shape("a signed token", ("eyJ",), re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
    Shape(
        "a private key",
        ("PRIVATE KEY",),
        re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    ),
)

PERSONAL_DATA = (
    Shape(
        "an email address",
        ("@",),
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b"),
        _is_someones_mailbox,
    ),
    Shape(
        "a telephone number",
        ("+", "(", "-"),
        re.compile(
            r"(?<![\w+])\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}\b"
            r"|(?<![\w(])\([2-9]\d{2}\) ?[2-9]\d{2}-\d{4}\b"
            r"|(?<![\w-])[2-9]\d{2}-[2-9]\d{2}-\d{4}(?![\w-])"
        ),
        _is_number_of_a_phone,
    ),
    Shape(
        "a mobile number",
        _DIGITS,
        re.compile(r"(?<![\w.])(?:\+?86[ -]?)?1[3-9]\d[ -]\d{4}[ -]\d{4}(?![\w.])"),
    ),
    Shape(
        "a payment card",
        _DIGITS,
        re.compile(
            r"(?<![\w.])(?:(?:4\d{3}|5[1-5]\d{2}|2[2-7]\d{2}|6011|65\d{2})(?:([ -]?)\d{4})(?:\1\d{4}){2}"
            r"|3[47]\d{2}([ -]?)\d{6}\2\d{5})(?![\w.])"
        ),
        _is_payment_card,
    ),
    Shape(
        "a bank account",
        _DIGITS,
        re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
        _is_iban,
    ),
    Shape(
        "an identity number",
        _DIGITS,
        re.compile(
            r"(?<!\w)[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\w)"
        ),
        _is_chinese_identity,
    ),
    Shape(
        "a social security number",
        ("-",),
        re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),
        _is_social_security,
    ),
)
