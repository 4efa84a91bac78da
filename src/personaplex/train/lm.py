"""Trains the language model: prompt-masked, token-weighted cross-entropy over the grid.

PersonaPlex paper (arXiv 2602.06053), section 4, gives the terms; the weights for training from nothing differ and are
set in `LMTraining`. The depth transformer is computed only where its loss is wanted: on speech, and on some silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.nn import functional as F

from personaplex.errors import UserError
from personaplex.frames import ZERO, Layout, lag
from personaplex.lm.config import LMConfig
from personaplex.lm.model import LanguageModel
from personaplex.train.dialogues import Batch, DialoguePack
from personaplex.train.run import Run, cosine_rate


@dataclass(frozen=True)
class LMTraining:
    """How the language model is trained.

    Attributes:
        steps: steps of the whole run.
        batch: examples a step.
        rate: peak learning rate.
        warmup: steps of linear warm-up.
        hold: share of the run at the peak rate, before it decays.
        weight_decay: of matrices.
        padding: weight of text targets that are padding.
        semantic: weight of codebook 0.
        acoustic: weight of each other codebook (0.02 in the paper, for a model that knows how to speak).
        hearing: weight of the user's words, where the model has a stream for them.
        heard_padding: weight, within them, of targets that are padding.
        foresight: weight of foreseeing who will speak in the next two seconds, by a map that only training has.
        silent: share of the agent's silent frames whose sound is learnt.
        timbre: share of the frames whose sound is learnt in which all of it is; of the others, codebook 0 alone.
        corrupt: share of the user's codes, and of the agent's past codebook 0, replaced at random on the input.
        forget: share of examples in which the agent's acoustic codes are hidden on the input.
        heard_corrupt: share of the user's words misheard on the input: half of them replaced, half not heard at all.
        ema: decay a step of the moving average of the weights, which is what is exported; 0 for none.
        seed: of the initial weights and of the data order.
        bf16: compute matrix products in bfloat16.
        gradient_checkpointing: recompute activations in the backward pass.
    """

    steps: int = 4000
    batch: int = 4
    rate: float = 1.2e-3
    warmup: int = 150
    hold: float = 0.3
    weight_decay: float = 0.05
    padding: float = 0.3
    semantic: float = 1.0
    acoustic: float = 0.15
    hearing: float = 0.5
    heard_padding: float = 0.2
    foresight: float = 0.3
    silent: float = 0.06
    timbre: float = 0.4
    corrupt: float = 0.1
    forget: float = 0.5
    heard_corrupt: float = 0.1
    ema: float = 0.998
    seed: int = 0
    bf16: bool = True
    gradient_checkpointing: bool = False


def corrupted(
    columns: torch.Tensor, model: LanguageModel, settings: LMTraining, random: torch.Generator
) -> torch.Tensor:
    """Input columns as an imperfect ear and an imperfect past would have them, int64 `[B, S, T]`."""
    layout, out = model.layout, columns.clone()

    def drawn(shape: tuple[int, ...], share: float) -> torch.Tensor:
        return torch.rand(shape, generator=random) < share

    def noise(shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randint(layout.card, shape, generator=random)

    user, semantic = out[:, layout.user], out[:, layout.agent][:, :1]
    for part in (user, semantic):
        shape = tuple(part.shape)
        part.copy_(torch.where(drawn(shape, settings.corrupt) & (part != ZERO), noise(shape), part))
    forget = drawn((len(out), 1, 1), settings.forget)
    acoustic = out[:, layout.agent][:, 1:]
    acoustic.copy_(torch.where(forget, torch.full_like(acoustic, ZERO), acoustic))
    if layout.heard:
        words = out[:, layout.heard_text]
        words.copy_(_misheard(words, layout, settings.heard_corrupt, random))
    out[:, :, 0] = columns[:, :, 0]
    return out


def _misheard(tokens: torch.Tensor, layout: Layout, share: float, random: torch.Generator) -> torch.Tensor:
    """Tokens of the user's words, some exchanged for others of the batch and as many dropped to padding."""
    words = ~_is_padding(tokens, layout) & (tokens < layout.text_card)
    pool = tokens[words]
    if not len(pool):
        return tokens
    draw = torch.rand(tokens.shape, generator=random)
    other = pool[torch.randint(len(pool), tokens.shape, generator=random)]
    heard = torch.where(words & (draw < share), layout.text_pad, tokens)
    return torch.where(words & (draw < share / 2), other, heard)


def _is_padding(tokens: torch.Tensor, layout: Layout) -> torch.Tensor:
    return (tokens == layout.text_pad) | (tokens == layout.text_end_pad)


FORESIGHT_FRAMES = (0, 2, 7, 15, 25)
"""Borders of the stretches of the future whose activity is foreseen: 0.16, 0.56, 1.2 and 2 s ahead."""


def future_activity(batch: Batch) -> torch.Tensor:
    """Who will speak: for either speaker (agent first), the share of each stretch of the future, float32 `[B, T, 8]`.

    Voice activity projection (Ekstedt & Skantze 2022, arXiv 2205.09812), its stretches on our frames: it makes telling
    a pause from a turn's end something to learn at every frame, not once a turn.
    """
    shares = []
    for speech in (batch.speech, batch.user_speech):
        total = F.pad(speech.float().cumsum(dim=1), (1, FORESIGHT_FRAMES[-1]), mode="replicate")
        total[:, 0] = 0.0
        length = speech.shape[1]
        for start, end in pairwise(FORESIGHT_FRAMES):
            shares.append((total[:, end : end + length] - total[:, start : start + length]) / (end - start))
    return torch.stack(shares, dim=-1)


class _Learnt(NamedTuple):
    """What of a batch is learnt: hidden states `[N, dim]` beside what each is to predict."""

    text: torch.Tensor
    text_targets: torch.Tensor
    audio: torch.Tensor
    columns: torch.Tensor
    heard: torch.Tensor
    heard_targets: torch.Tensor


def _learnt(model: LanguageModel, batch: Batch, settings: LMTraining, random: torch.Generator, device: str) -> _Learnt:
    """Run the temporal transformer on a batch and pick the columns whose loss is wanted."""
    layout = model.layout
    columns = lag(batch.frames, layout)
    inputs = corrupted(columns[:, :, :-1], model, settings, random).to(device)
    # Column i + 1 holds codebook 0 of frame i and, one frame late, the acoustic codes of frame i - 1.
    spoken = batch.speech.clone()
    for shift in (1, 2):
        spoken[:, shift:] |= batch.speech[:, :-shift]
    spoken[:, :-1] |= batch.speech[:, 1:]
    sampled = torch.rand(spoken.shape, generator=random) < settings.silent
    targets = columns[:, :, 1:].transpose(1, 2)
    hidden = model.temporal(model.embed(inputs))

    def chosen(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return hidden[mask.to(device)], targets[mask].to(device)

    text, text_columns = chosen(batch.text_loss)
    audio, audio_columns = chosen(batch.audio_loss & (spoken | sampled))
    heard, heard_columns = chosen(batch.heard_loss & layout.heard)
    return _Learnt(text, text_columns[:, layout.text], audio, audio_columns, heard, heard_columns[:, -1])


def lm_losses(
    model: LanguageModel,
    batch: Batch,
    settings: LMTraining,
    random: torch.Generator,
    device: str = "cpu",
    foresight: torch.nn.Module | None = None,
) -> dict[str, torch.Tensor]:
    """Loss terms of one batch.

    Args:
        model: the model.
        batch: examples, and examples without sound.
        settings: weights of the terms.
        random: draws corruption and the silent frames; on the CPU, so that runs agree between devices.
        device: where the model is.
        foresight: maps hidden states to the logits of `future_activity`; None to leave that term out.

    Returns:
        `loss`, the terms that it is the weighted sum of, and of word pieces alone, padding apart: `words` of the agent,
        `talk_words` of those in examples without sound, `heard_words` of the user. What has no example is left out.
    """
    layout = model.layout
    parts = [part for part in (batch, batch.texts) if part is not None and len(part.frames)]
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=settings.bf16):
        each = [_learnt(model, part, settings, random, device) for part in parts]
        learnt = _Learnt(*(torch.cat(tensors) for tensors in zip(*each, strict=True)))
        text_logits = model.text_linear(learnt.text).float()
        whole = torch.rand(len(learnt.audio), generator=random).to(device) < settings.timbre
        audio = []
        for mask, steps in ((whole, None), (~whole, 1)):
            if mask.any():
                columns = learnt.columns[mask]
                logits = model.depth(learnt.audio[mask], columns, steps).float()
                audio.append(_audio_nll(logits, columns, layout))
        heard_logits = None if model.heard_linear is None else model.heard_linear(learnt.heard).float()
        foreseen = None
        if foresight is not None and len(batch.frames):
            foreseen = foresight(each[0].text).float()
    text, nll, is_word = _text_loss(text_logits, learnt.text_targets, layout, settings.padding)
    loss, terms = text, {"text": text}
    figures = _mean("words", nll, is_word)
    if batch.texts is not None:
        first = len(nll) - len(each[-1].text)
        figures |= _mean("talk_words", nll[first:], is_word[first:])
    if heard_logits is not None:
        heard, nll, is_word = _text_loss(heard_logits, learnt.heard_targets, layout, settings.heard_padding)
        loss, terms["heard"] = loss + settings.hearing * heard, heard
        figures |= _mean("heard_words", nll, is_word)
    if foreseen is not None:
        active = future_activity(batch)[batch.text_loss].to(device)
        terms["foresight"] = F.binary_cross_entropy_with_logits(foreseen, active)
        loss = loss + settings.foresight * terms["foresight"]
    if audio:
        terms["semantic"] = _known_mean(torch.cat([nll[:, 0] for nll in audio]))
        loss = loss + settings.semantic * terms["semantic"]
    if audio and audio[0].shape[1] > 1:
        acoustic = audio[0][:, 1:]
        terms["acoustic"] = torch.stack([_known_mean(nll) for nll in acoustic.unbind(dim=1)]).mean()
        loss = loss + settings.acoustic * terms["acoustic"] * acoustic.shape[1]
    return {"loss": loss} | figures | terms


def _text_loss(
    logits: torch.Tensor, targets: torch.Tensor, layout: Layout, padding: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The weighted loss of a text stream, then each target's own `[N]` and which of them are word pieces."""
    nll = F.cross_entropy(logits, targets, reduction="none")
    weights = torch.where(targets == layout.text_pad, padding, 1.0)
    return (nll * weights).sum() / weights.sum().clamp(min=1), nll, ~_is_padding(targets, layout)


def _audio_nll(logits: torch.Tensor, columns: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Each code's loss `[N, K]`; zero for initial tokens, which no depth step can say."""
    codes = columns[:, 1 : 1 + logits.shape[1]]
    codes = codes.masked_fill(codes >= layout.card, -100)
    return F.cross_entropy(logits.flatten(0, 1), codes.flatten(), ignore_index=-100, reduction="none").view(codes.shape)


def _known_mean(nll: torch.Tensor) -> torch.Tensor:
    """The mean of one codebook's losses, initial tokens left out."""
    return nll.sum() / (nll > 0).sum().clamp(min=1)


def _mean(name: str, values: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """The mean of what the mask leaves, under its name; nothing where that is nothing."""
    return {name: values[mask].detach().mean()} if mask.any() else {}


class LMTrainer:
    """One language model and all that its training carries.

    Args:
        model: trained in place.
        pack: the dialogues.
        settings: how.
        device: where.
    """

    def __init__(self, model: LanguageModel, pack: DialoguePack, settings: LMTraining, device: str = "cpu"):
        self.model, self.pack, self.settings, self.device = model.to(device), pack, settings, device
        model.train()
        model.transformer.checkpointing = settings.gradient_checkpointing
        self.foresight = torch.nn.Linear(model.config.dim, 2 * (len(FORESIGHT_FRAMES) - 1)).to(device)
        self.average = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "emb" not in n]
        others = [p for n, p in model.named_parameters() if p.dim() != 2 or "emb" in n]
        others += self.foresight.parameters()
        groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.95), fused=True)

    def state(self) -> dict[str, Any]:
        """The tree that a checkpoint holds: `model` as it is trained, `average` as it is exported."""
        return {
            "model": self.model.state_dict(),
            "average": self.average,
            "foresight": self.foresight.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take a checkpoint's tree back."""
        self.model.load_state_dict(state["model"])
        self.foresight.load_state_dict(state["foresight"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name, tensor in self.average.items():
            tensor.copy_(state["average"][name])

    def step(self, step: int) -> dict[str, float]:
        """Take one step; returns its loss terms."""
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = cosine_rate(step, settings.steps, settings.rate, settings.warmup, hold=settings.hold)
        random = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        batch = self.pack.batch(settings.seed, step, settings.batch)
        foresight = self.foresight if settings.foresight else None
        terms = lm_losses(self.model, batch, settings, random, self.device, foresight)
        self.optimizer.zero_grad(set_to_none=True)
        terms["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        decay = min(settings.ema, (1 + step) / (10 + step))  # a new run's first weights are soon forgotten
        with torch.no_grad():
            weights = self.model.state_dict()
            torch._foreach_lerp_(list(self.average.values()), [weights[name] for name in self.average], 1 - decay)
        return {name: value.item() for name, value in terms.items()} | {"gradient": norm.item()}


def begin_with(model: LanguageModel, weights: dict[str, torch.Tensor]) -> None:
    """Give a new model another run's weights; a stream of the user's words and short convolutions may be in one alone.

    What is new begins at zero where it is read, so that text and sound are predicted as before.

    Raises:
        UserError: when the other run's model is of another shape.
    """
    own = model.state_dict()
    added, dropped = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    shared = own.keys() & weights.keys()
    optional = ("heard_emb", "heard_linear", "short_convs")
    if not all(any(part in name for part in optional) for name in (*added, *dropped)) or any(
        own[name].shape != weights[name].shape for name in shared
    ):
        raise UserError("The run to start from has a model of another shape; give the same preset and tokenizer.")
    model.load_state_dict({name: weights[name] for name in shared}, strict=False)
    if "heard_emb.weight" in added and model.heard_emb is not None:
        torch.nn.init.zeros_(model.heard_emb.weight)
    if added:
        print(f"new, not in the run to start from: {', '.join(added)}")
    if dropped:
        print(f"left behind from the run to start from: {', '.join(dropped)}")


def train_lm(
    pack: DialoguePack,
    run_folder: Path,
    config: LMConfig,
    settings: LMTraining,
    minutes: float | None = None,
    save_every: float = 4.0,
    start_from: dict[str, torch.Tensor] | None = None,
    device: str = "cpu",
) -> bool:
    """Train until the steps are done or the minutes spent; returns whether the run is complete.

    Args:
        pack: the dialogues.
        run_folder: checkpoints and logs.
        config: the model's sizes.
        settings: how to train it.
        minutes: budget of this call.
        save_every: minutes between checkpoints.
        start_from: weights to begin with when the run is new.
        device: where.
    """
    torch.manual_seed(settings.seed)
    model = LanguageModel(config)
    if start_from is not None:
        begin_with(model, start_from)
    trainer = LMTrainer(model, pack, settings, device)
    run = Run(run_folder, settings.steps, minutes, save_every, trainer.state, trainer.restore, "language model")
    for step in run:
        run.log(trainer.step(step))
    return run.complete
