"""TLS certificates: one's own, or a self-signed pair made where none is. Knows files."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from personaplex.errors import UserError

if TYPE_CHECKING:
    from cryptography import x509

DAYS = 825  # for which a self-signed certificate holds; browsers take no longer ones


@dataclass(frozen=True)
class Certificate:
    """Files of a TLS certificate and its key.

    Attributes:
        cert: the certificate, PEM.
        key: its private key, PEM.
        made: it was made just now, so no browser knows it.
    """

    cert: Path
    key: Path
    made: bool = False


def find_certificate(directory: Path, names: Iterable[str] = ()) -> Certificate:
    """The pair `cert.pem` and `key.pem` in a directory, checked; where neither is there, a self-signed pair is made.

    Args:
        directory: made if need be.
        names: host names and addresses that a new certificate is for, besides this machine's own.

    Raises:
        UserError: when one of the two is missing, they do not work together, or none can be made.
    """
    pair = Certificate(directory / "cert.pem", directory / "key.pem")
    if not pair.cert.exists() and not pair.key.exists():
        return _make(pair, names)
    for path in (pair.cert, pair.key):
        if not path.is_file():
            raise UserError(
                f"There is no {path.name} in {directory}; --ssl takes a directory with both cert.pem and key.pem, or "
                "with neither, where a self-signed pair is then made."
            )
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(pair.cert, pair.key)
    except (ssl.SSLError, OSError) as error:
        raise UserError(f"cert.pem and key.pem in {directory} are not a certificate and its key ({error}).") from error
    return pair


def _make(pair: Certificate, names: Iterable[str]) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "PersonaPlex (self-signed)")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in _names(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        pair.cert.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(pair.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private)
        pair.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    except OSError as error:
        raise UserError(f"No certificate can be made in {pair.cert.parent} ({error.strerror}).") from error
    return Certificate(pair.cert, pair.key, made=True)


def _names(names: Iterable[str]) -> list[str]:
    found = ["localhost", "127.0.0.1", "::1", socket.gethostname(), *names]
    return [name for name in dict.fromkeys(found) if name and name not in ("0.0.0.0", "::")]


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
