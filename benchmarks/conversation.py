"""Does it converse? Silence while spoken to, answers after, and speech that says what the text stream says.

Runs a model on the user's channel of held-out synthetic dialogues (`personaplex synth --split test`) and measures what
comes back with silero-vad and pocketsphinx. Recorded questions can be measured as well.

    personaplex synth --out work/test --split test --count 20 --seed 7
    python benchmarks/conversation.py --data work/test --json work/test/conversation.json
    python benchmarks/conversation.py --recording question.wav --role role.txt
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from personaplex.audio import read_audio, read_pcm16
from personaplex.checkpoints import Model, load_model
from personaplex.engine import Engine
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.lm.sampling import Sampling
from personaplex.persona.persona import Persona
from personaplex.speech.asr import Pocketsphinx, word_error_rate
from personaplex.speech.vad import speech_segments
from personaplex.synth.scenarios import draw_script

ANSWER_WITHIN = 2.0  # seconds after a turn's end
EARLY = 0.25  # seconds before a turn's end from which a beginning counts as its answer
Span = tuple[float, float]


@dataclass
class Result:
    """What one dialogue gave.

    Attributes:
        name: the dialogue.
        user_seconds: the user's speaking time, backchannels aside.
        silent_seconds: how much of it the agent was silent.
        turns: the user's turns, without backchannels and words to somebody else.
        latencies: seconds from a turn's end to the answer's beginning, for those answered in time.
        text: the agent's text stream.
        heard: what the recogniser made of its sound.
        spoken: what the synthesiser said in the agent's place, where there is one.
        spoken_heard: what the recogniser made of that.
    """

    name: str
    user_seconds: float
    silent_seconds: float
    turns: int
    latencies: list[float]
    text: str
    heard: str
    spoken: str = ""
    spoken_heard: str = ""


def converse(model: Model, inputs: Sequence[np.ndarray], personas: Sequence[Persona], sampling: Sampling, seed: int,
             batch: int) -> list[tuple[np.ndarray, str]]:  # fmt: skip
    """The agent's sound (float32 `[n]`, as long as the input in whole frames) and text for each input."""
    results: list[tuple[np.ndarray, str]] = []
    for start in tqdm(range(0, len(inputs), batch), desc="conversations"):
        group = inputs[start : start + batch]
        engine = Engine(model, capacity=len(group))
        rows = [engine.open(personas[start + at], sampling, seed + start + at) for at in range(len(group))]
        for row, pcm in zip(rows, group, strict=True):
            row.push(np.pad(pcm, (0, -len(pcm) % FRAME_SAMPLES)))
        while engine.tick():
            pass
        for row in rows:
            outputs = row.pull()
            sound = np.concatenate([output.pcm for output in outputs])
            results.append((sound, " ".join("".join(output.text for output in outputs).split())))
    return results


def overlap(spans: Sequence[Span], others: Sequence[Span]) -> float:
    """Seconds that lie in both."""
    return sum(max(0.0, min(end, e) - max(start, s)) for start, end in spans for s, e in others)


def measure(
    name: str, agent: np.ndarray, turns: Sequence[Span], asides: Sequence[Span], recogniser: Pocketsphinx, text: str
) -> Result:
    """Measure an agent's sound against the user's turns, and what the user says to somebody else (`asides`)."""
    speech = speech_segments(agent)
    latencies = []
    for index, (_, end) in enumerate(turns):
        limit = min(end + ANSWER_WITHIN, turns[index + 1][0] if index + 1 < len(turns) else np.inf)
        begun = [start - end for start, _ in speech if end - EARLY <= start <= limit]
        if begun:
            latencies.append(max(0.0, begun[0]))
    spoken = [*turns, *asides]
    total = sum(end - start for start, end in spoken)
    heard = recogniser.text(agent) if speech else ""
    return Result(name, total, total - overlap(spoken, speech), len(turns), latencies, text, heard)


def accuracy(reference: Sequence[str], heard: Sequence[str]) -> float:
    """Word accuracy: one less the word error rate."""
    return 1 - word_error_rate(reference, heard)


def domain_recogniser(scripts: int = 3000) -> Pocketsphinx:
    """pocketsphinx with a bigram model of what agents say in scripts of the training split."""
    random = np.random.default_rng(77)
    lines = [line.text for _ in range(scripts) for line in draw_script(random, "train").lines if line.who == "agent"]
    return Pocketsphinx(lines)


def report(results: Sequence[Result], model: Model, settings: dict) -> dict:
    """Figures over all dialogues."""
    seconds = sum(result.user_seconds for result in results)
    turns = sum(result.turns for result in results)
    latencies = [value for result in results for value in result.latencies]
    own = accuracy([r.text for r in results], [r.heard for r in results]) if any(r.text for r in results) else 0.0
    figures = {
        "silent_while_spoken_to": sum(result.silent_seconds for result in results) / seconds,
        "answered_within_2s": len(latencies) / turns,
        "median_latency_s": float(np.median(latencies)) if latencies else None,
        "own_word_accuracy": own,
        "model": model.name,
        "weights_sha256": model.sha256,
        "ears": "silero-vad; pocketsphinx, bigram model of the domain",
        **settings,
    }
    if any(result.spoken for result in results):
        tts = accuracy([r.spoken for r in results], [r.spoken_heard for r in results])
        figures |= {"tts_word_accuracy": tts, "relative_word_accuracy": own / tts}
    return figures


def test_dialogues(folder: Path, count: int) -> list[tuple[str, np.ndarray, dict]]:
    """Names, stereo sound int16 and metadata of a corpus's first dialogues."""
    items = [json.loads(line) for line in (folder / "data.jsonl").read_text().splitlines()][:count]
    paths = [folder / item["path"] for item in items]
    return [(path.stem, read_pcm16(path), json.loads(path.with_suffix(".json").read_text())) for path in paths]


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano", help="name or directory [nano]")
    parser.add_argument("--data", type=Path, help="corpus of the test split")
    parser.add_argument("--count", type=int, default=20, help="dialogues to run [20]")
    parser.add_argument(
        "--recording", type=Path, action="append", default=[], help="a recorded question; may be repeated"
    )
    parser.add_argument("--role", type=Path, help="role text for the recordings")
    parser.add_argument("--voice", default="NATF2", help="voice for the recordings [NATF2]")
    parser.add_argument("--greedy", action="store_true", help="take the likeliest tokens")
    parser.add_argument("--temp-text", type=float, help="[the model's]")
    parser.add_argument("--temp-audio", type=float, help="[the model's]")
    parser.add_argument("--seed", type=int, default=42424242)
    parser.add_argument("--batch", type=int, default=5, help="conversations at once [5]")
    parser.add_argument("--json", type=Path, help="write figures and every dialogue there")
    parser.add_argument("--sound", type=Path, help="write stereo WAVs (left agent, right user) there")
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    sampling = model.sampling.but(
        temp_text=arguments.temp_text, temp_audio=arguments.temp_audio, greedy=arguments.greedy or None
    )
    recogniser = domain_recogniser()
    names, inputs, personas, turns, asides, originals = [], [], [], [], [], []
    if arguments.data:
        for name, sound, meta in test_dialogues(arguments.data, arguments.count):
            names.append(name)
            inputs.append(sound[:, 1].astype(np.float32) / 32768)
            personas.append(Persona(meta["role"], model.voices.load(meta["voice"], model)))
            user = [t for t in meta["turns"] if t["who"] == "user" and t["kind"] != "backchannel"]
            turns.append([(turn["start"], turn["end"]) for turn in user if turn["kind"] != "aside"])
            asides.append([(turn["start"], turn["end"]) for turn in user if turn["kind"] == "aside"])
            words = " ".join(word for word, _, who in meta["alignments"] if who == "SPEAKER_MAIN")
            originals.append((words, sound[:, 0].astype(np.float32) / 32768))
    for path in arguments.recording:
        pcm = read_audio(path)
        names.append(path.stem)
        inputs.append(pcm)
        role = arguments.role.read_text() if arguments.role else ""
        personas.append(Persona(role, model.voices.load(arguments.voice, model)))
        turns.append(speech_segments(pcm, min_silence=1.0))
        asides.append([])
        originals.append(("", np.zeros(0, np.float32)))
    outputs = converse(model, inputs, personas, sampling, arguments.seed, arguments.batch)
    results = []
    for at, (sound, text) in enumerate(outputs):
        result = measure(names[at], sound, turns[at], asides[at], recogniser, text)
        words, original = originals[at]
        if words:
            result.spoken, result.spoken_heard = words, recogniser.text(original)
        results.append(result)
        if arguments.sound:
            arguments.sound.mkdir(parents=True, exist_ok=True)
            stereo = np.stack([sound, np.pad(inputs[at], (0, len(sound) - len(inputs[at])))], axis=1)
            soundfile.write(arguments.sound / f"{names[at]}.wav", stereo, SAMPLE_RATE)
        print(f"{result.name}: silent {result.silent_seconds / max(result.user_seconds, 1e-9):.0%}, answered "
              f"{len(result.latencies)}/{result.turns}\n  says  {result.text}\n  heard {result.heard}")  # fmt: skip
    figures = report(results, model, {"seed": arguments.seed, "sampling": asdict(sampling), "dialogues": len(results)})
    for name, value in figures.items():
        print(f"{name:24} {value:.3f}" if isinstance(value, float) else f"{name:24} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"figures": figures, "dialogues": [asdict(r) for r in results]}, indent=1))


if __name__ == "__main__":
    main()
