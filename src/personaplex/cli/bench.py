"""`personaplex bench`: measure a model, controls, or a folder of outputs made elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from personaplex.errors import UserError

if TYPE_CHECKING:
    from personaplex.bench.records import System
    from personaplex.bench.run import Suite
    from personaplex.bench.suites import Measure

F = TypeVar("F", bound=Callable[..., Any])

_COST_SOUND = "talk/dialogue/000001/input.ogg"  # of the mini set: what the cost is measured with
_LONG_TALKS = 3  # beside the dialogues of a corpus
_DIR = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)

_SYSTEMS = (
    click.option("--model", help="A model's name, directory or hub id.  [default: nano]"),
    click.option("--outputs", type=_DIR, help="Run nothing; score the files of this folder."),
    click.option("--systems", help="Several, by commas: models and the controls silent, echo, babble, cascade."),
)
_RUN = (
    click.option("--out", type=_DIR, default=Path("bench-results"), show_default=True, help="Answers and report."),
    click.option("--json", "json_file", type=_FILE, help="Write the figures there too."),
    click.option("--ear", help="pocketsphinx, -domain or -grammar of it, parakeet, whisper-NAME, own."),
    click.option("--judge", default="rules", show_default=True, help="rules, or a model of --endpoint."),
    click.option("--endpoint", metavar="URL", help="OpenAI-compatible; its key is read from OPENAI_API_KEY."),
    click.option("--answers", metavar="MODEL", help="A model of --endpoint answers for cascade.  [default: rules]"),
    click.option("--encoder", default="resemblyzer", show_default=True, help="Of voices: or wavlm-tdnn."),
    click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of answers and intervals."),
    click.option("--batch-size", type=click.IntRange(1), default=4, show_default=True, help="Conversations at once."),
    click.option("--greedy", is_flag=True, help="Always the likeliest token."),
    click.option(
        "--temp-audio",
        type=click.FloatRange(0, min_open=True),
        help="Temperature.  [default: the model's; 0.8 as published]",
    ),
    click.option(
        "--temp-text",
        type=click.FloatRange(0, min_open=True),
        help="Temperature.  [default: the model's; 0.7 as published]",
    ),
    click.option(
        "--temp-word",
        type=click.FloatRange(0),
        help="Temperature among words, --temp-text then telling only whether one is due; 0 for one for both."
        "  [default: the model's; 0 as published]",
    ),
    click.option(
        "--padding-bonus",
        type=float,
        help="Added to padding's logits in the text stream; below 0 the model speaks sooner."
        "  [default: the model's; 0 as published]",
    ),
    click.option(
        "--topk-audio", type=click.IntRange(0), help="Candidates, 0 for all.  [default: the model's; 250 as published]"
    ),
    click.option(
        "--topk-text", type=click.IntRange(0), help="Candidates, 0 for all.  [default: the model's; 25 as published]"
    ),
    click.option("--role", help="Of cases that bring none.  [default: a friendly teacher]"),
    click.option("--voice", help="Of cases that bring none: a voice of the model, or a sound file.  [default: NATF2]"),
    click.option("--device", help="Such as cpu or cuda.  [default: an accelerator if there is one]"),
    click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: torch's]"),
)


def _with(options: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@dataclass(frozen=True)
class Given:
    """The options that all benchmarks share, as given."""

    model: str | None
    outputs: Path | None
    systems: str | None
    out: Path
    json_file: Path | None
    ear: str | None
    judge: str
    endpoint: str | None
    answers: str | None
    encoder: str
    seed: int
    batch_size: int
    greedy: bool
    temp_audio: float | None
    temp_text: float | None
    temp_word: float | None
    padding_bonus: float | None
    topk_audio: int | None
    topk_text: int | None
    role: str | None
    voice: str | None
    device: str | None
    threads: int | None

    def names(self, default: str) -> list[str]:
        """Which systems to run.

        Raises:
            UserError: when several of the options say which.
        """
        if sum(choice is not None for choice in (self.model, self.outputs, self.systems)) > 1:
            raise UserError("--model, --outputs and --systems each say what is measured: give one of them.")
        names = self.model if self.model is not None else self.systems or default
        return [name.strip() for name in names.split(",") if name.strip()]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def bench() -> None:
    """Measure how well a system listens, yields, speaks and keeps its role.

    The same figures for every system: a model, a folder of output files, or a control that is bad in a known way.

    \b
    personaplex bench all --mini                             the set in the box: no download
    personaplex bench duplex --data FDB --model nano         Full-Duplex-Bench, v1 and v1.5
    personaplex bench duplex --data FDB --outputs FDB        score files that are there already
    personaplex bench service --count 70                     our rebuilt Service-Duplex-Bench
    personaplex bench talk --data work/test                  whole conversations
    personaplex bench card --out bench-results               what is wanted, and what was measured

    A run that was stopped goes on where it was when it is started again.
    """


@bench.command()
@click.option("--data", type=_DIR, required=True, help="Holds the task folders, or v1_0 and v1_5 that do.")
@click.option("--gt-distribution", type=_FILE, help="When people give backchannels: icc_gt_distribution.json.")
@_with(_SYSTEMS)
@_with(_RUN)
def duplex(data: Path, gt_distribution: Path | None, **options: Any) -> None:
    """Full-Duplex-Bench: pauses, turns, backchannels, interruptions, overlaps.

    Its own folder layout is read; scoring follows the published code. With --outputs, DIR/{task}/{ID}/ holds output.wav
    or output.json, which is taken as the transcript.

    \b
    personaplex bench duplex --data FDB --gt-distribution icc_gt_distribution.json --ear parakeet
    personaplex bench duplex --data FDB --outputs FDB --json figures.json
    """
    from personaplex.bench.suites import duplex_suite

    given = Given(**options)
    sound = given.outputs is None
    _run(given, lambda measure: [duplex_suite(data, measure, gt_distribution, sound)], str(data), "pocketsphinx")


@bench.command()
@click.option("--data", type=_DIR, help="{N}/input.wav and metadata.json.  [default: our questions, spoken now]")
@click.option("--count", type=click.IntRange(1, 350), help="So many of our 350 questions.  [default: all]")
@_with(_SYSTEMS)
@_with(_RUN)
def service(data: Path | None, count: int | None, **options: Any) -> None:
    """Does an agent know its role, keep to it, and put mistakes right?

    Service-Duplex-Bench rebuilt: 50 roles, 7 questions each. Without --data they are spoken by flite and espeak-ng into
    OUT/data/service.

    \b
    personaplex bench service --count 70
    personaplex bench service --judge gpt-4o --endpoint https://api.openai.com/v1
    """
    from personaplex.bench import service as questions
    from personaplex.bench.suites import DOMAIN_EAR, service_suite

    given = Given(**options)
    folder = data or given.out / "data" / "service"
    if data is None:
        questions.cases(folder, count, given.seed)
    ear = "pocketsphinx" if data else DOMAIN_EAR
    _run(given, lambda measure: [service_suite(folder, measure)], str(data or "our own questions"), ear)


@bench.command()
@click.option("--data", type=_DIR, help="{N}/input.wav and voice.wav.  [default: voices made now]")
@click.option("--count", type=click.IntRange(1), default=20, show_default=True, help="Voices made, without --data.")
@_with(_SYSTEMS)
@_with(_RUN)
def voice(data: Path | None, count: int, **options: Any) -> None:
    """Does the output sound like the voice sample?

    Cosine of speaker embeddings, beside other voices (chance) and the codec's own copy of the sample (ceiling). Without
    --data the samples are spoken by flite and espeak-ng into OUT/data/voice.

    \b
    personaplex bench voice --model nano
    personaplex bench voice --data voices --encoder wavlm-tdnn
    """
    from personaplex.bench import voice as voices
    from personaplex.bench.suites import DOMAIN_EAR, voice_suite

    given = Given(**options)
    folder = data or given.out / "data" / "voice"
    if data is None:
        voices.cases(folder, count, given.seed)
    _run(given, lambda measure: [voice_suite(folder, measure)], str(data or "voices of our own"), DOMAIN_EAR)


@bench.command()
@click.option("--data", type=_DIR, help="A corpus of personaplex synth --split test.  [default: the talks in the box]")
@click.option("--count", type=click.IntRange(1), help="Its first so many dialogues.  [default: all]")
@click.option("--long", "long_talks", type=click.IntRange(0), help="Long talks, spoken now.  [default: 3 with --data]")
@click.option("--recording", type=_FILE, multiple=True, help="A recorded user; NAME.txt beside it has the words.")
@click.option(
    "--times", type=click.IntRange(1), default=1, show_default=True, help="So often, under other seeds, moved a little."
)
@_with(_SYSTEMS)
@_with(_RUN)
def talk(
    data: Path | None,
    count: int | None,
    long_talks: int | None,
    recording: tuple[Path, ...],
    times: int,
    **options: Any,
) -> None:
    """Whole conversations: is it silent while spoken to, does it answer, hear and say what it writes, to the end?

    Dialogues of a corpus; talks of 3 minutes and 12 turns with one service role, spoken by flite and espeak-ng into
    OUT/data/talk; recordings, with --role and --voice.

    \b
    personaplex synth --out work/test --split test --count 20 --seed 7
    personaplex bench talk --data work/test --systems nano,silent,echo,babble,cascade
    personaplex bench talk --recording question.wav --role "$(cat role.txt)" --times 8
    """
    from personaplex.bench import talk as talks
    from personaplex.bench.mini import SUPPLEMENT, MiniSet, unpack
    from personaplex.bench.suites import GRAMMAR_EAR, talk_suite
    from personaplex.speech.engines import Voices

    given = Given(**options)
    folder = given.out / "data" / "talk"
    if data is not None:
        folder = given.out / "data" / f"talk-{data.resolve().name}"
        kept = talks.from_corpus(data, folder, count)
        told = f"{data}, {len(kept)} dialogues"
    elif not recording and not long_talks:
        folder = MiniSet(unpack(given.out / "mini", SUPPLEMENT)).talk
        told = "the talks in the box"
    else:
        told = "recordings and long talks"
    if long_talks is None and data is not None:
        long_talks = _LONG_TALKS
    if long_talks:
        talks.compose(folder, long_talks, Voices(), given.seed)
    copies, role = given.out / "data" / "recordings", given.role or ""
    cases = [case for path in recording for case in talks.recordings(path, copies, times, role, given.voice)]
    _run(given, lambda measure: [talk_suite(folder, measure, cases)], told, GRAMMAR_EAR)


@bench.command(name="all")
@click.option("--mini", is_flag=True, help="Measure on the set in the box.")
@click.option("--data", type=_DIR, help="Holds folders duplex, service, voice, talk, or some of them.")
@click.option("--gt-distribution", type=_FILE, help="When people give backchannels, if DIR/duplex does not tell.")
@_with(_SYSTEMS)
@_with(_RUN)
def everything(mini: bool, data: Path | None, gt_distribution: Path | None, **options: Any) -> None:
    """All benchmarks, for one system or several side by side.

    Without --model, --outputs or --systems it measures nano; name controls beside it to see what a figure is worth.

    \b
    personaplex bench all --mini
    personaplex bench all --mini --systems nano,silent,echo,babble,cascade
    personaplex bench all --data sets --model work/mine/model --json figures.json
    """
    from personaplex.bench.mini import SUPPLEMENT, unpack
    from personaplex.bench.suites import DOMAIN_EAR, all_suites

    if mini == (data is not None):
        raise UserError("Say what to measure on: --mini, or --data DIR.")
    given = Given(**options)
    folder = data or unpack(unpack(given.out / "mini"), SUPPLEMENT)
    sound = given.outputs is None
    told, ear = (str(data), "pocketsphinx") if data else ("the mini set in the box", DOMAIN_EAR)
    _run(given, lambda measure: all_suites(folder, measure, gt_distribution, sound), told, ear)


@bench.command()
@click.option("--model", default="nano", show_default=True, help="A model's name, directory or hub id.")
@click.option(
    "--out",
    "folders",
    type=_DIR,
    multiple=True,
    default=(Path("bench-results"),),
    show_default=True,
    help="Of finished runs; may be repeated, and the card is written into the first.",
)
@click.option("--no-cost", is_flag=True, help="Leave out size and cost on one core, which are measured now.")
def card(model: str, folders: tuple[Path, ...], no_cost: bool) -> None:
    """The floors of the bundled model beside what finished runs found: card.md and card.json.

    \b
    personaplex bench all --mini && personaplex bench card
    personaplex bench card --model work/mine/model --out results/duplex --out results/talk
    """
    from personaplex.bench import card as cards
    from personaplex.bench.cost import measure_cost
    from personaplex.bench.mini.archive import SUPPLEMENT, packed_sound
    from personaplex.bench.records import write_json
    from personaplex.checkpoints.model import load_model

    loaded = load_model(model)
    results = cards.read_results(folders, loaded.name.replace("/", "--"), loaded.sha256)
    cost = None if no_cost else measure_cost(loaded, packed_sound(_COST_SOUND, SUPPLEMENT))
    table = cards.rows(results, cost)
    text = cards.markdown(table)
    meta = {"model": loaded.name, "sha256": loaded.sha256,
            "ears": {name: result.ears for name, result in results.items()},
            "cost_measured_on_s": cost.seconds if cost else None}  # fmt: skip
    write_json(folders[0] / "card.json", cards.as_json(table, meta))
    (folders[0] / "card.md").write_text(text, encoding="utf-8")
    click.echo(text)


@bench.command()
@click.option("--out", type=_DIR, required=True, help="Folder to write it into.")
@click.option("--anew", is_flag=True, help="Speak it anew, with flite and espeak-ng.")
@click.option("--seed", type=click.IntRange(0), help="Of --anew.  [default: the packed set's]")
def mini(out: Path, anew: bool, seed: int | None) -> None:
    """Write the mini set: every task of every benchmark in seventeen minutes of sound.

    \b
    personaplex bench mini --out mini
    personaplex bench all --data mini --model nano
    """
    import tempfile

    from personaplex.bench.mini import ARCHIVE, SUPPLEMENT, build, pack, unpack
    from personaplex.bench.mini import supplement as added
    from personaplex.bench.mini.build import SEED

    if not anew:
        unpack(unpack(out, ARCHIVE), SUPPLEMENT)
    else:
        with tempfile.TemporaryDirectory() as place:
            build(Path(place) / "set", SEED if seed is None else seed)
            added.supplement(Path(place) / "set", added.SEED if seed is None else seed)
            pack(Path(place) / "set", Path(place) / "mini.zip")
            unpack(out, Path(place) / "mini.zip")
    click.echo(f"{out} holds the mini set; measure on it with --data {out}.")


def _run(given: Given, suites: Callable[[Measure], list[Suite]], data: str, ear: str) -> None:
    """Measure, and say where the report is."""
    import torch

    from personaplex import __version__
    from personaplex.bench.judges import make_judge
    from personaplex.bench.records import write_json
    from personaplex.bench.run import published_shape, run
    from personaplex.bench.suites import Measure, listen

    if given.threads is not None:
        torch.set_num_threads(given.threads)
    names = given.names("nano")
    judge = make_judge(given.judge, given.endpoint)
    measure = Measure(listen(given.ear or ear), judge, given.encoder, given.seed, given.ear is not None)
    chosen = suites(measure)
    systems = _systems(given, names)
    meta = {"data": data, "seed": given.seed, "ear": measure.ear.name, "judge": judge.name, "version": __version__}
    results, report = run(systems, chosen, given.out, meta)
    first = systems[0].describe()
    told = {**meta, "system": systems[0].name, "model_sha256": first.get("sha256")}
    told["systems"] = {system.name: system.describe() for system in systems}
    content = published_shape(results, told)
    if given.json_file is not None:
        write_json(given.json_file, content)
    for name, by_name in results.items():
        problems = sum(len(result.problems) for result in by_name.values())
        count = sum(len(result.samples) for result in by_name.values())
        click.echo(f"{name}: {count} samples" + f", {problems} with a problem that the report names" * bool(problems))
    click.echo(f"Report: {report}")


def _systems(given: Given, names: Sequence[str]) -> list[System]:
    from personaplex.bench.suites import DOMAIN_EAR, listen
    from personaplex.bench.systems.answers import make_answerer
    from personaplex.bench.systems.folder import Folder
    from personaplex.bench.systems.make import Options, make_system
    from personaplex.cli.device import choose_device

    if given.outputs is not None:
        return [Folder(given.outputs)]
    options = Options(
        choose_device(given.device),
        {
            "temp_audio": given.temp_audio,
            "topk_audio": given.topk_audio,
            "temp_text": given.temp_text,
            "temp_word": given.temp_word,
            "padding_bonus": given.padding_bonus,
            "topk_text": given.topk_text,
            "greedy": given.greedy or None,
        },
        given.seed,
        given.batch_size,
        given.role,
        given.voice,
        lambda: listen(DOMAIN_EAR),
        make_answerer(given.answers, given.endpoint),
    )
    return [make_system(name, options) for name in names]
