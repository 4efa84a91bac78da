"""Who is let through: keys, Origin and Host, before anything else looks at a request.

Knows headers. Does not know what lies behind it.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personaplex.serve.door import Refusal, Visitor
from personaplex.serve.keys import Keys, carried_key
from personaplex.serve.limits import BODY_BYTES

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LOCKED = ("/api/", "/v1/", "/metrics")  # what needs a key, where there are keys
READING = ("GET", "HEAD", "OPTIONS")

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob:; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "microphone=(self)",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


class Guard:
    """Lets requests through or raises `Refusal`.

    Args:
        keys: that open the server; none of them for a server that anybody may use who can reach it.
        anywhere: requests may name any host even without keys. Otherwise a server without keys answers to the names of
            this machine alone, so that no web page can reach it under a name of its own (DNS rebinding).
        origins: web pages from elsewhere that may use it, such as `https://example.org`.
    """

    def __init__(self, keys: Keys | None = None, anywhere: bool = False, origins: Iterable[str] = ()):
        self.keys = keys or Keys()
        self._anywhere = anywhere
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)

    def check_origin(self, request: HTTPConnection) -> None:
        """Raises `Refusal` for a name that is not ours, or a page from elsewhere."""
        host = request.headers.get("host", "")
        if not (self.keys or self._anywhere) and _split(f"//{host}")[0] not in LOOPBACK:
            raise Refusal(f"This server does not answer to the name {host[:80]!r}.", 403, "wrong_host")
        origin = request.headers.get("origin")
        if origin is None or origin.lower() in self._origins:
            return
        if _split(origin)[1].lower() != host.lower():
            raise Refusal(
                "A page from another origin may not use this server; see --allow-origin.", 403, "wrong_origin"
            )

    def visitor(self, request: HTTPConnection, key: str | None = None) -> Visitor:
        """Whose request it is.

        Args:
            request: HTTP or WebSocket.
            key: one that came in another way than requests bring them.

        Raises:
            Refusal: when there are keys and it brings none of them.
        """
        if not self.keys:
            return Visitor()
        key = key or carried_key(request.headers, request.query_params, request.scope.get("subprotocols", ()))
        visitor = self.keys.find(key)
        if visitor is None:
            how = "send `Authorization: Bearer KEY`, or ?key=KEY in the address"
            raise Refusal(f"This server needs {'another' if key else 'a'} key: {how}.", 401, "invalid_api_key")
        return visitor


class Gate:
    """Middleware: checks HTTP requests, bounds their bodies, and adds `HEADERS` to every answer.

    WebSockets are checked by their protocols, which know how to say no. Behind it `request.state.visitor` is who asks.
    """

    def __init__(self, app: ASGIApp, guard: Guard, uploads: Iterable[str] = ()):
        self._app, self._guard, self._uploads = app, guard, frozenset(uploads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        request = Request(scope)
        try:
            self._check(request)
        except Refusal as refusal:
            await refusal_response(refusal)(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    def _check(self, request: Request) -> None:
        path = request.url.path
        if request.method not in READING or path.startswith(LOCKED):
            self._guard.check_origin(request)
        request.state.visitor = Visitor()
        if path.startswith(LOCKED):
            request.state.visitor = self._guard.visitor(request)
        if request.method not in READING and path not in self._uploads:
            length = request.headers.get("content-length", "0")
            if "transfer-encoding" in request.headers or not length.isdecimal() or int(length) > BODY_BYTES:
                raise Refusal(f"A request may hold at most {BODY_BYTES} bytes and must say how many.", 413, "too_large")


def refusal_response(refusal: Refusal) -> JSONResponse:
    """The HTTP answer that says no."""
    headers = {} if refusal.retry_after is None else {"retry-after": str(refusal.retry_after)}
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(refusal.to_dict(), refusal.status, headers)


def _split(address: str) -> tuple[str, str]:
    """Host name, and host with port, of an address; empty ones where it is none."""
    try:
        parts = urlsplit(address)
        return parts.hostname or "", parts.netloc
    except ValueError:
        return "", ""
