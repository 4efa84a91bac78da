"""A listening socket, TLS and uvicorn around the application.

Knows addresses and certificates. Everything that can be wrong with them is found before a model is loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from personaplex.errors import UserError
from personaplex.serve.app import create_app
from personaplex.serve.protocols.chat import IDLE_SECONDS
from personaplex.serve.service import Service

MESSAGE_BYTES = 256 * 1024  # the longest message that a client may send
LINE_BYTES = 8192  # the longest line of a request that uvicorn's WebSocket library takes
GOODBYE_SECONDS = 3  # for open conversations to close when the server stops


@dataclass(frozen=True)
class Certificate:
    """Files of a TLS certificate and its key."""

    cert: Path
    key: Path


def find_certificate(directory: Path) -> Certificate:
    """The pair `cert.pem` and `key.pem` in a directory, checked.

    Raises:
        UserError: when one is missing, or they do not work together.
    """
    pair = Certificate(directory / "cert.pem", directory / "key.pem")
    for path in (pair.cert, pair.key):
        if not path.is_file():
            raise UserError(
                f"There is no {path.name} in {directory}; --ssl takes a directory with cert.pem and key.pem."
            )
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(pair.cert, pair.key)
    except (ssl.SSLError, OSError) as error:
        raise UserError(f"cert.pem and key.pem in {directory} are not a certificate and its key ({error}).") from error
    return pair


def bind(host: str, port: int) -> socket.socket:
    """Take an address before anything slow happens. Port 0 takes any free one.

    Raises:
        UserError: when it cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise UserError(f"{host} is not an address that this machine knows; try --host 127.0.0.1.") from error
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen()  # so that a second server on the same port is refused now, not later
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} on {host} is in use; stop the program that has it, or choose another with --port."
        elif error.errno == errno.EACCES:
            reason = f"Port {port} needs more rights than you have; choose one above 1023 with --port."
        else:
            reason = f"{host} port {port} cannot be listened on ({error.strerror}); try --host 127.0.0.1."
        raise UserError(reason) from error
    return sock


def address_of(sock: socket.socket, certificate: Certificate | None) -> str:
    """The address that a browser on this machine opens."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{'https' if certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def run(
    service: Service,
    sock: socket.socket,
    certificate: Certificate | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until interrupted.

    Args:
        service: not yet running.
        sock: from `bind`.
        certificate: for TLS.
        ready: called once conversations can begin.
    """
    with contextlib.suppress(KeyboardInterrupt), sock:
        asyncio.run(serve(service, Server(service, certificate, ready), sock))


async def serve(service: Service, server: Server, sock: socket.socket) -> None:
    """Serve until `server.should_exit`, in an event loop that is there already."""
    async with service.running():
        await server.serve(sockets=[sock])


class Server(uvicorn.Server):
    """uvicorn with our limits.

    Args:
        service: what is served.
        certificate: for TLS.
        ready: called once conversations can begin.
        idle: seconds without sound after which a conversation ends.
    """

    def __init__(
        self,
        service: Service,
        certificate: Certificate | None = None,
        ready: Callable[[], None] = lambda: None,
        idle: float = IDLE_SECONDS,
    ):
        super().__init__(
            uvicorn.Config(
                create_app(service, idle),
                ssl_certfile=certificate.cert if certificate else None,
                ssl_keyfile=certificate.key if certificate else None,
                http=_Http,
                lifespan="off",
                log_config=None,
                access_log=False,
                ws_max_size=MESSAGE_BYTES,
                ws_per_message_deflate=False,  # compressed sound does not shrink
                timeout_graceful_shutdown=GOODBYE_SECONDS,
                server_header=False,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


class _Http(H11Protocol):
    """Answers a WebSocket request whose lines are too long; uvicorn by itself leaves it without an answer."""

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        around = len(b"GET  HTTP/1.1\r\n")
        longest = max(len(event.target) + around, *(len(name) + len(value) + 4 for name, value in self.headers))
        if longest > LINE_BYTES:
            self.send_400_response("The address or a header is longer than 8,000 bytes; shorten the role.")
        else:
            super().handle_websocket_upgrade(event)
