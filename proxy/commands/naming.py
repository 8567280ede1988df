"""What people name on the command line: columns and tables of the policy, and logins."""

from __future__ import annotations

from pathlib import Path

from policy import names
from policy.names import qualified
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


def full_name(written: str, parts: int) -> str:
    """A name of so many parts, the schema being public where it is left out; itself if it is no name."""
    found = names.split(written)
    if found is None or len(found) not in (parts - 1, parts):
        return written
    return qualified(*(("public", *found) if len(found) < parts else found))
