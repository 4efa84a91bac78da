"""A listening socket and uvicorn around the application; the way from SIGTERM to a clean end.

Knows addresses and signals. Everything that can be wrong with an address is found before a model is loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Callable
from types import FrameType

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from personaplex.errors import UserError
from personaplex.serve.app import create_app
from personaplex.serve.limits import LINE_BYTES, MESSAGE_BYTES
from personaplex.serve.service import Service
from personaplex.serve.tls import Certificate

GOODBYE_SECONDS = 3  # for open conversations to close when the server stops


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

    SIGTERM lets nobody in any more and waits for those inside, at most `limits.drain` seconds; a second one, and
    SIGINT, end everything at once.

    Args:
        service: what is served.
        certificate: for TLS.
        ready: called once conversations can begin.
    """

    def __init__(
        self, service: Service, certificate: Certificate | None = None, ready: Callable[[], None] = lambda: None
    ):
        limits = service.limits

        class Http(_Http):
            handshake = limits.handshake

        super().__init__(
            uvicorn.Config(
                create_app(service),
                ssl_certfile=certificate.cert if certificate else None,
                ssl_keyfile=certificate.key if certificate else None,
                http=Http,
                lifespan="off",
                log_config=None,
                access_log=False,
                ws_max_size=MESSAGE_BYTES,
                ws_per_message_deflate=False,  # compressed sound does not shrink
                ws_ping_interval=limits.ping,
                ws_ping_timeout=limits.ping,
                timeout_graceful_shutdown=GOODBYE_SECONDS,
                server_header=False,
            )
        )
        self._service, self._ready = service, ready
        self._draining = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    def drain(self) -> None:
        """End when the last conversation has, or when its time is up. Safe in a signal's handler."""
        self._draining = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if sig == signal.SIGTERM and not self._draining:
            self.drain()
        elif sig == signal.SIGTERM:
            self.should_exit = True
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: see whether it is time to go."""
        door, now = self._service.door, asyncio.get_running_loop().time()
        if self._draining and door.closes_at is None:
            door.close(now + self._service.limits.drain)
        if door.closes_at is not None and (not door.inside or now > door.closes_at + 1.0):
            self.should_exit = True
        return await super().on_tick(counter)


class _Http(H11Protocol):
    """Answers a WebSocket request whose lines are too long, and hangs up on a client that connects and asks nothing.

    uvicorn by itself leaves both without an answer.
    """

    handshake = 10.0  # s
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._patience = self.loop.call_later(self.handshake, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._be_patient()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.headers is not None:  # a whole request came
            self._be_patient()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._be_patient()
        around = len(b"GET  HTTP/1.1\r\n")
        longest = max(len(event.target) + around, *(len(name) + len(value) + 4 for name, value in self.headers))
        if longest > LINE_BYTES:
            self.send_400_response("The address or a header is longer than 8,000 bytes; shorten the role.")
        else:
            super().handle_websocket_upgrade(event)

    def _be_patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()
