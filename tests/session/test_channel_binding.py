"""The hash of a certificate is the one that libpq and PostgreSQL would use (OpenSSL's, by RFC 5929)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from proxy.session.channel_binding import end_point_hash

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


def certificate(key: Any, algorithm: Any, **options: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pgveil")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
    )
    return builder.sign(key, algorithm, **options).public_bytes(Encoding.DER)


@pytest.mark.parametrize("key", [RSA, EC], ids=["rsa", "ecdsa"])
@pytest.mark.parametrize("algorithm", [hashes.SHA224(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_the_hash_is_that_of_the_signature(key: Any, algorithm: hashes.HashAlgorithm) -> None:
    der = certificate(key, algorithm)
    assert end_point_hash(der) == hashlib.new(algorithm.name, der).digest()


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA512()])
def test_pss_names_its_hash_in_a_parameter(algorithm: hashes.HashAlgorithm) -> None:
    pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)
    der = certificate(RSA, algorithm, rsa_padding=pss)
    assert end_point_hash(der) == hashlib.new(algorithm.name, der).digest()


@pytest.mark.parametrize("signed_with", ["2a864886f70d010104", "2a864886f70d010105"], ids=["md5", "sha1"])
def test_weak_hashes_are_replaced_by_sha_256(signed_with: str) -> None:
    sha256 = bytes.fromhex("2a864886f70d01010b")
    der = certificate(RSA, hashes.SHA256()).replace(sha256, bytes.fromhex(signed_with))
    assert end_point_hash(der) == hashlib.sha256(der).digest()


def test_a_signature_without_a_hash_cannot_be_bound_to() -> None:
    assert end_point_hash(certificate(ed25519.Ed25519PrivateKey.generate(), None)) is None


@given(st.binary(max_size=300))
def test_what_is_no_certificate_has_no_binding(data: bytes) -> None:
    assert end_point_hash(data) is None
    assert end_point_hash(certificate_start(data)) is None


def certificate_start(data: bytes) -> bytes:
    """The first bytes of a certificate, then something else."""
    return b"\x30\x82\x01\x00\x30\x03\x02\x01\x00" + data
