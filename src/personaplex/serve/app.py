"""The web application: which address answers with what.

Knows routes. The engine's life is `Service.running`, not the application's, so that making an application starts
nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from personaplex.errors import UserError
from personaplex.serve import api, library_api
from personaplex.serve.door import Refusal
from personaplex.serve.guard import Gate, refusal_response
from personaplex.serve.protocols.chat import Chat
from personaplex.serve.protocols.realtime import Realtime
from personaplex.serve.protocols.talk import Talk
from personaplex.serve.protocols.twilio import Twilio
from personaplex.serve.service import Service

STATIC = Path(__file__).with_name("static")
PROTOCOLS: dict[str, type[Talk]] = {"/api/chat": Chat, "/v1/realtime": Realtime, "/twilio": Twilio}


def create_app(service: Service) -> Starlette:
    """The application for one model; `service` is running while requests are answered."""

    def talk(protocol: type[Talk]) -> Callable[[WebSocket], Awaitable[None]]:
        async def endpoint(websocket: WebSocket) -> None:
            await protocol(websocket, service).run()

        return endpoint

    async def refused(_: Request, error: Exception) -> JSONResponse:
        refusal = error if isinstance(error, Refusal) else Refusal(str(error), 400, "invalid_request")
        return refusal_response(refusal)

    async def fault(_: Request, __: Exception) -> JSONResponse:
        service.metrics.fault()
        message = "A fault in the server; its log says more."
        return JSONResponse({"error": {"message": message, "type": "server_error", "code": "internal_error"}}, 500)

    return Starlette(
        routes=[
            *(WebSocketRoute(path, talk(protocol)) for path, protocol in PROTOCOLS.items()),
            *api.routes(service),
            *library_api.routes(service),
            Mount("/", StaticFiles(directory=STATIC, html=True)),
        ],
        middleware=[Middleware(Gate, guard=service.guard, uploads=library_api.UPLOADS)],
        exception_handlers={UserError: refused, Exception: fault},
    )
