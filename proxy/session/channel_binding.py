"""Channel binding of the kind `tls-server-end-point`: the hash of a TLS server's certificate.

The hash function is that of the certificate's signature, SHA-256 in place of MD5 and SHA-1; a certificate
whose signature has no hash function of its own (Ed25519) cannot be bound to. Source: RFC 5929, 4.1;
signature algorithms: RFC 3279, 4055, 5758. The certificate is read here as far as that name, no further:
who trusts it has verified it before.
"""

from __future__ import annotations

import hashlib

_SEQUENCE = 0x30
_OBJECT_IDENTIFIER = 0x06
_HASH_OF_PSS = 0xA0  # [0] in RSASSA-PSS-params

_PSS = "2a864886f70d01010a"

# Object identifiers of signature algorithms, and of hash functions (for RSASSA-PSS), in DER as hex.
_HASHES = {
    "2a864886f70d010104": "sha256",  # md5WithRSAEncryption
    "2a864886f70d010105": "sha256",  # sha1WithRSAEncryption
    "2a864886f70d01010e": "sha224",  # sha224WithRSAEncryption
    "2a864886f70d01010b": "sha256",
    "2a864886f70d01010c": "sha384",
    "2a864886f70d01010d": "sha512",
    "2a8648ce3d0401": "sha256",  # ecdsa-with-SHA1
    "2a8648ce3d040301": "sha224",  # ecdsa-with-SHA224
    "2a8648ce3d040302": "sha256",
    "2a8648ce3d040303": "sha384",
    "2a8648ce3d040304": "sha512",
    "2b0e03021a": "sha256",  # SHA-1 itself
    "608648016503040204": "sha224",
    "608648016503040201": "sha256",
    "608648016503040202": "sha384",
    "608648016503040203": "sha512",
}


def end_point_hash(certificate: bytes) -> bytes | None:
    """The binding of a certificate in DER; None where its signature has no (known) hash function."""
    try:
        name = _hash_name(certificate)
    except (IndexError, ValueError):
        return None
    return None if name is None else hashlib.new(name, certificate).digest()


def _hash_name(certificate: bytes) -> str | None:
    """Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature } (RFC 5280, 4.1)."""
    whole, _ = _element(certificate, _SEQUENCE)
    _, rest = _element(whole, _SEQUENCE)
    algorithm, _ = _element(rest, _SEQUENCE)
    identifier, parameters = _element(algorithm, _OBJECT_IDENTIFIER)
    if identifier.hex() == _PSS:
        return _hash_of_pss(parameters)
    return _HASHES.get(identifier.hex())


def _hash_of_pss(parameters: bytes) -> str | None:
    """RSASSA-PSS-params ::= SEQUENCE { [0] hashAlgorithm DEFAULT sha1, ... } (RFC 4055, 3.1)."""
    fields, _ = _element(parameters, _SEQUENCE)
    if not fields or fields[0] != _HASH_OF_PSS:
        return "sha256"  # in place of the default, SHA-1
    tagged, _ = _element(fields, _HASH_OF_PSS)
    algorithm, _ = _element(tagged, _SEQUENCE)
    identifier, _ = _element(algorithm, _OBJECT_IDENTIFIER)
    return _HASHES.get(identifier.hex())


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the DER element that `data` starts with, which has this tag; and what is behind it."""
    if data[0] != tag:
        raise ValueError("unexpected DER tag")
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("truncated DER element")
    return data[start : start + length], data[start + length :]
