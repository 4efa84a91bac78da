"""The web application: which address answers with what.

Knows routes and headers. The engine's life is `Service.running`, not the application's, so that making an application
starts nothing.
"""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from personaplex import __version__
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.lm.sampling import Sampling
from personaplex.serve.protocols.chat import IDLE_SECONDS, Chat
from personaplex.serve.service import Service

STATIC = Path(__file__).with_name("static")

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "microphone=(self)",
    "cache-control": "no-cache",
}


def create_app(service: Service, idle: float = IDLE_SECONDS) -> Starlette:
    """The application for one model.

    Args:
        service: running while requests are answered.
        idle: seconds without sound after which a chat ends.
    """

    async def chat(websocket: WebSocket) -> None:
        await Chat(websocket, service, idle).run()

    async def voices(_: Request) -> JSONResponse:
        return JSONResponse(list(service.voices))

    async def model(_: Request) -> JSONResponse:
        sampling = Sampling()
        return JSONResponse(
            {
                "name": service.name,
                "voices": list(service.voices),
                "default_voice": service.default_voice,
                "default_role": service.default_role,
                "audio_temperature": sampling.temp_audio,
                "audio_topk": sampling.topk_audio,
                "text_temperature": sampling.temp_text,
                "text_topk": sampling.topk_text,
                "sample_rate": SAMPLE_RATE,
                "frame_samples": FRAME_SAMPLES,
                "synthetic": True,
            }
        )

    async def health(_: Request) -> JSONResponse:
        well = service.mailbox.alive
        return JSONResponse(
            {
                "status": "ok" if well else "the engine has stopped",
                "version": __version__,
                "model": service.name,
                "sessions": service.mailbox.sessions,
                "max_sessions": service.capacity,
            },
            status_code=200 if well else 503,
        )

    return Starlette(
        routes=[
            WebSocketRoute("/api/chat", chat),
            Route("/api/voices", voices),
            Route("/api/model", model),
            Route("/health", health),
            Mount("/", StaticFiles(directory=STATIC, html=True)),
        ],
        middleware=[Middleware(_Headers)],
    )


class _Headers:
    """Adds `HEADERS` to every HTTP answer."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
