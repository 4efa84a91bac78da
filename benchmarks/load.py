"""How many conversations a served model holds at once: what is late, where a tick's time goes, what memory it takes.

Starts `personaplex serve` in a process of its own and talks to it as clients do, over /api/chat, each in real time and
out of step with the others. By default it decides one question: four conversations for five minutes with no more than
1 % of ticks and of frames late, nothing lost, memory flat. Where the answer is no, and with `--ramp`, it finds how many
the machine holds. docs/serving.md says what late means. Exits with 1 where the question was answered with no.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from personaplex.audio import read_audio
from personaplex.frames import FRAME_SAMPLES, FRAME_SECONDS
from personaplex.serve.clock import LATE_FRAME

ASSETS = Path(__file__).parents[1] / "assets"
AUDIO, METADATA, ERROR = 1, 4, 5
WANTED = 1.0  # % of ticks, and of frames, that may be late
GROWTH = 0.05  # by which memory may differ between the first and the last third of a run
BUFFER = FRAME_SECONDS  # s that a listener's play-out buffer holds before the first answer sounds
SETTLED = 1.0  # s after the last frame in which its answer may still come


@dataclass
class Client:
    """One conversation: when each frame went out and came back, in seconds."""

    sent: list[float] = field(default_factory=list)
    received: list[float] = field(default_factory=list)
    dropped: int = 0
    lost_from: int | None = None  # the first answer that no longer belongs to the frame at its place

    async def talk(self, url: str, number: int, sound: np.ndarray, seconds: float) -> None:
        """Say `sound` int16 `[n]`, over and over, in real time."""
        async with connect(f"{url}/api/chat?format=pcm&seed={number}", open_timeout=60, max_size=None) as socket:
            assert (await socket.recv())[0] == 0
            listening = asyncio.create_task(self.listen(socket))
            begin = time.perf_counter() + number * 0.618 % 1 * FRAME_SECONDS  # spread over the frame, however many
            for frame in range(round(seconds / FRAME_SECONDS)):
                await asyncio.sleep(max(0.0, begin + frame * FRAME_SECONDS - time.perf_counter()))
                if listening.done():
                    break
                at = frame * FRAME_SAMPLES % (len(sound) - FRAME_SAMPLES)
                self.sent.append(time.perf_counter())
                await socket.send(bytes([AUDIO]) + sound[at : at + FRAME_SAMPLES].tobytes())
            await asyncio.wait([listening], timeout=SETTLED)
            if listening.done():
                listening.result()
                raise RuntimeError("the server ended the conversation")
            listening.cancel()

    async def listen(self, socket: object) -> None:
        async for message in socket:
            if message[0] == AUDIO:
                self.received.append(time.perf_counter())
            elif message[0] == METADATA:
                about = json.loads(message[1:])
                if about["event"] == "dropped":
                    self.dropped = about["total"]
                    self.lost_from = len(self.received) if self.lost_from is None else self.lost_from
            elif message[0] == ERROR:
                raise RuntimeError(message[1:].decode())

    @property
    def round_trips(self) -> np.ndarray:
        """Seconds from a frame to its answer, as far as nothing was lost."""
        count = min(len(self.received), len(self.sent)) if self.lost_from is None else self.lost_from
        return np.subtract(self.received[:count], self.sent[:count])

    @property
    def late(self) -> int:
        """Frames that were answered late or not at all; all of them from the first that was lost."""
        trips = self.round_trips
        return int((trips > LATE_FRAME).sum()) + len(self.sent) - len(trips)

    @property
    def unevenness(self) -> np.ndarray:
        """Seconds by which each answer came later than the most punctual, by a clock of 80 ms; to the first loss."""
        times = np.array(self.received[: len(self.round_trips)])
        times -= FRAME_SECONDS * np.arange(len(times))
        return times - times.min(initial=np.inf)

    @property
    def gaps(self) -> int:
        """Answers that were not there in time for a player who began 80 ms after the first came and never waits."""
        uneven = self.unevenness
        return int((uneven > uneven[:1] + BUFFER).sum()) + len(self.sent) - len(uneven)


def resident(pid: int) -> float:
    """Memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


def percentiles(values: np.ndarray) -> dict[str, float]:
    """Milliseconds of seconds."""
    marks = {f"p{p}": round(1000 * float(np.percentile(values, p)), 1) for p in (50, 90, 99)} if len(values) else {}
    return marks | ({"most": round(1000 * float(values.max()), 1)} if len(values) else {})


def counters(url: str) -> dict[str, float]:
    """The server's own figures, the buckets and parts of its ticks by their label."""
    found = {}
    for family in text_string_to_metric_families(httpx.get(f"{url}/metrics", timeout=30).text):
        for sample in family.samples:
            label = sample.labels.get("le") or sample.labels.get("part") or ""
            found[sample.name.removeprefix("personaplex_") + (f" {label}" if label else "")] = sample.value
    return found


def ticks(before: dict[str, float], after: dict[str, float], wall: float) -> dict[str, object]:
    """What the server says about its ticks of `wall` seconds: how long, how many late, where the time went."""
    grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
    count = max(1.0, grown["tick_seconds_count"])
    parts = {name.split()[1]: value for name, value in grown.items() if name.startswith("tick_part_seconds_total")}
    within = {name.split()[1]: value for name, value in grown.items() if name.startswith("tick_seconds_bucket")}
    return {
        "count": int(grown["tick_seconds_count"]),
        "mean_ms": round(1000 * grown["tick_seconds_sum"] / count, 1),
        "late_percent": round(100 * grown["late_ticks_total"] / count, 2),
        "percent_within_s": {le: round(100 * n / count, 1) for le, n in within.items() if le[0].isdigit()},
        "parts_ms": {part: round(1000 * spent / count, 2) for part, spent in parts.items()},
        "busy_percent": round(100 * sum(parts.values()) / wall, 1),
    }


async def load(url: str, pid: int, sessions: int, seconds: float) -> dict[str, object]:
    """Hold so many conversations; what was measured."""
    question = read_audio(ASSETS / "question_teacher.wav")
    sound = (np.concatenate([question, np.zeros(6 * 24_000, np.float32)]) * 32767).astype("<i2")
    clients, memory = [Client() for _ in range(sessions)], []

    async def watch() -> None:
        while True:
            memory.append(resident(pid))
            await asyncio.sleep(1.0)

    begin = time.perf_counter()
    watching = asyncio.create_task(watch())
    talks = [c.talk(url.replace("http", "ws", 1), n, sound, seconds) for n, c in enumerate(clients)]
    results = await asyncio.gather(*talks, return_exceptions=True)
    watching.cancel()
    trips = np.concatenate([client.round_trips for client in clients])
    sent = max(1, sum(len(client.sent) for client in clients))
    third = max(1, len(memory) // 3)
    return {
        "wall_seconds": round(time.perf_counter() - begin - SETTLED, 1),
        "failed": [str(result) for result in results if result is not None],
        "frames_sent": sum(len(client.sent) for client in clients),
        "frames_answered": sum(len(client.received) for client in clients),
        "frames_dropped": sum(client.dropped for client in clients),
        "late_frames_percent": round(100 * sum(client.late for client in clients) / sent, 2),
        "within_80_ms_percent": round(100 * int((trips <= FRAME_SECONDS).sum()) / sent, 2),
        "round_trip_ms": percentiles(trips),
        "unevenness_ms": percentiles(np.concatenate([client.unevenness for client in clients])),
        "gaps_percent": round(100 * sum(client.gaps for client in clients) / sent, 2),
        "memory_mib": {"first_third": round(np.mean(memory[:third])), "last_third": round(np.mean(memory[-third:]))},
    }


@contextmanager
def serving(model: str, device: str, sessions: int, threads: int | None) -> Iterator[tuple[str, int]]:
    """A server of so many places: its address and its process."""
    command = [sys.executable, "-c", "from personaplex.cli import main; main()", "serve", "--port", "0"]
    command += ["--model", model, "--device", device, "--max-sessions", str(sessions)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"} | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        addresses = (re.search(r"https?://[\d.:]+", line) for line in server.stdout)
        if (match := next(filter(None, addresses), None)) is None:
            raise SystemExit("The server did not start.")
        yield match[0], server.pid
    finally:
        server.terminate()
        server.wait(30)


def measure(model: str, device: str, sessions: int, seconds: float, threads: int | None) -> dict[str, object]:
    """A run of so many conversations with a server of its own, and whether it held them."""
    with serving(model, device, sessions, threads) as (url, pid):
        before = counters(url)
        result = asyncio.run(load(url, pid, sessions, seconds))
        result["ticks"] = ticks(before, counters(url), result["wall_seconds"])
    memory = result["memory_mib"]
    problems = {
        "a conversation failed": result["failed"],
        "frames were thrown away": result["frames_dropped"],
        "ticks are late": result["ticks"]["late_percent"] > WANTED,
        "frames are late": result["late_frames_percent"] > WANTED,
        "memory is not flat": memory["last_third"] > (1 + GROWTH) * memory["first_third"],
    }
    problems = [problem for problem, there in problems.items() if there]
    result = {"sessions": sessions, "seconds": seconds, "held": not problems, "problems": problems, **result}
    show(result)
    return result


def show(result: dict[str, object]) -> None:
    """One run for the eye, with the table of where a tick's time goes."""
    tick, trip, uneven = result["ticks"], result["round_trip_ms"], result["unevenness_ms"]
    verdict = "held" if result["held"] else f"not held: {', '.join(result['problems'])}"
    click.echo(f"\n{result['sessions']} conversations for {result['seconds']:g} s: {verdict}")
    click.echo(f"  late             {tick['late_percent']} % of ticks, {result['late_frames_percent']} % of frames")
    click.echo(f"  round trip       p50 {trip.get('p50')}, p90 {trip.get('p90')}, p99 {trip.get('p99')} ms")
    click.echo(f"  unevenness       p99 {uneven.get('p99')}, most {uneven.get('most')} ms; "
               f"{result['gaps_percent']} % gaps with a buffer of {1000 * BUFFER:.0f} ms")  # fmt: skip
    click.echo("  memory           {first_third} MiB, at the end {last_third} MiB".format(**result["memory_mib"]))
    click.echo(f"  ticks            {tick['count']}, busy {tick['busy_percent']} % of the time")
    total = sum(tick["parts_ms"].values())
    for part, spent in tick["parts_ms"].items():
        click.echo(f"    {part:<14} {spent:7.2f} ms  {100 * spent / max(total, 1e-9):5.1f} %")
    click.echo(f"    {'a tick':<14} {total:7.2f} ms")


def machine() -> dict[str, object]:
    """What it ran on, and how busy that was with other things."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.+)", info.read_text()) if info.exists() else []
    busy = round(os.getloadavg()[0], 2)
    cores = len(os.sched_getaffinity(0))
    return {"cores": cores, "processor": (names or [platform.machine()])[0], "load_average_before": busy}


@click.command()
@click.option("--sessions", default=4, show_default=True, type=click.IntRange(1), help="Conversations at once.")
@click.option("--seconds", default=300.0, show_default=True, type=click.FloatRange(2))
@click.option("--ramp", is_flag=True, help="Find how many are held: 1, 2, 3, … for --ramp-seconds each.")
@click.option("--ramp-seconds", default=20.0, show_default=True, type=click.FloatRange(2))
@click.option("--model", default="nano", show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="CPU threads of the server.  [default: torch's]")
@click.option("--output", type=click.Path(path_type=Path), help="A file for everything as JSON.")
def main(
    sessions: int, seconds: float, ramp: bool, ramp_seconds: float, model: str, device: str, threads: int | None,
    output: Path | None,
) -> None:  # fmt: skip
    """Talk with a served model in many conversations at once."""
    report: dict[str, object] = {"model": model, "device": device, "threads": threads, "machine": machine()}
    run = None if ramp else measure(model, device, sessions, seconds, threads)
    if run:
        report |= run
    if not run or not run["held"]:
        report["ramp"], held = [], 0
        while not run or held + 1 < sessions:
            step = measure(model, device, held + 1, ramp_seconds, threads)
            report["ramp"].append(step)
            if not step["held"]:
                break
            held += 1
        report["holds"] = held
        click.echo(f"\nThis machine holds {held} conversation{'s' * (held != 1)} at once.")
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(report, indent=2) + "\n")
    sys.exit(bool(run and not run["held"]))


if __name__ == "__main__":
    main()
