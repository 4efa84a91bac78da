"""`personaplex offline`: recorded speech to a persona."""

from __future__ import annotations

import math
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from personaplex.checkpoints.model import Model
    from personaplex.engine import Engine
    from personaplex.persona.persona import Persona

_PATH = click.Path(path_type=Path)


@click.command()
@click.option(
    "--input-wav", "inputs", type=_PATH, multiple=True, required=True, help="Sound file or folder; repeatable."
)
@click.option("--output-wav", type=_PATH, required=True, help="The agent's sound; a folder for several inputs.")
@click.option("--output-text", type=_PATH, help="Its words and their times as JSON; a folder for several inputs.")
@click.option("--output-tokens", type=_PATH, help="The grid as npz: text [T], agent [K,T], user [K,T]; heard [T].")
@click.option("--voice-prompt", help="A voice of the model, or a sound file of at least 1 s.  [default: NATF2]")
@click.option("--text-prompt", help="The role, in plain words.  [default: a friendly teacher]")
@click.option("--model", "model_name", default="nano", show_default=True, help="A model's name, directory or hub id.")
@click.option("--device", help="Such as cpu or cuda.  [default: an accelerator if there is one]")
@click.option("--cpu-offload", is_flag=True, help="Leave in main memory what does not fit on the GPU; slow.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="The same seed and input give the same tokens.")
@click.option("--greedy", is_flag=True, help="Always the likeliest token.")
@click.option(
    "--temp-audio",
    type=click.FloatRange(0, min_open=True),
    help="Temperature.  [default: the model's; 0.8 as published]",
)
@click.option(
    "--temp-text",
    type=click.FloatRange(0, min_open=True),
    help="Temperature.  [default: the model's; 0.7 as published]",
)
@click.option(
    "--temp-word",
    type=click.FloatRange(0),
    help="Temperature among words, --temp-text then telling only whether one is due; 0 for one for both."
    "  [default: the model's; 0 as published]",
)
@click.option(
    "--padding-bonus",
    type=float,
    help="Added to padding's logits in the text stream; below 0 the model speaks sooner."
    "  [default: the model's; 0 as published]",
)
@click.option(
    "--topk-audio", type=click.IntRange(0), help="Candidates, 0 for all.  [default: the model's; 250 as published]"
)
@click.option(
    "--topk-text", type=click.IntRange(0), help="Candidates, 0 for all.  [default: the model's; 25 as published]"
)
@click.option("--batch-size", type=click.IntRange(1), default=1, show_default=True, help="Conversations at once.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: torch's; 1 with --stats]")
@click.option("--stats", is_flag=True, help="Print how fast it was.")
def offline(
    inputs: tuple[Path, ...],
    output_wav: Path,
    output_text: Path | None,
    output_tokens: Path | None,
    voice_prompt: str | None,
    text_prompt: str | None,
    model_name: str,
    device: str | None,
    cpu_offload: bool,
    seed: int | None,
    greedy: bool,
    temp_audio: float | None,
    temp_text: float | None,
    temp_word: float | None,
    padding_bonus: float | None,
    topk_audio: int | None,
    topk_text: int | None,
    batch_size: int,
    threads: int | None,
    stats: bool,
) -> None:
    """Play recorded speech to a persona and write what it says, exactly as long as the recording.

    \b
    personaplex offline --input-wav question.wav --output-wav answer.wav --output-text answer.json
    personaplex offline --input-wav q.wav --voice-prompt my_voice.wav --text-prompt "You are ..." --output-wav a.wav
    personaplex offline --input-wav questions/ --output-wav answers/ --batch-size 4 --stats
    """
    import torch
    from tqdm import tqdm

    from personaplex.cli.device import choose_device, load_on
    from personaplex.engine import Engine
    from personaplex.offline import plan, run

    jobs = plan(inputs, output_wav, output_text, output_tokens)
    lengths = [_frames(job.source) for job in jobs]  # also finds what cannot be read before anything is computed
    if threads is not None or stats:
        torch.set_num_threads(threads or 1)
    rows = min(batch_size, len(jobs))
    model = load_on(model_name, choose_device(device), rows, cpu_offload)
    sampling = model.sampling.but(
        temp_audio=temp_audio,
        topk_audio=topk_audio,
        temp_text=temp_text,
        topk_text=topk_text,
        temp_word=temp_word,
        padding_bonus=padding_bonus,
        greedy=greedy or None,
    )
    persona = choose_persona(model, voice_prompt, text_prompt)
    if persona and persona.voice and persona.voice.note:
        click.echo(persona.voice.note, err=True)
    seed = secrets.randbits(32) if seed is None else seed
    engine = Engine(model, rows, exact_times=stats)
    with tqdm(total=sum(lengths), unit="frame", desc="offline", disable=None) as bar:
        run(engine, model, jobs, persona, sampling, seed, bar.update)
    if stats:
        click.echo(describe_speed(engine, torch.get_num_threads()))


def choose_persona(model: Model, voice: str | None, role: str | None) -> Persona | None:
    """The persona that the options mean.

    A model without voices that is told neither voice nor role (Moshi) plays no persona and gets no prompt.

    Raises:
        UserError: when the voice is not one.
    """
    from personaplex.persona.persona import DEFAULT_ROLE, DEFAULT_VOICE, Persona

    if voice is None and not model.voices.names():
        return None if role is None else Persona(role)
    sample = model.voices.load(DEFAULT_VOICE if voice is None else voice, model)
    return Persona(DEFAULT_ROLE if role is None else role, sample)


def describe_speed(engine: Engine, threads: int) -> str:
    """Where the time went, as text of several lines."""
    from personaplex.frames import FRAME_SECONDS

    totals = engine.totals
    ticks = max(totals.ticks, 1)
    tick = 1000 * (totals.encode + totals.think + totals.decode) / ticks
    parts = {"encode": totals.encode, "think": totals.think, "decode": totals.decode}
    split = ", ".join(f"{name} {1000 * seconds / ticks:.1f} ms" for name, seconds in parts.items())
    where = f"{threads} CPU thread{'s' * (threads != 1)}" if engine.device.type == "cpu" else str(engine.device)
    return (
        f"{totals.frames * FRAME_SECONDS:.1f} s of conversation at {totals.real_time_factor:.2f} x real time "
        f"(whole loop, {where}, batch of {engine.capacity})\n"
        f"a tick: {tick:.1f} ms of the 80 ms that it may take ({split})\n"
        f"prompt: {1000 * totals.prefill / max(totals.prefills, 1):.0f} ms to read, "
        f"{engine.prefixes.hits} of {engine.prefixes.hits + engine.prefixes.misses} from the cache"
    )


def _frames(path: Path) -> int:
    from personaplex.audio import sound_seconds
    from personaplex.frames import FRAME_RATE

    return math.ceil(sound_seconds(path) * FRAME_RATE)
