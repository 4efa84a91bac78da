"""Addresses, certificates and the command: each mistake is one sentence, and Ctrl-C is a goodbye."""

import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from cryptography import x509

from personaplex.cli import main
from personaplex.errors import UserError
from personaplex.serve.run import address_of, bind
from personaplex.serve.tls import find_certificate
from tests.serve.talker import PATIENCE

TLS = Path(__file__).with_name("tls")  # a self-signed pair for localhost, good until 2126


def test_a_port_that_is_taken_is_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = CliRunner().invoke(main, ["serve", "--port", str(port), "--model", "/no/such/model"])
    assert result.exit_code == 2
    assert result.stderr == (
        f"personaplex: Port {port} on 127.0.0.1 is in use; "
        "stop the program that has it, or choose another with --port.\n"
    )


def test_a_port_is_ours_from_the_beginning():
    with bind("127.0.0.1", 0) as sock, pytest.raises(UserError, match="in use"):
        bind("127.0.0.1", sock.getsockname()[1])


@pytest.mark.parametrize("host", ["256.0.0.1", "no.such.host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_ours_is_a_sentence(host):
    with pytest.raises(UserError, match="try --host 127.0.0.1"):
        bind(host, 0)


def test_the_address_is_one_that_a_browser_opens(tmp_path):
    with bind("0.0.0.0", 0) as sock:
        port = sock.getsockname()[1]
        assert address_of(sock, None) == f"http://127.0.0.1:{port}"
        assert address_of(sock, find_certificate(TLS)) == f"https://127.0.0.1:{port}"


def test_missing_and_broken_certificates_are_sentences(tmp_path):
    (tmp_path / "cert.pem").write_text("not a certificate")
    result = CliRunner().invoke(main, ["serve", "--ssl", str(tmp_path)])
    assert result.exit_code == 2
    assert f"There is no key.pem in {tmp_path}" in result.stderr
    (tmp_path / "key.pem").write_text("not a key")
    with pytest.raises(UserError, match="are not a certificate and its key"):
        find_certificate(tmp_path)


def test_a_directory_without_certificates_gets_a_pair_that_works(tmp_path):
    made = find_certificate(tmp_path / "new", ["192.0.2.7", "talk.example.org"])
    assert made.made and not find_certificate(tmp_path / "new").made
    assert made.key.stat().st_mode & 0o077 == 0
    certificate = x509.load_pem_x509_certificate(made.cert.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "talk.example.org"} <= set(names.get_values_for_type(x509.DNSName))
    assert {"127.0.0.1", "192.0.2.7"} <= set(map(str, names.get_values_for_type(x509.IPAddress)))
    ssl.create_default_context(cafile=str(made.cert))


def test_it_refuses_to_listen_beyond_this_machine_without_keys(tmp_path, monkeypatch):
    monkeypatch.delenv("PERSONAPLEX_API_KEYS", raising=False)
    result = CliRunner().invoke(main, ["serve", "--host", "0.0.0.0", "--model", "/no/such/model"])
    assert result.exit_code == 2 and "--keys" in result.stderr and "--insecure" in result.stderr
    for more in (["--insecure"], ["--keys", str(_keys(tmp_path))]):  # then it is the model that is missing
        result = CliRunner().invoke(main, ["serve", "--host", "0.0.0.0", "--port", "0", "--model", "/no/such", *more])
        assert result.exit_code == 2 and "/no/such" in result.stderr


def _keys(folder):
    (folder / "keys").write_text("0123456789abcdef name=me\n")
    return folder / "keys"


def test_the_command_serves_over_tls_until_it_is_interrupted(model):
    command = "from personaplex.cli import main; main()"
    options = ["serve", "--model", str(model.path), "--port", "0", "--ssl", str(TLS), "--max-sessions", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        assert "Loading" in process.stdout.readline()
        ready = process.stdout.readline()
        address = next(word for word in ready.split() if word.startswith("https://127.0.0.1:"))
        trust = ssl.create_default_context(cafile=str(TLS / "cert.pem"))
        health = httpx.get(f"{address}/health", verify=trust, timeout=PATIENCE).json()
        assert health["status"] == "ok" and health["max_sessions"] == 2
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
