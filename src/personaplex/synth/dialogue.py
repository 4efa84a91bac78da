"""A script becomes two channels of sound on one clock, with the time of every word.

Timing lives here: gaps, pauses inside turns, interruptions, backchannels, overlaps, silences. Both channels come out
clean; what a microphone and a line do to the user's one is `channel`'s affair, and files are `corpus`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np

from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.speech.tts import TTS, Speaker, Utterance, words_of
from personaplex.synth.interjections import AGENT_BACKCHANNELS, ASIDES, BARGES, USER_BACKCHANNELS
from personaplex.synth.scripts import Line, Script, lower_first
from personaplex.synth.words import pick

MIN_SECONDS, MAX_SECONDS = 15.0, 45.0
AGENT_GAP = (0.2, 0.28, 0.55)  # s from the user's last sound to the agent's first: least, likeliest, most
EARLY = (0.05, 0.3)  # s by which the agent sometimes begins before that
# The user may go on after a sentence that asks nothing, so the agent waits longer there than such pauses last.
STATEMENT_GAP, HELLO_GAP = (1.0, 1.5), (0.45, 0.8)
PAUSE = (0.4, 1.3)  # s of hesitation inside a user's sentence
SENTENCE_PAUSE, SHORT_PAUSE = (0.3, 0.85), (0.12, 0.35)  # s between sentences of one turn
YIELD = (0.14, 0.34)  # s from a barge-in to the agent's silence
MURMUR_EVERY = (2.4, 4.0)  # s of a user's story between two backchannels of the agent
MURMUR_AFTER = (0.12, 0.26)  # s from the user's last sound to it
# Chances, per turn.
BARGE_IN, BACKCHANNEL, OVERLAP, EARLY_ANSWER, LONG_SILENCE, ASIDE = 0.22, 0.2, 0.05, 0.03, 0.06, 0.03
HESITATION, STORY_HESITATION = 0.27, 0.4  # at each place for one
_SECONDS_A_WORD = 0.4
_FADE = int(0.015 * SAMPLE_RATE)
# A hesitation may follow a comma or come before a word that opens a clause.
_BREAK = re.compile(r"(?<=,) (?=\S+ \S)|(?<=\w) (?=(?:and|but|so|because|when|what|how|where|which|if|whether|for) \S)")
_STOP = re.compile(r"(?<=[.?]) ")


@dataclass
class Turn:
    """A turn as it was spoken: times in seconds, text as displayed (of a cut turn, the words that were heard)."""

    who: str
    start: float
    end: float
    text: str
    kind: str
    intent: str = ""
    fact: str = ""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "who": self.who,
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "text": self.text,
            "kind": self.kind,
            "intent": self.intent,
            "fact": self.fact,
        }


@dataclass
class Dialogue:
    """Sound and marks of one conversation.

    Attributes:
        agent, user: float32 `[samples]`, 24 kHz, of one length, a whole number of frames; clean.
        turns: in order of their start.
        words: `(text, start, end, who)`; phones the same, for the engines that give them.
    """

    agent: np.ndarray
    user: np.ndarray
    turns: list[Turn]
    words: list[tuple[str, float, float, str]]
    phones: list[tuple[str, float, float, str]]

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.agent) / SAMPLE_RATE


@dataclass
class _Stage:
    """Where utterances are laid down. Positions are seconds. An agent who listens murmurs now and then."""

    tts: TTS
    agent: Speaker
    user: Speaker
    agent_gain: float
    rng: np.random.Generator
    listens: bool = True
    pieces: list[tuple[str, float, Utterance]] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)

    def say(self, who: str, text: str) -> Utterance:
        """Speak with a slightly different tempo and pitch each time, as people do."""
        speaker = self.agent if who == "agent" else self.user
        spread = 0.04 if who == "agent" else self.user.unsteady
        stretch = speaker.stretch * self.rng.uniform(1 - spread, 1 + spread)
        pitch = speaker.pitch * self.rng.uniform(1 - spread / 2, 1 + spread / 2)
        utterance = self.tts.say(text, replace(speaker, stretch=stretch, pitch=pitch))
        return replace(utterance, pcm=utterance.pcm * self.agent_gain) if who == "agent" else utterance

    def put(self, who: str, start: float, utterance: Utterance) -> float:
        """Lay `utterance` at `start`; returns its end."""
        self.pieces.append((who, start, utterance))
        return start + utterance.seconds


def perform(
    script: Script, tts: TTS, agent: Speaker, user: Speaker, agent_gain: float, rng: np.random.Generator
) -> Dialogue:
    """Speak `script`.

    Args:
        script: what is said.
        tts: who can say it.
        agent: the agent's voice.
        user: the user's voice.
        agent_gain: factor that brings the agent's voice to the corpus's loudness.
        rng: all chance comes from it.

    Returns:
        A dialogue of `MIN_SECONDS` to about `MAX_SECONDS`; last exchanges that would make it longer are dropped.
    """
    stage = _Stage(tts, agent, user, agent_gain, rng, listens=any(line.who == "agent" for line in script.lines))
    target = rng.uniform(MIN_SECONDS + 3, MAX_SECONDS - 5)
    wait = (0.25, 1.0) if script.agent_first else (0.3, 2.5) if rng.random() < 0.75 else (2.5, 6.0)
    now = rng.uniform(*wait)
    lines = list(script.lines)
    if script.agent_first and lines:
        now = _agent_turn(stage, lines.pop(0), now)
        now += rng.uniform(0.3, 2.0)
    while lines:
        user_line = lines.pop(0)
        agent_line = lines.pop(0) if lines and lines[0].who == "agent" else None
        if stage.turns and rng.random() < ASIDE:
            now = _aside(stage, now) + rng.uniform(1.0, 2.5)
        guess = _SECONDS_A_WORD * len(words_of(user_line.text + " " + (agent_line.text if agent_line else ""))) + 2
        if stage.turns and (now > target or now + guess > MAX_SECONDS):
            break
        last = stage.turns[-1] if stage.turns else None
        barge_at = _barge_point(stage, last, user_line.barge) if user_line.kind == "question" else None
        if barge_at is not None:
            now = _barge(stage, user_line, barge_at)
        else:
            if last and last.who == "agent":
                if rng.random() < OVERLAP and user_line.kind in ("question", "thanks"):
                    now = last.end - min(rng.uniform(0.05, 0.3), last.end - last.start)
                elif rng.random() < LONG_SILENCE:
                    now += rng.uniform(2.5, 5.0)
            now = _user_turn(stage, user_line, now)
        if agent_line is None:
            if not lines:
                break
            now += rng.uniform(*SENTENCE_PAUSE)  # nobody answers
            continue
        now = _agent_turn(stage, agent_line, now + _gap(rng, user_line))
        now += float(rng.choice([rng.uniform(0.25, 0.8), rng.uniform(0.6, 2.0)]))
    end = max([turn.end for turn in stage.turns], default=0.0) + rng.uniform(0.8, 2.5)
    if not stage.turns:
        end = rng.uniform(MIN_SECONDS, MIN_SECONDS + 10)
    return _render(stage, max(end, MIN_SECONDS))


def _gap(rng: np.random.Generator, line: Line) -> float:
    """Seconds from the end of the user's `line` to the answer; negative where the agent begins early."""
    if line.kind in ("statement", "story"):
        return rng.uniform(*STATEMENT_GAP)
    if line.kind == "greeting" or line.intent.startswith(("talk:", "caller_name", "book_day")):
        return rng.uniform(*HELLO_GAP)
    if line.kind == "question" and len(line.text.split()) > 4 and rng.random() < EARLY_ANSWER:
        return -rng.uniform(*EARLY)
    return rng.triangular(*AGENT_GAP)


def _aside(stage: _Stage, now: float) -> float:
    """The user says something to somebody else, away from the microphone; the agent keeps silent. Returns its end."""
    said = stage.say("user", pick(stage.rng, ASIDES))
    end = stage.put("user", now, replace(said, pcm=said.pcm * np.float32(stage.rng.uniform(0.15, 0.5))))
    text = " ".join(word.text for word in said.words)
    stage.turns.append(Turn("user", now, end, text, "aside"))
    return end


def _agent_turn(stage: _Stage, line: Line, start: float) -> float:
    utterance = stage.say("agent", line.text)
    end = stage.put("agent", start, utterance)
    stage.turns.append(Turn("agent", start, end, line.text, line.kind, line.intent, line.fact))
    if end - start > 2.0 and stage.rng.random() < BACKCHANNEL:
        murmur = stage.say("user", pick(stage.rng, USER_BACKCHANNELS))
        at = start + stage.rng.uniform(0.3, 0.6) * (end - start)
        if at + murmur.seconds < end - 0.3:
            stage.put("user", at, murmur)
            text = " ".join(word.text for word in murmur.words)
            stage.turns.append(Turn("user", at, at + murmur.seconds, text, "backchannel"))
    return end


def _user_turn(stage: _Stage, line: Line, start: float) -> float:
    """The user's line, with hesitations inside and the agent's murmurs in a long one; returns its end."""
    rng, now = stage.rng, start
    pieces = _hesitate(rng, line.text, STORY_HESITATION if line.intent == "story" else HESITATION)
    due = start + rng.uniform(*MURMUR_EVERY)
    for index, (piece, stop) in enumerate(pieces):
        now = stage.put("user", now, stage.say("user", piece))
        if index == len(pieces) - 1:
            break
        if stage.listens and now > due:
            _murmur(stage, now + rng.uniform(*MURMUR_AFTER))
            due = now + rng.uniform(*MURMUR_EVERY)
            now += rng.uniform(0.45, 0.9)
        elif not stop:
            now += rng.uniform(*PAUSE)
        else:
            short = piece.endswith("?") or len(words_of(piece)) < 3
            now += rng.uniform(*(SHORT_PAUSE if short or rng.random() < 0.3 else SENTENCE_PAUSE))
    stage.turns.append(Turn("user", start, now, line.text, line.kind, line.intent, line.fact))
    return now


def _murmur(stage: _Stage, at: float) -> None:
    """A backchannel of the agent's."""
    said = stage.say("agent", pick(stage.rng, AGENT_BACKCHANNELS))
    end = stage.put("agent", at, said)
    stage.turns.append(Turn("agent", at, end, " ".join(word.text for word in said.words), "backchannel"))


def _hesitate(rng: np.random.Generator, text: str, chance: float) -> list[tuple[str, bool]]:
    """Cut a turn into what is said in one breath; True marks a piece that ends a sentence."""
    out: list[tuple[str, bool]] = []
    for sentence in _STOP.split(text):
        marks = [m.start() for m in _BREAK.finditer(sentence)]
        cuts = sorted(m for m in marks if rng.random() < chance)[:2]
        begin = 0
        for cut in cuts:
            piece = sentence[begin:cut]
            if not words_of(piece):
                continue
            out.append((piece if piece.endswith(",") else piece + ",", False))
            begin = cut + 1
        if words_of(sentence[begin:]):
            out.append((sentence[begin:], True))
    return out


def _barge_point(stage: _Stage, last: Turn | None, meant: bool) -> float | None:
    """When the user breaks into the agent's last turn, or None: not this time, or it is too short for that."""
    if last is None or last.who != "agent" or last.kind == "backchannel" or last.end - last.start < 2.0:
        return None
    if not meant and stage.rng.random() > BARGE_IN / 0.55:  # only about half of the turns are long enough
        return None
    return last.start + stage.rng.uniform(0.7, max(0.8, last.end - last.start - 1.0))


def _barge(stage: _Stage, line: Line, at: float) -> float:
    """The user speaks at `at`, the agent falls silent soon after; returns the user's end."""
    agent_turn = stage.turns[-1]
    index = max(k for k, piece in enumerate(stage.pieces) if piece[0] == "agent")
    _, start, utterance = stage.pieces[index]
    earliest, latest = at + YIELD[0] - start, at + YIELD[1] - start
    # People stop at the end of a word where one is near.
    ends = [word.end for word in utterance.words if earliest <= word.end <= latest]
    cut = ends[0] if ends else stage.rng.uniform(earliest, latest)
    keep = int(cut * SAMPLE_RATE)
    pcm = utterance.pcm[:keep].copy()
    pcm[-_FADE:] *= np.linspace(1, 0, min(_FADE, len(pcm)), dtype=np.float32)
    heard = [word for word in utterance.words if word.end <= cut + 0.02]
    phones = tuple((name, a, min(b, cut)) for name, a, b in utterance.phones if a < cut - 0.02)
    stage.pieces[index] = ("agent", start, Utterance(pcm, tuple(heard), phones))
    agent_turn.end = start + cut
    agent_turn.text = " ".join([w for w in agent_turn.text.split() if words_of(w)][: len(heard)])
    agent_turn.kind = "cut"
    prefix = pick(stage.rng, BARGES)
    text = prefix + lower_first(line.text) if prefix else line.text
    return _user_turn(stage, replace(line, text=text, kind="interruption"), at)


def _render(stage: _Stage, seconds: float) -> Dialogue:
    frames = int(np.ceil(seconds * SAMPLE_RATE / FRAME_SAMPLES))
    sound = {who: np.zeros(frames * FRAME_SAMPLES, np.float32) for who in ("agent", "user")}
    words: list[tuple[str, float, float, str]] = []
    phones: list[tuple[str, float, float, str]] = []
    for who, start, utterance in stage.pieces:
        at = int(start * SAMPLE_RATE)
        sound[who][at : at + len(utterance.pcm)] += utterance.pcm
        words += [(w.text, start + w.start, start + w.end, who) for w in utterance.words]
        phones += [(p, start + a, start + b, who) for p, a, b in utterance.phones]
    words.sort(key=lambda mark: mark[1])
    phones.sort(key=lambda mark: mark[1])
    turns = sorted(stage.turns, key=lambda turn: turn.start)
    return Dialogue(sound["agent"], sound["user"], turns, words, phones)
