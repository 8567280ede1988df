"""A secret in the hands of several people, k of whom have to come together: Shamir's secret sharing.

Shares are those of SLIP-39: 33 words that a person can write down, with a checksum. This is the only door to
its library (the extra `custodians`; docs/decisions/ says why it is that one).

A check is kept of every share, beside what the secret seals: it tells a share that is wrong, whoever made
it, and nothing of the secret.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crypto.errors import ProviderError
from crypto.kdf import hkdf_sha256
from crypto.secret import Secret

MOST = 16  # shares, as SLIP-39 has it
CHECK_BYTES = 16


@dataclass(frozen=True, slots=True, repr=False)
class Shares(Secret):
    """The words of each custodian, and the check of each."""

    words: tuple[str, ...]
    checks: tuple[str, ...]


def split(secret: bytes, shares: int, threshold: int) -> Shares:
    """Split a secret of 32 bytes. Raises ValueError for an impossible number, ProviderError."""
    if not 2 <= threshold <= shares <= MOST:
        raise ValueError(f"of at most {MOST} shares at least 2, and not more than there are, must be needed")
    [words] = _library().generate_mnemonics(1, [(threshold, shares)], secret, iteration_exponent=0)
    return Shares(tuple(words), tuple(_check(_share(text)) for text in words))


def join(given: Mapping[str, str], checks: Sequence[str], threshold: int) -> bytes:
    """The secret. `given` has the words of each share by where they come from, for messages.

    Raises ProviderError, which names every share that is wrong, or says how many more are needed.
    """
    good: dict[str, str] = {}
    wrong: list[str] = []
    for place, words in given.items():
        normal = " ".join(words.lower().split())
        reason = _fault(normal, checks)
        if reason is None:
            good[_check(_share(normal))] = normal  # the same share twice is one
        else:
            wrong.append(f"{place}: {reason}")
    if wrong:
        raise ProviderError("\npgveil: ".join(wrong))
    if len(good) < threshold:
        raise ProviderError(f"{threshold} different shares are needed, and {len(good)} are given")
    library = _library()
    try:
        secret: bytes = library.combine_mnemonics(list(good.values())[:threshold])
    except library.MnemonicError:
        raise ProviderError("the shares do not belong together") from None
    return secret


def _fault(words: str, checks: Sequence[str]) -> str | None:
    try:
        share = _share(words)
    except ValueError:
        return "is not a share: a word is missing, misspelt, or in another place"
    if not any(hmac.compare_digest(_check(share), check) for check in checks):
        return "is a share of another export"
    return None


def _share(words: str) -> Any:
    """A share from its words. Raises ValueError where they are none."""
    library = _library()
    from shamir_mnemonic.share import Share

    try:
        return Share.from_mnemonic(words)
    except library.MnemonicError:  # its message could repeat words
        raise ValueError from None


def _check(share: Any) -> str:
    """A share is as random as the secret, so that a hash tells nothing of it."""
    info = b"pgveil v1 share" + share.identifier.to_bytes(2, "big")
    info += bytes([share.index, share.member_threshold])
    return base64.b64encode(hkdf_sha256(share.value, salt=b"", info=info, length=CHECK_BYTES)).decode()


def _library() -> Any:
    try:
        import shamir_mnemonic
    except ImportError:
        raise ProviderError("shares need a library: pip install 'pgveil[custodians]'") from None
    return shamir_mnemonic
