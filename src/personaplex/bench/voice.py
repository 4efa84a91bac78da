"""Does the output sound like the voice prompt? Speaker similarity beside its two controls.

*Chance* is the similarity of the output with the other cases' voices; the *ceiling* is that of the voice prompt with
the codec's own copy of it. That copy says the same words, so *same voice* is the fairer aim: the prompt beside another
recording of its speaker, after the codec too. *Relative* is the sum of similarities over the sum of ceilings.
*Identified* is the share of outputs whose own voice is the most similar of up to twenty. *Pitch* is how far, in
semitones, the output's median pitch is from the prompt's, beside that of the codec's copy, over the outputs that have a
pitch: *pitched* is their share.
Knows no model: a codec is a function from sound to sound.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from personaplex.audio import normalise_loudness, read_audio, write_wav
from personaplex.bench.records import OUTPUT_WAV, Case, Event, Figure, Result, Sample, Span, write_json
from personaplex.bench.service.folders import quiet_room, speak
from personaplex.bench.statistics import figure, pooled, share
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.speech.engines import Voices
from personaplex.speech.pitch import track_pitch
from personaplex.speech.similarity import SpeakerEncoder
from personaplex.speech.speakers import random_user
from personaplex.speech.tts import Speaker
from personaplex.speech.vad import speech_segments, vad_name

BENCHMARK, TASK = "voice", "similarity"
OTHERS = "others"  # folder beside the cases
CHOICE = 20  # voices of which the right one is to be told
MIN_SPEECH = 1.0  # s of speech below which a voice is not judged
ROOM = 8.0  # s of quiet after each question
PROMPT_LUFS = -24.0
Copy = Callable[[np.ndarray], np.ndarray]
_ROLE = "You enjoy having a good conversation."
# What the voice prompts say, two texts so that the ceiling can be taken on other words, and what users ask.
_PROMPTS = (
    "The old bridge was built of stone, and the river below it runs quietly to the sea.",
    "She opened the window, and the cool air of the morning filled the whole room.",
    "Nobody knew the way, so we followed the small lights along the road until dawn.",
    "On market days the square is full of people who sell bread, cheese and flowers.",
)
_ASKS = (
    ("Hello. Can you tell me what you like to do on a rainy day?", "And what would you do on a warm day in summer?"),
    ("Hi there. What is the best way to learn a new language?", "How long does that take?"),
    ("Good morning. Can you tell me something about the moon?", "And how far away is it?"),
    ("Hello. I can not sleep at night. What should I do?", "Thank you. Is tea good for that?"),
)


def cases(folder: Path, count: int = CHOICE, seed: int = 0, speakers: Sequence[Speaker] | None = None) -> list[Case]:
    """Make cases: a voice prompt, a second sample of the same voice, and two spoken questions by somebody else.

    Args:
        folder: `{N}/input.wav`, `voice.wav`, `other.wav` and `metadata.json` are written there.
        count: how many.
        seed: of voices and texts.
        speakers: the voices to be cloned, in turn; by default voices that no training set uses, bent widely apart.

    Raises:
        UserError: when a speech engine is absent, or `count` is below 1.
    """
    if count < 1:
        raise UserError(f"A voice benchmark needs at least one case, not {count}.")
    tts, made = Voices(), []
    for number in range(count):
        rng = np.random.default_rng([seed, number, 7])
        speaker = speakers[number % len(speakers)] if speakers else _voice(number, rng)
        at = folder / str(number)
        for turn, name in enumerate(("voice.wav", "other.wav")):
            texts = [_PROMPTS[(number + turn) % len(_PROMPTS)], _PROMPTS[(number + turn + 2) % len(_PROMPTS)]]
            pcm = np.concatenate([tts.say(text, speaker).pcm for text in texts])
            write_wav(at / name, normalise_loudness(pcm, PROMPT_LUFS))
        user = random_user(rng, "test")
        parts = [speak(text, user, tts, ROOM)[0] for text in _ASKS[number % len(_ASKS)]]
        write_wav(at / "input.wav", quiet_room(np.concatenate(parts), rng))
        write_json(at / "metadata.json", {"prompt_text": _ROLE, "speaker": speaker.id, "voice": speaker.voice})
        truth = {"speaker": speaker.id, "other": str(at / "other.wav")}
        made.append(Case(BENCHMARK, TASK, str(number), at / "input.wav", _ROLE, str(at / "voice.wav"), truth))
    return made


def read_others(data: Path) -> list[Path]:
    """The samples of further voices in `data/others`, which nothing is asked of."""
    return sorted((data / OTHERS).glob("*.wav"))


def speak_others(folder: Path, count: int, first: int, seed: int = 0) -> None:
    """Write samples of `count` further voices of the kind of `cases`, numbered from `first`, into `folder/others`.

    Raises:
        UserError: when a speech engine is absent.
    """
    tts = Voices()
    for number in range(first, first + count):
        speaker = _voice(number, np.random.default_rng([seed, number, 7]))
        pcm = tts.say(_PROMPTS[number % len(_PROMPTS)], speaker).pcm
        write_wav(folder / OTHERS / f"{number}.wav", normalise_loudness(pcm, PROMPT_LUFS))


def read_cases(data: Path) -> list[Case]:
    """Cases of a folder: `{N}/input.wav` and `voice.wav`.

    Optional are `other.wav`, another sample of that voice, and `metadata.json` with `prompt_text` and `speaker`.

    Raises:
        UserError: when there is none.
    """
    found = [path for path in data.iterdir() if (path / "voice.wav").exists()] if data.is_dir() else []
    if not found:
        raise UserError(f"{data} holds no case: {{N}}/input.wav and {{N}}/voice.wav are looked for.")
    out = []
    for path in sorted(found, key=lambda p: (not p.name.isdigit(), int(p.name) if p.name.isdigit() else 0, p.name)):
        told = _told(path / "metadata.json")
        truth = {"speaker": str(told["speaker"])} if "speaker" in told else {}
        if (path / "other.wav").exists():
            truth["other"] = str(path / "other.wav")
        role = str(told.get("prompt_text", _ROLE))
        out.append(Case(BENCHMARK, TASK, path.name, path / "input.wav", role, str(path / "voice.wav"), truth))
    return out


def _told(path: Path) -> dict[str, Any]:
    """What a metadata file says; nothing if there is none, or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def score(
    cases: Sequence[Case],
    outputs: Callable[[Case], Path],
    encoder: SpeakerEncoder,
    copy: Copy | None = None,
    seed: int = 0,
    others: Sequence[Path] = (),
) -> Result:
    """Score one system's voices.

    Args:
        cases: of `cases` or `read_cases`; each `voice` the path of a sample.
        outputs: where a case's output files are.
        encoder: tells voices apart.
        copy: float32 mono `[n]` at 24 kHz through the system's codec and back, the same shape; None for systems
            without one, which then have no ceiling.
        seed: of the bootstrap intervals and of the voices to choose among.
        others: samples of further voices to choose among, where the cases are fewer than `CHOICE`.

    Returns:
        `scores`: `{"similarity", "chance", "ceiling", "same_voice", "pitched", "pitch", "pitch_ceiling", "identified",
        "relative", "choice"}`: mean cosines, a share, semitones, a share, a ratio, and among how many voices the right
        one was to be told.
        An output or a sample with too little speech is a problem, not a zero.
    """
    voices: dict[str, np.ndarray] = {}
    problems: dict[str, str] = {}
    for case in cases:
        try:
            if case.voice is None:
                raise UserError(f"{case.id} names no voice sample.")
            voices[case.id] = _embed(read_audio(case.voice), encoder, f"the voice sample {case.voice}")[0]
        except UserError as error:
            problems[case.id] = str(error)
    strangers = [_embed(read_audio(path), encoder, f"the voice sample {path}")[0] for path in others]
    rng = np.random.default_rng([seed, 11])
    order = list(voices)
    samples = []
    for case in cases:
        if case.id in problems:
            samples.append(Sample(case.id, problem=problems[case.id]))
            continue
        rivals = [name for name in order if name != case.id and _differ(name, case, cases)]
        chosen = [voices[rivals[k]] for k in rng.permutation(len(rivals))[: CHOICE - 1]]
        chosen += strangers[: CHOICE - 1 - len(chosen)]
        samples.append(_sample(case, outputs(case), encoder, copy, voices[case.id], chosen))
    names = {
        "similarity": "higher",
        "chance": "lower",
        "ceiling": "higher",
        "same_voice": "higher",
        "pitched": "higher",
        "pitch": "lower",
        "pitch_ceiling": "lower",
        "identified": "higher",
    }
    figures: dict[str, Figure] = {
        name: figure([sample.metrics.get(name) for sample in samples], better=better, seed=seed)
        for name, better in names.items()
    }
    both = [(sample.metrics["similarity"], sample.metrics["ceiling"]) for sample in samples if sample.metrics]
    figures["relative"] = pooled(
        [(one, top) for one, top in both if one is not None and top is not None], share, seed=seed
    )
    choice = [int(sample.notes["chosen among"]) for sample in samples if sample.metrics]
    scores: dict[str, float | None] = {name: value.value for name, value in figures.items()}
    scores["choice"] = min(choice, default=None)
    ears = {
        "chosen among": str(scores["choice"]),
        "speaker encoder": encoder.name,
        "vad": vad_name(),
        "ceiling": "codec's copy" if copy else "no codec",
    }
    return Result(BENCHMARK, scores, {"all": figures}, samples, ears)


def speech_only(pcm: np.ndarray) -> tuple[np.ndarray, list[Span]]:
    """The speech of float32 mono `[n]` at 24 kHz, joined, and where it was, in seconds."""
    spans = speech_segments(pcm)
    parts = [pcm[round(a * SAMPLE_RATE) : round(b * SAMPLE_RATE)] for a, b in spans]
    return (np.concatenate(parts) if parts else pcm[:0]), spans


def _sample(
    case: Case, folder: Path, encoder: SpeakerEncoder, copy: Copy | None, own: np.ndarray, others: list[np.ndarray]
) -> Sample:
    """One output compared with its voice prompt and with other voices."""
    try:
        sound, prompt = read_audio(folder / OUTPUT_WAV), read_audio(str(case.voice))
        made, spans = _embed(sound, encoder, "the output")
        likeness = float(own @ made)
        strangers = [float(other @ made) for other in others]
        ceiling = _best(str(case.voice), encoder, copy, own) if copy else None
        same = _best(case.truth["other"], encoder, copy, own) if case.truth.get("other") else None
    except UserError as error:
        return Sample(case.id, problem=str(error), badness=1.0)
    height, reached = track_pitch(prompt), track_pitch(sound)
    metrics = {
        "similarity": likeness,
        "chance": float(np.mean(strangers)) if strangers else None,
        "ceiling": ceiling,
        "same_voice": same,
        "pitched": float((reached > 0).any()),
        "pitch": _apart(height, reached),
        "pitch_ceiling": _apart(height, track_pitch(copy(prompt))) if copy else None,
        "identified": float(likeness > max(strangers)) if strangers else None,
    }
    spoken = sum(b - a for a, b in spans)
    notes = {"voice": str(case.truth.get("speaker") or Path(str(case.voice)).name), "speech": f"{spoken:.1f} s",
             "chosen among": str(len(others) + 1), "encoder": encoder.name}  # fmt: skip
    events = [Event("voice", a, b) for a, b in spans]
    return Sample(case.id, metrics, min(max(1 - likeness, 0.0), 1.0), events=events, speech=spans, notes=notes)


def _apart(one: np.ndarray, other: np.ndarray) -> float | None:
    """Semitones between the medians of two tracks of pitch; None where one of them has no voice."""
    voices = [track[track > 0] for track in (one, other)]
    if not all(map(len, voices)):
        return None
    return float(abs(12 * np.log2(np.median(voices[1]) / np.median(voices[0]))))


def _best(path: str, encoder: SpeakerEncoder, copy: Copy | None, own: np.ndarray) -> float:
    """The voice prompt's similarity with a recording of its speaker, after the codec where there is one."""
    pcm = read_audio(path)
    return float(own @ _embed(copy(pcm) if copy else pcm, encoder, f"the copy of {path}")[0])


def _embed(pcm: np.ndarray, encoder: SpeakerEncoder, what: str) -> tuple[np.ndarray, list[Span]]:
    """A voice, its silence cut first; UserError if there is too little of it."""
    speech, spans = speech_only(pcm)
    if len(speech) < MIN_SPEECH * SAMPLE_RATE:
        seconds = len(speech) / SAMPLE_RATE
        raise UserError(f"There is too little speech in {what}: {seconds:.1f} s, where {MIN_SPEECH:g} s are needed.")
    return encoder.embed(speech), spans


def _differ(name: str, case: Case, cases: Sequence[Case]) -> bool:
    """Whether another case is of another speaker, as far as is known."""
    other = next(item for item in cases if item.id == name)
    if other.voice == case.voice:
        return False
    return "speaker" not in case.truth or other.truth.get("speaker") != case.truth["speaker"]


def _voice(number: int, rng: np.random.Generator) -> Speaker:
    """A voice to be cloned: of a held-out engine voice, bent far enough for `CHOICE` of them to differ."""
    base = random_user(rng, "test")
    pitch, warp = (float(rng.uniform(low, high)) for low, high in ((0.78, 1.3), (0.87, 1.15)))
    return replace(base, id=f"voice-{number}-{base.voice}", pitch=round(pitch, 3), warp=round(warp, 3), stretch=1.0)
