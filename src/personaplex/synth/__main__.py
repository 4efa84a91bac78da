"""`personaplex synth`, and `python -m personaplex.synth`: make a corpus of conversations, or import one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from personaplex.errors import UserError

if TYPE_CHECKING:
    from personaplex.synth.writer import Model


class _Mix(click.ParamType):
    """`service=6,brief=1` → shares that add up to 1."""

    name = "mix"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, float]:
        from personaplex.synth.scenarios import KINDS

        mix: dict[str, float] = {}
        for part in str(value).split(","):
            kind, _, share = part.partition("=")
            try:
                mix[kind.strip()] = float(share)
            except ValueError:
                self.fail(f"{part!r} is not KIND=SHARE, such as service=6.", param, ctx)
        if unknown := [kind for kind in mix if kind not in KINDS]:
            self.fail(f"There is no kind {unknown[0]!r}; the kinds are {', '.join(KINDS)}.", param, ctx)
        total = sum(mix.values())
        if not 0 < total < float("inf") or min(mix.values()) < 0:
            self.fail("Shares are numbers from 0 up, and one of them more.", param, ctx)
        return {kind: share / total for kind, share in mix.items()}


class _Engine(click.ParamType):
    """An engine that is not everywhere → its voices at hand."""

    name = "engine"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        from personaplex.speech.engines import OTHERS, others

        if value not in OTHERS:
            self.fail(f"{value!r} is not one of {', '.join(OTHERS)}.", param, ctx)
        try:
            return others(value)
        except UserError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder of the corpus; made if absent.",
)
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="Make at least this much sound.")
@click.option("--count", type=click.IntRange(min=1), help="Or make exactly this many dialogues.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed, the same corpus."
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Processes; the result is the same."
)
@click.option(
    "--split",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="test: held-out user voices, names, companies and trades.",
)
@click.option(
    "--mix",
    type=_Mix(),
    metavar="KIND=SHARE,…",
    default="service=6,qa=2,casual=2",
    show_default=True,
    help="How often each kind of conversation is drawn. Beside these: story (small talk that begins with half a minute "
    "of the user's), brief (turns of a few words), interrupted, open and told (users who say anything), and alone "
    "(users whom nobody answers: for dictation, see `personaplex train lm --help`).",
)
@click.option(
    "--users",
    type=_Engine(),
    help="All users have voices of this engine: festival, pico or kokoro (natural, at a hundred times the cost). "
    "Otherwise, with --split train, those of all that are installed, but for Kokoro.",
)
@click.option(
    "--new-voices",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="SHARE",
    help="In so many dialogues the agent has a voice met nowhere else, so that a model learns to take any voice from "
    "its sample. [default: 0, the eighteen agents]",
)
@click.option(
    "--text-only", is_flag=True, help="Write only scripts.jsonl, --count scripts; no sound, no engine needed."
)
@click.option(
    "--llm",
    metavar="URL",
    help="A language model behind this OpenAI-compatible endpoint finds the words; where it errs, the grammar does.",
)
@click.option("--llm-model", metavar="NAME", help="Its name there.")
@click.option(
    "--llm-key-env",
    metavar="NAME",
    default="OPENAI_API_KEY",
    show_default=True,
    help="The environment variable that holds its key.",
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True),
    metavar="DIR",
    help="Make nothing: import a corpus of stereo sounds and JSON in moshi-finetune's layout.",
)
def synth(
    out: Path,
    hours: float | None,
    count: int | None,
    seed: int,
    workers: int,
    split: str,
    mix: dict[str, float],
    users: tuple[str, ...] | None,
    new_voices: float,
    text_only: bool,
    llm: str | None,
    llm_model: str | None,
    llm_key_env: str,
    source: Path | None,
) -> None:
    """Write two-channel conversations with word times, roles and voice samples.

    \b
    OUT/index.html           what it holds, and twenty dialogues to look at and listen to
    OUT/data.jsonl           one {"path", "duration"} a line, as moshi-finetune reads it
    OUT/audio/000001.flac    24 kHz, left agent, right user
    OUT/audio/000001.json    words and phones with times, turns, role, voice
    OUT/voices/              samples of the agents' voices
    OUT/text.txt             sentences for a tokenizer
    OUT/stats.json           hours, counts, vocabulary
    OUT/plan.json            what it was begun with
    OUT/scripts.jsonl        with --text-only, and nothing else: role and turns, one script a line

    Needs flite and espeak-ng (Debian: apt install flite espeak-ng); festival with festvox-kdlpc16k and
    festvox-us-slt-hts, and Pico (pip install ttspico), join where they are installed; Kokoro
    (docs/data.md) where it is asked for. Stopped, it goes on where it was. Examples:

    \b
    personaplex synth --out corpus --hours 30 --seed 1 --workers 4
    personaplex synth --out written --hours 30 --llm http://localhost:8000/v1 --llm-model qwen3-32b
    personaplex synth --out theirs --from their/corpus
    """
    if source is None and (hours is None) == (count is None):
        raise click.UsageError("Give either --hours or --count.")
    if source is not None and (hours or count or text_only or llm):
        raise click.UsageError("--from imports a corpus as it is; it goes with --out and --workers only.")
    if users is not None and (split == "test" or source is not None or text_only):
        raise click.UsageError("--users is for conversations of --split train that are spoken here.")
    if new_voices and (split == "test" or source is not None or text_only):
        raise click.UsageError("--new-voices is for conversations of --split train that are spoken here.")
    if (llm is None) != (llm_model is None):
        raise click.UsageError("--llm and --llm-model go together.")
    if text_only and count is None:
        raise click.UsageError("--text-only takes --count, not --hours.")
    try:
        if source is not None:
            from personaplex.synth.importing import import_corpus

            stats = import_corpus(source, out, workers)
        elif text_only:
            from personaplex.synth.texts import write_scripts

            assert count is not None
            stats = write_scripts(out, seed, split, count, workers, _model(llm, llm_model, llm_key_env), mix)
        else:
            from personaplex.synth.corpus import Plan, generate

            plan = Plan(out, seed, split, model=_model(llm, llm_model, llm_key_env), mix=mix, new_voices=new_voices)
            if users is not None:
                plan = replace(plan, others=users, only=True)
            stats = generate(plan, hours or 0.0, count or 0, workers)
    except (UserError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(stats, indent=1))


def _model(url: str | None, name: str | None, key_env: str) -> Model | None:
    if url is None or name is None:
        return None
    from personaplex.synth.writer import Model, Writer

    model = Model(url, name, key_env)
    Writer(model)  # an address that is none is said at once
    return model


if __name__ == "__main__":
    synth(prog_name="python -m personaplex.synth")
