"""The addresses of what clients keep here: voices, personas, recordings.

Knows HTTP. Whatever belongs to another owner is answered like what was never there.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from personaplex.errors import UserError
from personaplex.serve.door import Refusal
from personaplex.serve.personas import as_query, read_persona
from personaplex.serve.recordings import Recordings
from personaplex.serve.samples import SAMPLE_BYTES
from personaplex.serve.service import Service, read_wish
from personaplex.serve.voices import UPLOAD_SECONDS

UPLOADS = ("/v1/voices",)  # addresses that take more than a small request
_AROUND = 16 << 10  # bytes of an upload that are not its file
_AT_ONCE = 8  # uploads, which are in memory while they come


def routes(service: Service) -> list[Route]:
    """The addresses, for one service."""
    return [*_voices(service), *_personas(service), *_recordings(service)]


def _voices(service: Service) -> list[Route]:
    library, coming = service.library, 0

    async def listed(request: Request) -> JSONResponse:
        return _list(library.voices(_owner(request)))

    async def add(request: Request) -> JSONResponse:
        if library.uploads is None:
            raise _absent("voices of its clients")
        nonlocal coming
        if coming >= _AT_ONCE:
            raise Refusal("Too many voices are being uploaded; try again in a moment.", 503, "busy", retry_after=5)
        coming += 1
        try:
            name, consent, content = await _form(request)
            return JSONResponse(await library.add(_owner(request), name, consent, content), 201)
        finally:
            coming -= 1

    async def preview(request: Request) -> Response:
        sound = await library.preview(_owner(request), request.path_params["id"])
        return Response(sound, media_type="audio/wav")

    async def remove(request: Request) -> Response:
        await library.remove(_owner(request), request.path_params["id"])
        return Response(status_code=204)

    return [
        Route("/v1/voices", listed),
        Route("/v1/voices", add, methods=["POST"]),
        Route("/v1/voices/{id}/preview", preview),
        Route("/v1/voices/{id}", remove, methods=["DELETE"]),
    ]


def _personas(service: Service) -> list[Route]:
    personas = service.library.personas

    async def listed(request: Request) -> JSONResponse:
        if personas is None:
            raise _absent("personas")
        return _list(personas.of(_owner(request)))

    async def save(request: Request) -> JSONResponse:
        if personas is None:
            raise _absent("personas")
        try:
            persona = read_persona(json.loads(await request.body()))
        except (ValueError, RecursionError):
            raise UserError("A persona is a JSON object with role, voice and sampling.") from None
        read_wish(as_query(persona), service, _owner(request))  # raises what a conversation with it would
        return JSONResponse(await personas.save(_owner(request), request.path_params["name"], persona))

    async def remove(request: Request) -> Response:
        if personas is None:
            raise _absent("personas")
        await personas.remove(_owner(request), request.path_params["name"])
        return Response(status_code=204)

    return [
        Route("/v1/personas", listed),
        Route("/v1/personas/{name}", save, methods=["PUT"]),
        Route("/v1/personas/{name}", remove, methods=["DELETE"]),
    ]


def _recordings(service: Service) -> list[Route]:
    def kept() -> Recordings:
        if service.recordings is None:
            raise _absent("recordings")
        return service.recordings

    async def found(request: Request) -> dict[str, Any]:
        about = await _wait(kept().archive.find, _owner(request), request.path_params["id"])
        if about is None:
            raise Refusal("There is no such recording.", 404, "not_found")
        return about

    async def listed(request: Request) -> JSONResponse:
        return _list(await _wait(kept().archive.of, _owner(request)))

    async def one(request: Request) -> JSONResponse:
        about = await found(request)
        transcript, events = await _wait(kept().archive.read_words, about["id"])
        return JSONResponse(about | {"transcript": transcript, "events": events})

    async def audio(request: Request) -> Response:
        about = await found(request)
        path = kept().archive.sound(about["id"])
        if not await asyncio.to_thread(path.is_file):
            raise Refusal("There is no such recording.", 404, "not_found")
        download = path.name if request.query_params.get("download") else None
        return FileResponse(path, media_type="audio/ogg", filename=download)

    async def remove(request: Request) -> Response:
        await _wait(kept().archive.delete, (await found(request))["id"])
        return Response(status_code=204)

    return [
        Route("/v1/recordings", listed),
        Route("/v1/recordings/{id}", one),
        Route("/v1/recordings/{id}", remove, methods=["DELETE"]),
        Route("/v1/recordings/{id}/audio", audio),
    ]


async def _form(request: Request) -> tuple[object, object, bytes]:
    """An upload: its name, its consent and its file, which has come within a time and a size."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > SAMPLE_BYTES + _AROUND:
        raise Refusal(f"A voice is a file of at most {SAMPLE_BYTES >> 20} MB; cut it to a minute.", 413, "too_large")
    try:
        async with asyncio.timeout(UPLOAD_SECONDS), request.form(max_files=1, max_fields=8) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise UserError("A voice is sent as multipart/form-data with name, consent and file.")
            return form.get("name"), form.get("consent"), await file.read()
    except TimeoutError:
        raise Refusal(f"The file did not arrive within {UPLOAD_SECONDS:g} s.", 408, "too_slow") from None
    except HTTPException as error:
        raise UserError(f"The upload cannot be read: {error.detail.rstrip('.')}.") from error


async def _wait(work: Any, *args: Any) -> Any:
    """What the archive answers, waited for in a thread."""
    try:
        return await asyncio.to_thread(work, *args)
    except (OSError, sqlite3.Error) as error:
        raise Refusal("The recordings cannot be reached now.", 503, "storage_failed", retry_after=1) from error


def _owner(request: Request) -> str:
    return request.state.visitor.owner


def _list(data: list[dict[str, Any]]) -> JSONResponse:
    return JSONResponse({"object": "list", "data": data})


def _absent(what: str) -> Refusal:
    return Refusal(f"This server keeps no {what}.", 404, "not_kept")
