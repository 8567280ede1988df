"""Logins that people name on the command line."""

from __future__ import annotations

from pathlib import Path

from proxy.addresses import ServerAddress, parse_url


def login(url: str) -> ServerAddress:
    """The login that --login names. Raises ValueError."""
    try:
        address = parse_url(url, Path())
    except ValueError as error:
        raise ValueError(f"--login: {error}") from None
    if not address.user:
        raise ValueError("--login: the URL names no user")
    return address
