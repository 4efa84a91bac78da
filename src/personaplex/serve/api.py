"""What the server tells about itself over HTTP: models, health, readiness, metrics.

Knows a service. Lists and errors have the shapes that OpenAI's clients read.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from personaplex import __version__
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.serve.door import RETRY_SECONDS
from personaplex.serve.metrics import CONTENT_TYPE
from personaplex.serve.service import Service


def routes(service: Service) -> list[Route]:
    """The addresses, for one service."""

    async def models(_: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [service.describe()]})

    async def health(_: Request) -> JSONResponse:
        well = service.mailbox.alive
        about = {
            "status": "ok" if well else "the engine has stopped",
            "version": __version__,
            "model": service.name,
            "sessions": service.mailbox.sessions,
            "max_sessions": service.capacity,
            "waiting": service.door.waiting,
        }
        return JSONResponse(about, 200 if well else 503)

    async def ready(_: Request) -> JSONResponse:
        if service.mailbox.alive and service.door.closes_at is None:
            return JSONResponse({"status": "ready"})
        why = "shutting down" if service.mailbox.alive else "the engine has stopped"
        return JSONResponse({"status": why}, 503, {"retry-after": str(RETRY_SECONDS)})

    async def metrics(_: Request) -> Response:
        return Response(
            service.metrics.page(service.door.inside, service.door.waiting), headers={"content-type": CONTENT_TYPE}
        )

    # What clients from before /v1 ask for.

    async def voice_names(_: Request) -> JSONResponse:
        return JSONResponse(list(service.voices))

    async def model(_: Request) -> JSONResponse:
        sampling = service.sampling
        return JSONResponse(
            {
                "name": service.name,
                "voices": list(service.voices),
                "default_voice": service.default_voice,
                "default_role": service.default_role,
                "audio_temperature": sampling.temp_audio,
                "audio_topk": sampling.topk_audio,
                "text_temperature": sampling.temp_text,
                "word_temperature": sampling.temp_word,
                "text_topk": sampling.topk_text,
                "sample_rate": SAMPLE_RATE,
                "frame_samples": FRAME_SAMPLES,
                "synthetic": True,
            }
        )

    return [
        Route("/v1/models", models),
        Route("/health", health),
        Route("/ready", ready),
        Route("/metrics", metrics),
        Route("/api/voices", voice_names),
        Route("/api/model", model),
    ]
