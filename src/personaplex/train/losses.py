"""The language model's losses: prompt-masked, token-weighted cross-entropy over the grid.

PersonaPlex paper (arXiv 2602.06053), section 4, gives the terms; the weights for training from nothing differ and are
set in `LMTraining`. The depth transformer is computed only where its loss is wanted: on speech, and on some silence.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional as F

from personaplex.frames import ZERO, Layout, lag
from personaplex.lm.model import LanguageModel, prompt_columns
from personaplex.train.corruption import corrupted, is_padding
from personaplex.train.dialogues import Batch
from personaplex.train.foresight import future_activity
from personaplex.train.own_ear import own_ear, to_write
from personaplex.train.precision import half_precision
from personaplex.train.settings import LMTraining

WITHIN = 4  # frames from which on, before a word, its turn is looked up in the role
AHEAD = 32  # frames of what is looked up: an answer's


class _Learnt(NamedTuple):
    """What of a batch is learnt: hidden states `[N, dim]` beside what each is to predict.

    `pointed` is the probability with which the pointer finds each text target in the role; empty without a pointer.
    `echoed` is that of finding those that the user has just said; `looked` that with which it finds, beforehand, what
    an answer will hold of the role. Both are empty where it does not echo or look up. `voices` is what the depth
    transformer is told of the voice, of no width where it is told nothing.
    """

    text: torch.Tensor
    text_logits: torch.Tensor
    text_targets: torch.Tensor
    copied: torch.Tensor
    pointed: torch.Tensor
    echoed: torch.Tensor
    looked: torch.Tensor
    audio: torch.Tensor
    voices: torch.Tensor
    columns: torch.Tensor
    heard: torch.Tensor
    heard_targets: torch.Tensor


def _learnt(model: LanguageModel, batch: Batch, settings: LMTraining, random: torch.Generator, device: str) -> _Learnt:
    """Run the temporal transformer on a batch and pick the columns whose loss is wanted."""
    layout = model.layout
    columns = lag(batch.frames, layout)
    inputs = corrupted(columns[:, :, :-1], model, settings, random, batch.prompt).to(device)
    heard_loss = batch.heard_loss & layout.heard
    if settings.deaf:
        deaf = torch.rand(len(inputs), generator=random) < settings.deaf
        inputs[deaf.to(device), layout.user, 1:] = ZERO
        heard_loss &= ~deaf[:, None]
    spoken = spoken_columns(batch.speech)
    sampled = torch.rand(spoken.shape, generator=random) < settings.silent
    targets = columns[:, :, 1:].transpose(1, 2).clone()
    if settings.heard_own:
        passes = int(torch.randint(settings.heard_passes, (), generator=random)) + 1
        inputs, own = own_ear(model, inputs, heard_loss, settings.heard_own, passes, random)
        if settings.heard_completion and own.any() and batch.begins is not None:
            labels, words = targets[own.cpu(), :, -1], inputs[own, -1].cpu()
            # What comes of the last column is not written yet.
            written = torch.cat([words[:, 1:], words.new_full((len(words), 1), layout.text_pad)], dim=1)
            targets[own.cpu(), :, -1] = to_write(labels, written, batch.begins, layout)
    with torch.set_grad_enabled(not settings.sound_only or settings.new_codes):
        hidden = model.temporal(model.embed(inputs))

    def chosen(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return hidden[mask.to(device)], targets[mask].to(device)

    text, text_columns = chosen(batch.text_loss)
    text_targets = text_columns[:, layout.text]
    pointed = echoed = looked = text.new_zeros(0)
    if model.pointer is None or batch.prompt is None:
        text_logits = model.text_linear(text).float()
    else:
        longest = int(batch.prompt.max()) + 1
        within = prompt_columns(batch.prompt, longest).to(device)
        memory = model.pointer.memory(hidden[:, :longest], inputs[:, layout.text, :longest], within)
        if model.config.echo:
            memory = model.pointer.with_heard(memory, hidden, inputs[:, -1])
        learnt = batch.text_loss.to(device)
        informed, found = model.pointer.look_up(hidden, memory)
        if found is not None:
            looked = _looked_up(found, memory.pieces, targets[:, :, layout.text].to(device), batch, layout)
        weights = model.pointer.attend(informed, memory)[learnt]
        pieces = memory.pieces[:, None].expand(-1, hidden.shape[1], -1)[learnt]
        informed = informed[learnt]
        text_logits = model.pointer.mix(model.text_linear(informed), informed, weights, pieces, memory.heard)
        same = pieces == text_targets[:, None]
        pointed = (weights * same).sum(dim=1)
        if memory.seen is not None:
            role = memory.pieces.shape[1] - memory.heard
            echoed = pointed[(same & memory.seen[learnt])[:, role:].any(dim=1)]
    heeded = batch.audio_loss & (spoken | sampled)
    audio, audio_columns = chosen(heeded)
    voices = audio.new_zeros(len(audio), 0)
    if batch.prompt is not None:
        within = prompt_columns(batch.prompt, hidden.shape[1]).to(device)
        voice = model.voice(hidden, model.sample(hidden, inputs, within))
        voices = voices if voice is None else voice[heeded.to(device)]
    heard, heard_columns = chosen(heard_loss)
    copied = torch.zeros_like(batch.text_loss) if batch.copied is None else batch.copied
    copied = copied[batch.text_loss].to(device)
    return _Learnt(
        text,
        text_logits,
        text_targets,
        copied,
        pointed,
        echoed,
        looked,
        audio,
        voices,
        audio_columns,
        heard,
        heard_columns[:, -1],
    )


def _looked_up(
    found: torch.Tensor, pieces: torch.Tensor, targets: torch.Tensor, batch: Batch, layout: Layout
) -> torch.Tensor:
    """The probability of what an answer will hold of the role, where one is due or given and holds something: `[N]`.

    Args:
        found: how likely each piece that can be pointed at is looked up, `[B, T, R]`.
        pieces: int64 `[B, R]`, those pieces: the role's and, with echo, the user's.
        targets: int64 `[B, T]`, the agent's text.
        batch: what of it is learnt, and what the role tells.
        layout: the model's layout.
    """
    learnt = batch.text_loss.to(targets.device)
    told = learnt if batch.copied is None else learnt & batch.copied.to(targets.device)
    held = (told[:, :, None] & (targets[:, :, None] == pieces[:, None])).float()
    soon = _within(held.transpose(1, 2), AHEAD).transpose(1, 2)
    due = _within((learnt & ~is_padding(targets, layout)).float()[:, None], WITHIN)[:, 0] > 0
    return (found * soon).sum(dim=2)[due & learnt & (soon > 0).any(dim=2)]


def _within(marks: torch.Tensor, frames: int) -> torch.Tensor:
    """Whether a mark comes at a frame or in the `frames` - 1 after it: float `[B, N, T]`, 0 or 1."""
    return F.max_pool1d(F.pad(marks, (0, frames - 1)), frames, stride=1)


def spoken_columns(speech: torch.Tensor) -> torch.Tensor:
    """Of frames bool `[B, T]` in which the agent speaks, the columns that hold some of their sound, and the one before.

    Column i + 1, which frame i's hidden state predicts, holds codebook 0 of frame i and, one frame late, the acoustic
    codes of frame i - 1.
    """
    spoken = speech.clone()
    for shift in (1, 2):
        spoken[:, shift:] |= speech[:, :-shift]
    spoken[:, :-1] |= speech[:, 1:]
    return spoken


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
    with half_precision(device, settings.bf16):
        each = [_learnt(model, part, settings, random, device) for part in parts]
        learnt = _Learnt(*(torch.cat(tensors) for tensors in zip(*each, strict=True)))
        whole = torch.rand(len(learnt.audio), generator=random).to(device) < settings.timbre
        audio = []
        for mask, steps in ((whole, None), (~whole, 1)):
            if mask.any():
                columns = learnt.columns[mask]
                voices = learnt.voices[mask] if learnt.voices.shape[1] else None
                logits = model.depth(learnt.audio[mask], columns, steps, voices).float()
                audio.append(audio_nll(logits, columns, layout))
        heard_logits = None if model.heard_linear is None else model.heard_linear(learnt.heard).float()
        foreseen = None
        if foresight is not None and len(batch.frames) and batch.text_loss.any():
            foreseen = foresight(each[0].text).float()
    weights = torch.where(learnt.copied, settings.copying, 1.0)
    text, nll, is_word = _text_loss(learnt.text_logits, learnt.text_targets, layout, settings.padding, weights)
    loss, terms = settings.writing * text, {"text": text}
    figures = _mean("words", nll, is_word) | _mean("copied", nll, learnt.copied)
    if batch.texts is not None:
        first = len(nll) - len(each[-1].text)
        figures |= _mean("talk_words", nll[first:], is_word[first:])
    if heard_logits is not None:
        heard, nll, is_word = _text_loss(heard_logits, learnt.heard_targets, layout, settings.heard_padding)
        loss, terms["heard"] = loss + settings.hearing * heard, heard
        figures |= _mean("heard_words", nll, is_word)
    if len(learnt.pointed) and learnt.copied.any():
        terms["pointing"] = -(learnt.pointed[learnt.copied] + 1e-6).log().mean()
        loss = loss + settings.pointing * terms["pointing"]
    if len(learnt.echoed):
        terms["echoing"] = -(learnt.echoed + 1e-6).log().mean()
        loss = loss + settings.pointing * terms["echoing"]
    if len(learnt.looked):
        terms["looking"] = -(learnt.looked + 1e-6).log().mean()
        loss = loss + settings.looking * terms["looking"]
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
    logits: torch.Tensor,
    targets: torch.Tensor,
    layout: Layout,
    padding: float,
    words: torch.Tensor | float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The weighted loss of a text stream, then each target's own `[N]` and which of them are word pieces."""
    nll = F.cross_entropy(logits, targets, reduction="none")
    weights = torch.where(targets == layout.text_pad, padding, words)
    return (nll * weights).sum() / weights.sum().clamp(min=1), nll, ~is_padding(targets, layout)


def audio_nll(logits: torch.Tensor, columns: torch.Tensor, layout: Layout) -> torch.Tensor:
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
