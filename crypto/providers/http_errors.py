"""Why a request got no answer, in few words: libraries of HTTP clients wrap one error in another."""

from __future__ import annotations

import re

from crypto.errors import ProviderError, ProviderUnavailable

_ERRNO = re.compile(r"\[Errno -?\d+\] ([\w ,.-]+)")


def no_answer(name: str, error: BaseException) -> ProviderError:
    """What to raise for an error of the connection. A certificate that is not trusted is no outage."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        return ProviderError(f"{name}: its certificate is not one that is trusted here")
    if "TLS CA certificate" in text:  # what requests says of a bundle that is not there
        return ProviderError(f"{name}: there is no such file of certificates")
    found = _ERRNO.search(text)
    return ProviderUnavailable(f"{name}: {found[1].lower() if found else type(error).__name__}")
