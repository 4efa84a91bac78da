"""Trains the language model: steps, the moving average of its weights, what a checkpoint holds.

Knows neither which losses there are (`losses`, `foresight`) nor how examples are drawn (`dialogues`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from personaplex.errors import UserError
from personaplex.lm.config import LMConfig
from personaplex.lm.model import LanguageModel
from personaplex.train.corruption import corrupted
from personaplex.train.dialogues import Batch, DialoguePack, batches
from personaplex.train.foresight import foresight_map, future_activity
from personaplex.train.losses import lm_losses
from personaplex.train.muon import Muon
from personaplex.train.run import Run, cosine_rate
from personaplex.train.settings import LMTraining

__all__ = ["LMTrainer", "LMTraining", "begin_with", "corrupted", "future_activity", "lm_losses", "train_lm"]


GAIN_RATE = 10.0
"""The learning rate of the short convolutions and of what is read a second time, as a multiple: their gains begin at
zero and belong near one."""

SOUND = ("depformer", "linears", "voiceprint")
"""What the names of the parameters begin with that choose how a frame sounds, once it is decided what is said."""

CODES = "emb."
"""What the names of the parameters begin with by which the temporal transformer reads codes."""

MOST_LOST = 4
"""Steps on end that may be left out for a gradient that is no number."""


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
        self.foresight = foresight_map(model.config.dim).to(device)
        self.average = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        kinds: dict[str, list[torch.nn.Parameter]] = {
            kind: [] for kind in ("matrix", "inner", "stacked", "gain", "other")
        }
        kinds["other"] += self.foresight.parameters()
        learnt = (*SOUND, CODES) if settings.new_codes else SOUND
        for name, parameter in model.named_parameters():
            if settings.sound_only and not name.startswith(learnt):
                parameter.requires_grad_(False)
                continue
            kinds[_kind(name, parameter)].append(parameter)
        if not settings.muon:
            kinds["matrix"] += kinds.pop("inner") + kinds.pop("stacked")
        groups = [
            {"params": kinds["matrix"], "weight_decay": settings.weight_decay, "scale": 1.0},
            {"params": kinds["other"], "weight_decay": 0.0, "scale": 1.0},
            {"params": kinds["gain"], "weight_decay": 0.0, "scale": GAIN_RATE},
        ]
        self._lost = 0
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "optimizer": torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.95), fused=True)
        }
        if settings.muon:
            inner = [
                {"params": kinds["inner"], "sets": 1, "scale": 1.0},
                {"params": kinds["stacked"], "sets": model.config.depth.weight_sets, "scale": 1.0},
            ]
            self.optimizers["muon"] = Muon(inner, settings.rate, weight_decay=settings.weight_decay, bf16=settings.bf16)

    def state(self) -> dict[str, Any]:
        """The tree that a checkpoint holds: `model` as it is trained, `average` as it is exported."""
        state = {"model": self.model.state_dict(), "average": self.average}
        state |= {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        return state | ({"foresight": self.foresight.state_dict()} if self.settings.foresight else {})

    def restore(self, state: dict[str, Any]) -> None:
        """Take a checkpoint's tree back; UserError for one without an average, or of one with other optimizers."""
        if "average" not in state:
            raise UserError(
                "The run has no moving average of its weights yet; go on from it in a new one: --start-from."
            )
        if ("muon" in state) != self.settings.muon:
            begun, now = ("with", "without") if "muon" in state else ("without", "with")
            raise UserError(
                f"The run was begun {begun} --muon and cannot go on {now} it; begin a new one from it: --start-from."
            )
        self.model.load_state_dict(state["model"])
        if "foresight" in state:
            self.foresight.load_state_dict(state["foresight"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state[name])
        for name, tensor in self.average.items():
            tensor.copy_(state["average"][name])

    def step(self, step: int, batch: Batch | None = None) -> dict[str, float]:
        """Take one step; returns its loss terms.

        Args:
            step: its number.
            batch: its examples, where they have been drawn already.
        """
        settings = self.settings
        rate = cosine_rate(step, settings.steps, settings.rate, settings.warmup, hold=settings.hold)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate * group["scale"]
        random = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        batch = self.pack.batch(settings.seed, step, settings.batch) if batch is None else batch
        foresight = self.foresight if settings.foresight else None
        terms = lm_losses(self.model, batch, settings, random, self.device, foresight)
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        terms["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if not torch.isfinite(norm):
            return self._skipped(terms)
        self._lost = 0
        for optimizer in self.optimizers.values():
            optimizer.step()
        decay = min(settings.ema, (1 + step) / (10 + step))  # a new run's first weights are soon forgotten
        with torch.no_grad():
            weights = self.model.state_dict()
            torch._foreach_lerp_(list(self.average.values()), [weights[name] for name in self.average], 1 - decay)
        return {name: value.item() for name, value in terms.items()} | {"gradient": norm.item()}

    def _skipped(self, terms: dict[str, torch.Tensor]) -> dict[str, float]:
        """Leave out a step whose gradient is no number: it would be the end of every weight. Its finite terms."""
        self._lost += 1
        if self._lost > MOST_LOST:
            raise UserError(
                f"The gradient is no number for {self._lost} steps on end; go on from the last checkpoint in a new "
                "run, with a lower --rate."
            )
        return {name: value.item() for name, value in terms.items() if value.isfinite()} | {"skipped": 1.0}


def _kind(name: str, parameter: torch.nn.Parameter) -> str:
    """How a parameter is trained: a `matrix`, one `inner` to a transformer, a stack of those, a `gain` or another."""
    if "short_convs" in name or "_gains" in name:
        return "gain"
    if parameter.dim() != 2 or "emb" in name:
        return "other"
    if not name.startswith(("transformer.", "depformer.")):
        return "matrix"
    # The depth transformer's attention stacks the matrices of its steps; its feed-forward blocks do not.
    return "stacked" if name.startswith("depformer.") and "self_attn" in name else "inner"


def begin_with(model: LanguageModel, weights: dict[str, torch.Tensor]) -> None:
    """Give a new model another run's weights; the parts that are ours alone may be in one of them only.

    What is new begins at zero where it is read, so that text and sound are predicted as before; a new pointer is hardly
    trusted.

    Raises:
        UserError: when the other run's model is of another shape.
    """
    own = model.state_dict()
    if model.recall_gains is not None and "recall_gains" in weights:
        # Those of the user's words come last, where there is a stream of them.
        gains, kept = torch.zeros_like(model.recall_gains.data), weights["recall_gains"][: len(model.recall_gains)]
        if len(weights["recall_gains"]) in (model.config.recall, 2 * model.config.recall):
            gains[: len(kept)] = kept
            weights = weights | {"recall_gains": gains}
    added, dropped = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    shared = own.keys() & weights.keys()
    optional = ("heard_emb", "heard_linear", "short_convs", "recall_gains", "heard_gains", "pointer", "voiceprint")
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
    workers: int = 0,
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
        workers: processes that draw examples ahead.
    """
    torch.manual_seed(settings.seed)
    model = LanguageModel(config)
    if start_from is not None:
        begin_with(model, start_from)
    trainer = LMTrainer(model, pack, settings, device)
    run = Run(run_folder, settings.steps, minutes, save_every, trainer.state, trainer.restore, "language model")
    drawn = batches(pack, settings.seed, settings.batch, range(run.step, settings.steps), workers)
    for step, batch in zip(run, drawn, strict=False):
        run.log(trainer.step(step, batch))
    return run.complete
