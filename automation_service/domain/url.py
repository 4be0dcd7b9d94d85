"""The form of a receiver's URL. Whether its addresses are allowed is decided in `address.py`."""

import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

from automation_service.domain.limits import InvalidRule, check_text

MAX_URL = 2048
"""The maximum length of a URL, in characters."""

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
_DEFAULT_PORTS = {"https": ":443", "http": ":80"}


def origin(url: str) -> str:
    """Returns scheme, host and port of a URL, without the default port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, ''))}"


def has_origin(url: str, expected: str) -> bool:
    """Returns whether a URL, which need not be valid, has an origin."""
    try:
        return origin(url) == expected
    except ValueError:
        return False


def check_url(path: str, url: str, *, allow_http: bool) -> SplitResult:
    """Checks the form of a URL, but not the addresses of its host, and returns its parts.

    Raises:
        InvalidRule: The URL is not valid. The message does not contain the URL, which may be a secret.
    """
    check_text(path, url, limit=MAX_URL, required=True)
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise InvalidRule(path, "must be printable ASCII without spaces and backslashes; write an IDN in Punycode")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidRule(path, "is not a URL") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise InvalidRule(path, "must begin with https:// and a host")
    if parts.scheme == "http" and not allow_http:
        raise InvalidRule(path, "must be https; set LEADSCORE_WEBHOOK_HTTP=true to allow http")
    if "@" in parts.netloc or "#" in url or port == 0 or parts.netloc.endswith(":"):
        raise InvalidRule(path, "must not have a user, a fragment, or an empty port")
    if not _is_host(parts.hostname, bracketed="[" in parts.netloc):
        raise InvalidRule(path, "must have a host that is a name, or an address in its usual form")
    return parts


def _is_host(host: str, *, bracketed: bool) -> bool:
    try:
        if bracketed:
            IPv6Address(host)
            return "%" not in host
        labels = host.removesuffix(".").split(".")
        if _NUMBER.fullmatch(labels[-1]):
            # Resolvers read every host that ends in a number as an address: 127.1, 2130706433, 0x7f.0.0.1.
            return str(IPv4Address(host)) == host
    except ValueError:
        return False
    if labels[-1].lower() == "localhost":
        return False  # always this machine, whatever a resolver says (RFC 6761, 6.3)
    return len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
