"""What a run has learnt, on dialogues that it was not trained on: losses, words, and when it would begin to speak.

Everything is teacher-forced and nothing is corrupted: the past is the dialogue's own, so that two runs are asked the
very same questions. It says nothing of how a free-running model sounds; `personaplex bench` does. What is measured:

- Losses, nats a target, none weighed: agent's and user's word pieces (`words`, `heard_words`), all frames of their
  streams (`text`, `heard`), codes of the frames in which the agent speaks (`semantic`, `acoustic`), `foresight`.
- `words_right`, `heard_words_right`: of the frames that hold a word piece, those in which it is the likeliest piece.
  Padding is set aside: whether a word is due is told by the decisions.
- `own_heard_words_right`: the same for the user's where the past on that stream is the model's own guesses, of
  `OWN_PASSES` passes over the dialogue (`own_ear`): nearer to what it hears in a conversation.
- `talk_facts`: of the answers in held-out scripts whose facts are known, those that hold them where the model writes
  them itself, by the likeliest pieces, after all that came before. The other figures go piece by piece.
- `answers`: of the frames in which the agent begins to write after a user's turn, the probability that the model begins
  within `DECISION_FRAMES` before or after them. For this the agent is held silent from that frame on; otherwise the
  window's second half would see that it has begun.
- `false_starts`: times a second that the model would begin inside a user's turn, pauses included.

To begin is to write anything but padding (the sign before a word counts), at temperature 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from personaplex.errors import UserError
from personaplex.frames import FRAME_RATE, FRAME_SECONDS, ZERO, lag
from personaplex.lm.config import LMConfig
from personaplex.lm.model import LanguageModel, prompt_columns
from personaplex.text import Tokenizer
from personaplex.train.corruption import is_padding
from personaplex.train.dialogues import Batch, DialoguePack, Drawing
from personaplex.train.export import lm_weights
from personaplex.train.foresight import foresight_map, future_activity
from personaplex.train.losses import audio_nll, spoken_columns
from personaplex.train.own_ear import own_ear
from personaplex.train.run import load_checkpoint, run_config
from personaplex.train.talks import TURN_SILENCE, Question, TalkPack, read_talks

DECISION_FRAMES = 5  # 0.4 s
OWN_PASSES = 6
ANSWER_FRAMES = 56  # of an answer in writing
ANSWER_PAUSE = 12  # frames of padding after which it is over
TURN_FRAMES = round(TURN_SILENCE * FRAME_RATE)  # of padding after which a word begins a new turn

TITLES = {
    "words": "agent's word pieces, nats",
    "words_right": "agent's word pieces, right",
    "words_copied": "of those that its role alone tells, right",
    "text": "agent's text, every frame, nats",
    "heard_words": "user's word pieces, nats",
    "heard_words_right": "user's word pieces, right",
    "own_heard_words_right": "where it reads its own guesses of them, right",
    "heard": "user's text, every frame, nats",
    "semantic": "agent's sound, codebook 0, nats",
    "acoustic": "agent's sound, other codebooks, nats",
    "foresight": "who speaks in the next 2 s, nats",
    "talk_words": "agent's word pieces in writing only, nats",
    "talk_words_right": "agent's word pieces in writing only, right",
    "talk_words_copied": "in writing, of those that its role alone tells, right",
    "talk_facts": "answers in writing only that hold their facts",
    "answers": f"begins within {DECISION_FRAMES * FRAME_SECONDS:g} s of where the agent does",
    "false_starts": "false starts a second of the user's turns",
}
SHARES = (
    *("words_right", "words_copied", "heard_words_right", "own_heard_words_right"),
    *("talk_words_right", "talk_words_copied", "talk_facts", "answers"),
)
"""Figures that are shares of 1; of the others, nats and times a second."""


class Decisions(NamedTuple):
    """Where a dialogue decides whose turn it is.

    Attributes:
        starts: frames in which the agent begins to write after the user has spoken.
        waits: bool `[T]`, frames inside the user's turns in which the agent waits.
    """

    starts: list[int]
    waits: torch.Tensor


def decisions(writes: torch.Tensor, user: torch.Tensor) -> Decisions:
    """Find the turn decisions of one dialogue.

    The agent begins where it writes after more than `TURN_FRAMES` of padding. A user's turn reaches from the user's
    first word after the agent has fallen silent to the last one before it begins again, or to the end. Frames in which
    the agent's own turn may go on, and the last before it begins (they count as `starts`), are not of those that wait.

    Args:
        writes: bool `[T]`, where the agent's text is not padding.
        user: bool `[T]`, where the user speaks.
    """
    length = len(writes)
    starts, waits = [], torch.zeros(length, dtype=torch.bool)
    last = -TURN_FRAMES - 1  # the frame in which the agent wrote last
    for frame in [*writes.nonzero()[:, 0].tolist(), None]:
        end = length if frame is None else frame
        said = (max(last + 1, 0) + user[max(last + 1, 0) : end].nonzero()[:, 0]).tolist()
        if said and end - last > TURN_FRAMES:
            until = said[-1] + 1
            if frame is not None:
                starts.append(frame)
                until = min(until, frame - DECISION_FRAMES)
            waits[max(said[0], last + TURN_FRAMES + 1) : max(until, 0)] = True
        last = end
    return Decisions(starts, waits)


def begins_within(begins: torch.Tensor, start: int) -> torch.Tensor:
    """The probability that the model begins within `DECISION_FRAMES` of a frame, if it has not before.

    Args:
        begins: `[T]`, each frame's probability to begin, given silence up to it.
        start: the frame.
    """
    window = begins[max(start - DECISION_FRAMES, 0) : start + DECISION_FRAMES + 1]
    return 1 - (1 - window).prod()


class _Meter:
    """Sums figures over batches, each with the number of things that it is the mean of.

    Args:
        model: on the device, in evaluation mode.
        foresight: what tells who will speak from hidden states; None where that was not trained.
        silence: int64 `[K]`, codes of a silent frame.
        device: where.
    """

    def __init__(self, model: LanguageModel, foresight: nn.Module | None, silence: torch.Tensor, device: str):
        self.model, self.foresight, self.silence, self.device = model, foresight, silence, device
        self._total: dict[str, float] = defaultdict(float)
        self._count: dict[str, int] = defaultdict(int)

    def add(self, name: str, values: torch.Tensor) -> None:
        """Take some values, of any shape, into a figure's mean."""
        if values.numel():
            self._total[name] += float(values.double().sum())
            self._count[name] += values.numel()

    def figures(self) -> dict[str, dict[str, float]]:
        """Each figure's `value`, and `of` how many things it is."""
        means = {
            name: {"value": self._total[name] / self._count[name], "of": self._count[name]}
            for name in TITLES
            if name in self._count
        }
        if "false_starts" in means:
            means["false_starts"]["value"] *= FRAME_RATE
        return means

    def _hidden(self, frames: torch.Tensor) -> torch.Tensor:
        """`[B, T, dim]`, what the model knows before each frame."""
        return self.model.temporal(self.model.embed(lag(frames, self.model.layout)[:, :, :-1].to(self.device)))

    def _own_guesses(self, batch: Batch) -> torch.Tensor:
        """Input columns whose words of the user's are the model's own guesses."""
        columns = lag(batch.frames, self.model.layout)[:, :, :-1].to(self.device)
        every = torch.Generator().manual_seed(0)  # a share of 1 is not drawn
        return own_ear(self.model, columns, batch.heard_loss, 1.0, OWN_PASSES, every)[0]

    def _text(self, hidden: torch.Tensor, frames: torch.Tensor, prompt: torch.Tensor | None) -> torch.Tensor:
        """Logits of the agent's text, `[B, T, text_card]`."""
        memory = None
        if prompt is not None:
            columns = lag(frames, self.model.layout)[:, :, :-1].to(self.device)
            within = prompt_columns(prompt.to(self.device), hidden.shape[1])
            memory = self.model.memory(hidden, columns, within)
        return self.model.text_logits(hidden, memory)

    def _sound(self, hidden: torch.Tensor, batch: Batch, spoken: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Logits of the agent's codes `[N, K, card]` at the frames that `spoken`, bool `[B, T]`, marks."""
        voice = None
        if batch.prompt is not None:
            read = lag(batch.frames, self.model.layout)[:, :, :-1].to(self.device)
            within = prompt_columns(batch.prompt.to(self.device), hidden.shape[1])
            voice = self.model.voice(hidden, self.model.sample(hidden, read, within))
        voice = None if voice is None else voice[spoken]
        return self.model.depth(hidden[spoken], columns, voice=voice).float()

    def _begins(self, logits: torch.Tensor) -> torch.Tensor:
        """The probability of writing anything but padding: `[..., text_card]` → `[...]`, on the CPU."""
        return 1 - logits.softmax(dim=-1)[..., self.model.layout.text_pad].cpu()

    def dialogues(self, batch: Batch) -> None:
        """Measure dialogues with sound."""
        layout = self.model.layout
        hidden = self._hidden(batch.frames)
        written = self._text(hidden, batch.frames, batch.prompt)
        logits = written[batch.text_loss]
        self.add("text", self._words("words", logits, batch.frames[:, 0], batch.text_loss, batch.copied))
        if (listen := self.model.heard_linear) is not None:
            heard = listen(hidden[batch.heard_loss.to(self.device)])
            self.add("heard", self._words("heard_words", heard, batch.frames[:, -1], batch.heard_loss))
            guessed = self.model.temporal(self.model.embed(self._own_guesses(batch)))
            heard = listen(guessed[batch.heard_loss.to(self.device)])
            self._right("own_heard_words", heard.float(), batch.frames[:, -1][batch.heard_loss].to(self.device))
        spoken = batch.audio_loss & spoken_columns(batch.speech)
        if spoken.any():
            columns = lag(batch.frames, layout)[:, :, 1:].transpose(1, 2)[spoken].to(self.device)
            nll = audio_nll(self._sound(hidden, batch, spoken.to(self.device), columns), columns, layout)
            known = columns[:, 1 : 1 + nll.shape[1]] < layout.card  # an initial token is nothing to predict
            self.add("semantic", nll[:, 0][known[:, 0]])
            self.add("acoustic", nll[:, 1:][known[:, 1:]])
        if self.foresight is not None:
            foreseen = self.foresight(hidden).float().cpu()
            active = future_activity(batch)
            nll = F.binary_cross_entropy_with_logits(foreseen, active, reduction="none")
            self.add("foresight", nll[batch.text_loss].mean(dim=-1))
        self._decisions(batch, self._begins(written))

    def talks(self, frames: torch.Tensor, learnt: torch.Tensor, copied: torch.Tensor, prompt: torch.Tensor) -> None:
        """Measure examples in writing only, as `TalkPack.examples` gives them."""
        logits = self._text(self._hidden(frames), frames, prompt)[learnt]
        self._words("talk_words", logits, frames[:, 0], learnt, copied)

    def question(self, question: Question, tokenizer: Tokenizer) -> None:
        """Measure one answer in writing."""
        said = f" {tokenizer.decode(self._answer(question)).lower()} "
        self.add("talk_facts", torch.tensor([float(all(f" {fact.lower()} " in said for fact in question.facts))]))

    def _answer(self, question: Question) -> list[int]:
        """The word pieces that it writes from now on, its likeliest token a frame; the first one is no padding."""
        model, layout = self.model, self.model.layout
        frames = question.frames.clone()
        frames[layout.text, -1] = layout.text_end_pad  # after which words begin
        columns = lag(frames[None], layout)[:, :, : question.frames.shape[1] + 1].to(self.device)
        state = model.init_state(1, capacity=columns.shape[2] + ANSWER_FRAMES)
        recalled = model.recall(columns)
        hidden = model.temporal(model.embed(columns, recalled), state)
        within = prompt_columns(torch.tensor([question.prompt], device=self.device), columns.shape[2])
        memory = model.memory(hidden, columns, within)
        memory = None if memory is None else memory.last()
        pads, pieces, silent = [layout.text_pad, layout.text_end_pad], list[int](), 0
        for _ in range(ANSWER_FRAMES):
            logits = model.text_logits(hidden[:, -1:], memory)[0, 0]
            if not pieces:
                logits[pads] = float("-inf")
            token = int(logits.argmax())
            silent = silent + 1 if token in pads else 0
            if silent > ANSWER_PAUSE:
                break
            pieces += [] if silent else [token]
            column = torch.full_like(columns[:, :, :1], ZERO)
            column[:, list(layout.texts)] = layout.text_pad
            column[:, layout.text] = token
            recalled = model.recall(column, None if recalled is None else recalled[:, :, -1])
            hidden = model.temporal(model.embed(column, recalled), state)
        return pieces

    def _words(
        self,
        name: str,
        logits: torch.Tensor,
        tokens: torch.Tensor,
        learnt: torch.Tensor,
        copied: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Add the figures of a text stream's word pieces; returns the loss of every frame that is learnt.

        The logits are of the learnt frames alone, `[N, text_card]`; the tokens `[B, T]` of all.
        """
        logits, targets = logits.float(), tokens[learnt].to(self.device)
        nll = F.cross_entropy(logits, targets, reduction="none")
        self.add(name, nll[~is_padding(targets, self.model.layout)])
        right = self._right(name, logits, targets)
        if copied is not None:
            self.add(f"{name}_copied", right[copied[learnt].to(self.device)])
        return nll

    def _right(self, name: str, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Add how many word pieces are the likeliest; returns of every target whether it is, bool `[N]`.

        Writes into the logits.
        """
        layout = self.model.layout
        logits[:, [layout.text_pad, layout.text_end_pad]] = float("-inf")
        right = logits.argmax(dim=-1) == targets
        self.add(f"{name}_right", right[~is_padding(targets, layout)])
        return right

    def _decisions(self, batch: Batch, begins: torch.Tensor) -> None:
        layout = self.model.layout
        starts: list[tuple[int, int, int]] = []  # row, its first frame after the prompt, where the agent begins
        for row in range(len(batch.frames)):
            [body] = batch.text_loss[row].nonzero(as_tuple=True)
            if not len(body):
                continue
            first, end = int(body[0]), int(body[-1]) + 1
            writes = batch.frames[row, layout.text, first:end] != layout.text_pad
            found = decisions(writes, batch.user_speech[row, first:end])
            self.add("false_starts", begins[row, first:end][found.waits])
            starts += [(row, first, first + at) for at in found.starts if first + at + DECISION_FRAMES < end]
        size = len(batch.frames)
        for some in (starts[at : at + size] for at in range(0, len(starts), size)):
            rows = [row for row, _, _ in some]
            held = batch.frames[rows, :, : max(start for _, _, start in some) + DECISION_FRAMES + 1]
            for frames, (_, _, start) in zip(held, some, strict=True):
                frames[layout.text, start:] = layout.text_pad
                frames[layout.agent, start:] = self.silence[:, None]
            prompt = None if batch.prompt is None else batch.prompt[rows]
            waiting = self._begins(self._text(self._hidden(held), held, prompt))
            for row, (_, first, start) in enumerate(some):
                self.add("answers", begins_within(waiting[row, first:], start - first))


@torch.inference_mode()
def measure_run(
    run: Path,
    codes: Path,
    tokenizer: Tokenizer,
    *,
    scripts: Path | None = None,
    batches: int | None = None,
    questions: int | None = None,
    batch: int = 4,
    seed: int = 0,
    raw: bool = False,
    device: str = "cpu",
) -> dict[str, Any]:
    """Measure a run on held-out dialogues, each at most once, and cut where a training example would be.

    Args:
        run: folder of the language model's run.
        codes: what `encode_corpus` made of a corpus that the run has not seen.
        tokenizer: the run's.
        scripts: held-out scripts, to measure talks in writing too; as many as there are dialogues.
        batches: at most so many; None for every dialogue.
        questions: how many of the scripts' turns are asked for an answer; None for as many as there are dialogues.
        batch: dialogues in each.
        seed: draws the voice samples, the order and the scripts.
        raw: the weights as trained rather than their moving average.
        device: where.

    Returns:
        What was measured (`run`, `step`, `weights`, `codes`, `dialogues`, `seconds`), and `figures` by the names of
        `TITLES`, each a `value` and what it is the mean `of`.

    Raises:
        UserError: when there is no such run, it keeps no average, or the codes or the scripts are none.
    """
    if batch < 1 or (batches is not None and batches < 1):
        raise UserError("Give at least one batch of at least one dialogue.")
    if questions is not None and (questions < 1 or scripts is None):
        raise UserError("Give a number of questions above 0, and with --scripts where they are.")
    config, checkpoint = run_config(run), load_checkpoint(run)
    weights = lm_weights(run, raw)
    model = LanguageModel(LMConfig.from_dict(config))
    model.load_state_dict(weights)
    own = config["personaplex"]
    drawing = Drawing(
        voice_frames=own["voice_frames"],
        lead=own["text_lead"],
        heard_lag=own.get("heard_lag", Drawing.heard_lag),
        reading=0.0,
        middle=0.0,
        spoken_roles=own.get("spoken_roles", False),
    )
    if tokenizer.size != model.layout.text_card:
        raise UserError(
            f"{run} was trained with another tokenizer: of {model.layout.text_card} pieces, not {tokenizer.size}."
        )
    pack = DialoguePack(codes, tokenizer, model.layout, drawing)
    if "silence" in own:  # an older run has not written down what its prompts were made of
        pack.silence, pack.sine = torch.tensor(own["silence"]), torch.tensor(own["sine"])
    foresight = None
    if "foresight" in checkpoint:
        foresight = foresight_map(model.config.dim).to(device)
        foresight.load_state_dict(checkpoint["foresight"])
    meter = _Meter(model.to(device).eval(), foresight, pack.silence, device)
    order = np.random.default_rng(seed).permutation(len(pack.dialogues))[: batch * (batches or len(pack.dialogues))]
    frames = 0
    for some in _groups(order, batch):
        examples = pack.batch_of(some, seed)
        frames += int(examples.text_loss.sum())
        meter.dialogues(examples)
    if scripts is not None:
        talks = TalkPack(
            read_talks(scripts, pack.dialogues), tokenizer, model.layout, drawing.text_length, drawing.spoken_roles
        )
        random = np.random.default_rng(seed)
        for some in _groups(order, batch):
            meter.talks(*talks.examples(random, len(some)))
        for question in talks.questions(random, len(order) if questions is None else questions):
            meter.question(question, tokenizer)
    return {
        "run": str(run),
        "step": checkpoint["step"],
        "weights": "as trained" if raw else "moving average",
        "codes": str(codes),
        "dialogues": len(order),
        "seconds": round(frames * FRAME_SECONDS, 2),
        "figures": meter.figures(),
    }


def _groups(order: np.ndarray, size: int) -> Iterator[list[int]]:
    for at in range(0, len(order), size):
        yield order[at : at + size].tolist()


def table(result: dict[str, Any]) -> str:
    """What `measure_run` returns, for a reader."""
    lines = [
        f"{result['run']} at step {result['step']}, {result['weights']}, on {result['dialogues']} dialogues "
        f"({result['seconds'] / 60:.1f} minutes) of {result['codes']}"
    ]
    width = max(map(len, TITLES.values()))
    for name, figure in result["figures"].items():
        value = f"{100 * figure['value']:7.1f} %" if name in SHARES else f"{figure['value']:9.3f}"
        lines.append(f"  {TITLES[name]:{width}} {value}   of {figure['of']:,}")
    return "\n".join(lines)
