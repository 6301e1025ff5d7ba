"""Base URLs of servers, as they may be shown."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def public_url(url: str) -> str:
    """Return a base URL as it may be shown: without its user and password, and with ``/v1`` if it has no path.

    >>> public_url("http://me:secret@localhost:8000/")
    'http://localhost:8000/v1'

    Raises:
        ValueError: it is not a base URL. The message does not repeat it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except (ValueError, TypeError, AttributeError):
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise ValueError("not a base URL such as http://localhost:8000/v1")
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/") or "/v1", "", ""))
