"""The domains that a deployment forbids: how one is written, and which hosts fall under it."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.addresses import literal_address, normal_host


def forbidden_domain(entry: str) -> str:
    """The domain that `example.org` or `*.example.org` forbids, with all below it, as `normal_host` has it.

    An address forbids itself. Raises ValueError for anything else.
    """
    try:
        return normal_host(entry.strip().removeprefix("*.").strip("."))
    except ValueError as error:
        forms = "example.org, which stands for all names below it, without scheme, port and path"
        raise ValueError(f"The domain {entry!r} {error}. Write it as {forms}.") from None


def in_letters(domain: str) -> str:
    """A domain as people write it, where it is one of other than ASCII letters; else as it is."""
    return ".".join(map(_label_in_letters, domain.split(".")))


def hosts_under(domains: Iterable[str]) -> tuple[str, ...]:
    """What `EgressPolicy` is to deny: the domains of `forbidden_domain` and all names below them."""
    return tuple(
        pattern
        for domain in domains
        for pattern in ([domain] if literal_address(domain) else [domain, f"*.{domain}"])
    )


def _label_in_letters(label: str) -> str:
    try:
        return label[4:].encode().decode("punycode") if label.startswith("xn--") else label
    except UnicodeError:
        return label
