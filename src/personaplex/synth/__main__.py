"""`personaplex synth`, and `python -m personaplex.synth`: make a corpus of synthetic conversations."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder of the corpus; made if absent.",
)
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="Make at least this much sound.")
@click.option("--count", type=click.IntRange(min=1), help="Or make exactly this many dialogues.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same corpus.")
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
    "--text-only", is_flag=True, help="Write only scripts.jsonl, --count scripts; no sound, no engine needed."
)
def synth(
    out: Path, hours: float | None, count: int | None, seed: int, workers: int, split: str, text_only: bool
) -> None:
    r"""Write two-channel conversations with word times, roles and voice samples.

    \b
    OUT/data.jsonl           one {"path", "duration"} a line, as moshi-finetune reads it
    OUT/audio/000001.flac    24 kHz, left agent, right user
    OUT/audio/000001.json    words and phones with times, turns, role, voice
    OUT/voices/              samples of the agents' voices
    OUT/text.txt             sentences for a tokenizer
    OUT/stats.json           hours, counts, vocabulary
    OUT/scripts.jsonl        with --text-only, and nothing else: role and turns, one script a line

    Needs flite and espeak-ng (Debian: apt install flite espeak-ng); festival with festvox-kdlpc16k and
    festvox-us-slt-hts joins where it is installed. Stopped, it goes on where it was. Example:

    \b
    personaplex synth --out corpus --hours 30 --seed 1 --workers 4
    """
    if (hours is None) == (count is None):
        raise click.UsageError("Give either --hours or --count.")
    if text_only:
        from personaplex.synth.texts import write_scripts

        if count is None:
            raise click.UsageError("--text-only takes --count, not --hours.")
        click.echo(f"{write_scripts(out, seed, split, count, workers)} scripts in {out / 'scripts.jsonl'}")
        return
    from personaplex.errors import UserError
    from personaplex.synth.corpus import Plan, generate

    try:
        stats = generate(Plan(out, seed, split), hours or 0.0, count or 0, workers)
    except (UserError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(stats, indent=1))


if __name__ == "__main__":
    synth(prog_name="python -m personaplex.synth")
