"""Trains the language model: prompt-masked, token-weighted cross-entropy over the grid.

PersonaPlex paper (arXiv 2602.06053), section 4, gives the terms; the weights for training from nothing differ and are
set in `LMTraining`. The depth transformer is computed only where its loss is wanted: on speech, and on some silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from personaplex.frames import ZERO, lag
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
        silent: share of the agent's silent frames whose sound is learnt.
        corrupt: share of the user's codes, and of the agent's past codebook 0, replaced at random on the input.
        forget: share of examples in which the agent's acoustic codes are hidden on the input.
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
    silent: float = 0.06
    corrupt: float = 0.1
    forget: float = 0.5
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
        part.copy_(torch.where(drawn(shape, settings.corrupt), noise(shape), part))
    forget = drawn((len(out), 1, 1), settings.forget)
    acoustic = out[:, layout.agent][:, 1:]
    acoustic.copy_(torch.where(forget, torch.full_like(acoustic, ZERO), acoustic))
    out[:, :, 0] = columns[:, :, 0]
    return out


def lm_losses(
    model: LanguageModel, batch: Batch, settings: LMTraining, random: torch.Generator, device: str = "cpu"
) -> dict[str, torch.Tensor]:
    """Loss terms of one batch.

    Args:
        model: the model.
        batch: examples.
        settings: weights of the terms.
        random: draws corruption and the silent frames; on the CPU, so that runs agree between devices.
        device: where the model is.
    """
    layout = model.layout
    columns = lag(batch.frames, layout)
    inputs = corrupted(columns[:, :, :-1], model, settings, random).to(device)
    targets = columns[:, :, 1:]
    # Column i + 1 holds codebook 0 of frame i and, one frame late, the acoustic codes of frame i - 1.
    spoken = batch.speech.clone()
    for shift in (1, 2):
        spoken[:, shift:] |= batch.speech[:, :-shift]
    spoken[:, :-1] |= batch.speech[:, 1:]
    sampled = torch.rand(spoken.shape, generator=random) < settings.silent
    chosen = (batch.audio_loss & (spoken | sampled)).to(device)
    learn_text = batch.text_loss.to(device)
    targets = targets.to(device)
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=settings.bf16):
        hidden = model.temporal(model.embed(inputs))
        text_logits = model.text_linear(hidden[learn_text]).float()
        wanted = targets.transpose(1, 2)[chosen]
        audio_logits = model.depth(hidden[chosen], wanted).float()
    text_targets = targets[:, layout.text][learn_text]
    padding = (text_targets == layout.text_pad) | (text_targets == layout.text_end_pad)
    weights = torch.where(text_targets == layout.text_pad, settings.padding, 1.0)
    nll = F.cross_entropy(text_logits, text_targets, reduction="none")
    text = (nll * weights).sum() / weights.sum().clamp(min=1)
    steps = audio_logits.shape[1]
    codes = wanted[:, 1 : 1 + steps].masked_fill(wanted[:, 1 : 1 + steps] >= layout.card, -100)
    audio = F.cross_entropy(audio_logits.flatten(0, 1), codes.flatten(), ignore_index=-100, reduction="none")
    audio = audio.view(codes.shape).sum(dim=0) / (codes >= 0).sum(dim=0).clamp(min=1)
    semantic, acoustic = audio[0], audio[1:].mean()
    loss = text + settings.semantic * semantic + settings.acoustic * acoustic * (steps - 1)
    return {
        "loss": loss,
        "text": text,
        "words": nll[~padding].mean() if (~padding).any() else text.detach(),
        "semantic": semantic,
        "acoustic": acoustic,
    }


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
        matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "emb" not in n]
        others = [p for n, p in model.named_parameters() if p.dim() != 2 or "emb" in n]
        groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.95))

    def state(self) -> dict[str, Any]:
        """The tree that a checkpoint holds."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take a checkpoint's tree back."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])

    def step(self, step: int) -> dict[str, float]:
        """Take one step; returns its loss terms."""
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = cosine_rate(step, settings.steps, settings.rate, settings.warmup, hold=settings.hold)
        random = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        batch = self.pack.batch(settings.seed, step, settings.batch)
        terms = lm_losses(self.model, batch, settings, random, self.device)
        self.optimizer.zero_grad(set_to_none=True)
        terms["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return {name: value.item() for name, value in terms.items()} | {"gradient": norm.item()}


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
        model.load_state_dict(start_from)
    trainer = LMTrainer(model, pack, settings, device)
    run = Run(run_folder, settings.steps, minutes, save_every, trainer.state, trainer.restore, "language model")
    for step in run:
        run.log(trainer.step(step))
    return run.complete
