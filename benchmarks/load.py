"""Many conversations at once with a served model: how late its answers are, what a tick costs, what memory it takes.

Starts `personaplex serve` in a process of its own and talks to it as clients do, over /api/chat, each in real time and
out of step with the others. Prints one JSON object; `--output` writes it to a file as well.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from personaplex.audio import read_audio
from personaplex.frames import FRAME_SAMPLES, FRAME_SECONDS

ASSETS = Path(__file__).parents[1] / "assets"
AUDIO, METADATA, ERROR = 1, 4, 5


@dataclass
class Client:
    """One conversation: when each frame went out and came back, in seconds."""

    sent: list[float] = field(default_factory=list)
    received: list[float] = field(default_factory=list)
    late: int = 0
    dropped: int = 0

    async def talk(self, url: str, seed: int, sound: np.ndarray, seconds: float) -> None:
        """Say `sound` int16 `[n]`, over and over, in real time."""
        async with connect(f"{url}/api/chat?format=pcm&seed={seed}", open_timeout=60, max_size=None) as socket:
            assert (await socket.recv())[0] == 0
            listening = asyncio.create_task(self.listen(socket))
            begin = time.perf_counter() + seed % 7 / 7 * FRAME_SECONDS
            for frame in range(round(seconds / FRAME_SECONDS)):
                await asyncio.sleep(max(0.0, begin + frame * FRAME_SECONDS - time.perf_counter()))
                at = frame * FRAME_SAMPLES % (len(sound) - FRAME_SAMPLES)
                self.sent.append(time.perf_counter())
                await socket.send(bytes([AUDIO]) + sound[at : at + FRAME_SAMPLES].tobytes())
            await asyncio.sleep(1.0)
            listening.cancel()

    async def listen(self, socket: object) -> None:
        async for message in socket:
            if message[0] == AUDIO:
                self.received.append(time.perf_counter())
            elif message[0] == METADATA:
                about = json.loads(message[1:])
                self.late = about.get("late", self.late)
                self.dropped = about.get("total", self.dropped)
            elif message[0] == ERROR:
                raise RuntimeError(message[1:].decode())


def resident(pid: int) -> float:
    """Memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


def percentiles(values: list[float]) -> dict[str, float]:
    """Milliseconds of seconds."""
    return {f"p{p}": round(1000 * float(np.percentile(values, p)), 1) for p in (50, 90, 99)} if values else {}


async def load(url: str, pid: int, sessions: int, seconds: float) -> dict[str, object]:
    """Hold so many conversations; what was measured."""
    question = read_audio(ASSETS / "question_teacher.wav")
    sound = (np.concatenate([question, np.zeros(6 * 24_000, np.float32)]) * 32767).astype("<i2")
    clients, memory = [Client() for _ in range(sessions)], []

    async def watch() -> None:
        while True:
            memory.append(resident(pid))
            await asyncio.sleep(1.0)

    watching = asyncio.create_task(watch())
    talks = [c.talk(url.replace("http", "ws", 1), seed, sound, seconds) for seed, c in enumerate(clients)]
    results = await asyncio.gather(*talks, return_exceptions=True)
    watching.cancel()
    waits = [back - out for c in clients if not c.dropped for out, back in zip(c.sent, c.received, strict=False)]
    answered = sum(len(client.received) for client in clients)
    third = max(1, len(memory) // 3)
    return {
        "failed": [str(result) for result in results if result is not None],
        "frames_sent": sum(len(client.sent) for client in clients),
        "frames_answered": answered,
        "frames_dropped": sum(client.dropped for client in clients),
        "late_percent": round(100 * sum(client.late for client in clients) / max(1, answered), 2),
        "round_trip_ms": percentiles(waits),
        "memory_mib": {"first_third": round(np.mean(memory[:third])), "last_third": round(np.mean(memory[-third:]))},
    }


def ticks(url: str) -> dict[str, float]:
    """What the server's own metrics say about its ticks."""
    found = {}
    for family in text_string_to_metric_families(httpx.get(f"{url}/metrics", timeout=30).text):
        if family.name == "personaplex_tick_seconds":
            for sample in family.samples:
                key = sample.labels.get("le", sample.name.rpartition("_")[2])
                found[key] = sample.value
    count = found.get("count", 0.0)
    within = {le: round(100 * n / count, 1) for le, n in found.items() if le[0].isdigit()} if count else {}
    return {"count": count, "mean_ms": round(1000 * found.get("sum", 0) / max(count, 1), 1), "percent_within_s": within}


@click.command()
@click.option("--sessions", default=4, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(2))
@click.option("--model", default="nano", show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="CPU threads of the server.  [default: torch's]")
@click.option("--output", type=click.Path(path_type=Path))
def main(sessions: int, seconds: float, model: str, device: str, threads: int | None, output: Path | None) -> None:
    """Talk with a served model in many conversations at once."""
    command = [sys.executable, "-c", "from personaplex.cli import main; main()", "serve", "--port", "0"]
    command += ["--model", model, "--device", device, "--max-sessions", str(sessions)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"} | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        url = None
        for line in server.stdout:
            if match := re.search(r"https?://[\d.:]+", line):
                url = match[0]
                break
        if url is None:
            raise SystemExit("The server did not start.")
        result = asyncio.run(load(url, server.pid, sessions, seconds))
        result |= {"ticks": ticks(url)}
    finally:
        server.terminate()
        server.wait(30)
    about = {"model": model, "device": device, "sessions": sessions, "seconds": seconds, "threads": threads}
    machine = {"cores": len(os.sched_getaffinity(0)), "processor": platform.processor() or platform.machine()}
    text = json.dumps({**about, "machine": machine, **result}, indent=2)
    click.echo(text)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n")


if __name__ == "__main__":
    main()
