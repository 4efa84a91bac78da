"""Trains the small codec: spectral, magnitude, commitment and phone losses.

The phone loss makes codebook 0 hold what is said: a linear map must read the phones, which the synthesiser knows, from
its entry alone. It takes the place of semantic distillation from a speech model (Moshi paper, section 3.3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.codec.nano import NanoCodec, NanoCodecConfig
from personaplex.train.run import Run, cosine_rate
from personaplex.train.sound import UNLABELLED, SoundPack
from personaplex.train.spectral import SpectralLoss
from personaplex.train.vq import CodebookTrainer


@dataclass(frozen=True)
class CodecTraining:
    """How the codec is trained.

    Attributes:
        steps: steps of the whole run.
        batch: crops a step.
        frames: frames of a crop.
        rate: peak learning rate.
        warmup: steps of linear warm-up.
        magnitude: weight of the magnitude loss; the log-mel loss weighs 1.
        commitment: weight of the commitment loss.
        phone: weight of the phone loss.
        decoder_only: leave the encoder and the codebooks as they are, so that codes stay valid.
        seed: of the initial weights and of the data order.
        bf16: compute matrix products in bfloat16.
    """

    steps: int = 3000
    batch: int = 12
    frames: int = 20
    rate: float = 1e-3
    warmup: int = 100
    magnitude: float = 0.5
    commitment: float = 0.25
    phone: float = 0.15
    decoder_only: bool = False
    seed: int = 0
    bf16: bool = True


class PhoneReader(nn.Module):
    """Reads the two phones of a frame from the semantic part of its latent."""

    def __init__(self, dim: int, phones: int):
        super().__init__()
        self.linear = nn.Linear(dim, 2 * phones)
        self.phones = phones

    def forward(self, semantic: torch.Tensor) -> torch.Tensor:
        """`[B, dim, T]` → logits `[B, 2 * T, phones]`."""
        return self.linear(semantic.transpose(1, 2)).unflatten(2, (2, self.phones)).flatten(1, 2)


class CodecTrainer:
    """One codec and all that its training carries.

    Args:
        codec: trained in place.
        pack: the sound.
        settings: how.
        device: where.
    """

    def __init__(self, codec: NanoCodec, pack: SoundPack, settings: CodecTraining, device: str = "cpu"):
        self.codec, self.pack, self.settings, self.device = codec.to(device), pack, settings, device
        self.reader = PhoneReader(codec.config.dim, len(pack.phones)).to(device)
        self.books = CodebookTrainer(codec.quantizer, settings.seed)
        self.books.frozen = settings.decoder_only
        self.spectral = SpectralLoss().to(device)
        trained = codec.decoder if settings.decoder_only else nn.ModuleList([codec, self.reader])
        self.parameters = list(trained.parameters())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=settings.rate, betas=(0.8, 0.99), weight_decay=0.0)

    def state(self) -> dict[str, Any]:
        """The tree that a checkpoint holds."""
        return {
            "codec": self.codec.state_dict(),
            "reader": self.reader.state_dict(),
            "books": self.books.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take a checkpoint's tree back."""
        self.codec.load_state_dict(state["codec"])
        self.reader.load_state_dict(state["reader"])
        self.books.load_state_dict(state["books"])
        self.optimizer.load_state_dict(state["optimizer"])

    def losses(self, pcm: torch.Tensor, phones: torch.Tensor) -> dict[str, torch.Tensor]:
        """Loss terms of one batch of sound `[B, N]` with phone labels `[B, N / 960]`."""
        codec, settings = self.codec, self.settings
        with torch.autocast(pcm.device.type, torch.bfloat16, enabled=settings.bf16):
            with torch.set_grad_enabled(not settings.decoder_only):
                latents = codec.encoder(pcm).transpose(1, 2)
                quantized = self.books(latents)
                phone_logits = self.reader(quantized.first)
            out = codec.decoder((quantized.first + quantized.rest).transpose(1, 2))
        delay = codec.config.output_delay
        mel, magnitude = self.spectral(out[:, delay:], pcm[:, : pcm.shape[1] - delay])
        known = phones != UNLABELLED
        phone = F.cross_entropy(phone_logits.float()[known], phones[known])
        accuracy = (phone_logits.argmax(-1)[known] == phones[known]).float().mean()
        total = mel + settings.magnitude * magnitude
        if not settings.decoder_only:
            total = total + settings.commitment * quantized.commitment + settings.phone * phone
        return {
            "loss": total,
            "mel": mel,
            "magnitude": magnitude,
            "commitment": quantized.commitment,
            "phone": phone,
            "phone_accuracy": accuracy,
        }

    def step(self, step: int) -> dict[str, float]:
        """Take one step; returns its loss terms."""
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = cosine_rate(step, settings.steps, settings.rate, settings.warmup)
        pcm, phones = self.pack.batch(settings.seed, step, settings.batch, settings.frames)
        terms = self.losses(pcm.to(self.device), phones.to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return {name: value.item() for name, value in terms.items()}


def train_codec(
    pack_folder: Path,
    run_folder: Path,
    config: NanoCodecConfig,
    settings: CodecTraining,
    minutes: float | None = None,
    save_every: float = 4.0,
    start_from: dict[str, torch.Tensor] | None = None,
    device: str = "cpu",
) -> bool:
    """Train until the steps are done or the minutes spent; returns whether the run is complete.

    Args:
        pack_folder: what `pack_sound` wrote.
        run_folder: checkpoints and logs.
        config: the codec's sizes.
        settings: how to train it.
        minutes: budget of this call.
        save_every: minutes between checkpoints.
        start_from: weights to begin with when the run is new.
        device: where.
    """
    torch.manual_seed(settings.seed)
    codec = NanoCodec(config)
    if start_from is not None:
        codec.load_state_dict(start_from)
    trainer = CodecTrainer(codec, SoundPack(pack_folder), settings, device)
    run = Run(run_folder, settings.steps, minutes, save_every, trainer.state, trainer.restore, "codec")
    for step in run:
        run.log(trainer.step(step))
    return run.complete
