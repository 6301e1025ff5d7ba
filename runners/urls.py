"""Redaction of logins in server URLs and store paths."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

HOST_PATTERN = re.compile(r"(?=.{1,253}\.?$)[\w-]{1,63}(?:\.[\w-]{1,63})*\.?", re.ASCII)
"""Names of hosts in ASCII; networks of one's own have some with underscores."""


def redact_url(url: str) -> str:
    """Return a base URL without its user and password, and with ``/v1`` if it has no path.

    >>> redact_url("http://me:secret@localhost:8000/")
    'http://localhost:8000/v1'

    Raises:
        ValueError: it is not a base URL. The message does not repeat it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except (ValueError, TypeError, AttributeError):
        host = None
    if not (host and is_host_name(host)) or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise ValueError("not a base URL such as http://localhost:8000/v1")
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/") or "/v1", "", ""))


def is_host_name(host: str) -> bool:
    """Return whether a host can be asked for: an address, or a name whose parts can be written in ASCII.

    >>> [is_host_name(host) for host in ("localhost", "bücher.example", "::1", "xn--", "a..b", "\u202e.com", "a b")]
    [True, True, True, False, False, False, False]
    """
    try:
        if ":" in host:
            ip_address(host.partition("%")[0])
            return True
        if not host.isascii() or "xn--" in host:
            import idna  # imported here: it comes with httpx, and other stores and paths need no servers

            host = idna.encode(host if not host.isascii() else idna.decode(host)).decode()
    except ValueError:  # idna's errors among them
        return False
    return HOST_PATTERN.fullmatch(host) is not None


def redact_path(path: str) -> str:
    """Return a path or URL without the user and password of the URL, or of a chained one.

    In Azure's URLs the part before ``@`` is a container, which is kept.

    >>> redact_path("ftp://me:secret@host/runs/old"), redact_path("runs/a@b")
    ('ftp://host/runs/old', 'runs/a@b')
    >>> redact_path("simplecache::s3://key:secret@bucket/old"), redact_path("abfs://box@account/old")
    ('simplecache::s3://bucket/old', 'abfs://box@account/old')
    """
    return "::".join(map(_remove_login, path.split("::")))


def _remove_login(url: str) -> str:
    scheme, slashes, rest = url.partition("://")
    host, slash, inside = rest.partition("/")
    login, at, place = host.rpartition("@")
    if not (slashes and at) or (scheme in ("abfs", "abfss", "wasb", "wasbs") and ":" not in login):
        return url
    return f"{scheme}{slashes}{place}{slash}{inside}"
