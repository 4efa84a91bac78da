"""Trains the small codec: spectral, commitment and semantic losses first; a discriminator's afterwards, if wished."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from personaplex.codec.nano import NanoCodec, NanoCodecConfig
from personaplex.codec.pitch import POINTS, heights
from personaplex.errors import UserError
from personaplex.train.discriminator import Discriminator, adversarial_losses
from personaplex.train.pitch import fit_pitch, pitch_losses
from personaplex.train.precision import half_precision
from personaplex.train.run import Run, cosine_rate, has_checkpoint
from personaplex.train.semantic import semantic_reader
from personaplex.train.sound import PHONES, Crops, SoundPack
from personaplex.train.spectral import SpectralLoss
from personaplex.train.vq import CodebookTrainer

_FRAMES_OF_PITCH = 60_000  # that its codebook is fitted to
_LOUDNESS = 0.04  # of a window of Vocos' of magnitude 1 over a filtered one's
_DEPTHS = ("encoder_layers", "latent_layers", "decoder_layers")


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
        distillation: weight of the distance to another teacher's features.
        whole: weight of either loss once more, read from all codebooks together: what codebook 0 has no room for is to
            be in the others, where a language model that listens can find it.
        adversarial: weight of the adversarial loss, its gradient brought to the size of the spectral losses'; 0 without
            a discriminator.
        feature_matching: weight of the feature-matching loss, likewise.
        discriminator_rate: peak learning rate of the discriminator.
        freeze_encoder: leave the encoder and the codebooks as they are, so that codes stay valid; only a reader of
            pitch that is new to the codec learns all the same.
        seed: of the initial weights and of the data order.
        bf16: compute matrix products in bfloat16, but for CPUs that are slow at it (without AVX-512).
    """

    steps: int = 3000
    batch: int = 12
    frames: int = 20
    rate: float = 1e-3
    warmup: int = 100
    magnitude: float = 0.5
    commitment: float = 0.25
    phone: float = 0.15
    distillation: float = 1.0
    whole: float = 0.0
    adversarial: float = 0.0
    feature_matching: float = 0.0
    discriminator_rate: float = 3e-4
    freeze_encoder: bool = False
    seed: int = 0
    bf16: bool = True


class CodecTrainer:
    """One codec and all that its training carries.

    Args:
        codec: trained in place.
        pack: the sound.
        settings: how.
        device: where.
        new_pitch: whether a reader of pitch is new to the codec.
    """

    def __init__(
        self,
        codec: NanoCodec,
        pack: SoundPack,
        settings: CodecTraining,
        device: str = "cpu",
        new_pitch: bool = False,
    ):
        self.codec, self.pack, self.settings, self.device = codec.to(device), pack, settings, device
        self.reader = semantic_reader(codec.config.dim, pack).to(device)
        self.whole = semantic_reader(codec.config.dim, pack).to(device) if settings.whole else None
        self.books = CodebookTrainer(codec.quantizer, settings.seed)
        self.spectral = SpectralLoss().to(device)
        readers = [self.reader] if self.whole is None else [self.reader, self.whole]
        self.pitch = codec.pitch if new_pitch or not settings.freeze_encoder else None
        trained = nn.ModuleList([codec.decoder])
        if not settings.freeze_encoder:
            trained = nn.ModuleList([codec.encoder, codec.quantizer, codec.decoder, *readers])
        self.parameters = [*trained.parameters(), *([] if self.pitch is None else self.pitch.parameters())]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=settings.rate, betas=(0.8, 0.99), weight_decay=0.0)
        self.adversary: Adversary | None = None
        if settings.adversarial or settings.feature_matching:
            self.adversary = Adversary(settings, device)

    def state(self) -> dict[str, Any]:
        """The tree that a checkpoint holds."""
        return {
            "kind": self._kind(),
            "codec": self.codec.state_dict(),
            "reader": self.reader.state_dict(),
            "whole": None if self.whole is None else self.whole.state_dict(),
            "books": self.books.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "adversary": None if self.adversary is None else self.adversary.state(),
        }

    def _kind(self) -> dict[str, Any]:
        """What must stay as it is while a run lasts."""
        return {
            "discriminator": self.adversary is not None,
            "freeze-encoder": self.settings.freeze_encoder,
            "pitch": self.codec.pitch is not None,
            "a reader of pitch that learns": self.pitch is not None,
            "teacher": self.pack.teacher,
            "whole": self.whole is not None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take a checkpoint's tree back.

        Raises:
            UserError: when its run trains something else.
        """
        for name, now in self._kind().items():
            begun = state.get("kind", {}).get(name, now)  # runs of before there was a choice hold no kind
            if begun != now:
                raise UserError(
                    f"This run has begun with {name} {begun}, not {now}; leave it so, or begin another --run."
                )
        self.codec.load_state_dict(state["codec"])
        self.reader.load_state_dict(state["reader"])
        if self.whole is not None:
            self.whole.load_state_dict(state["whole"])
        self.books.load_state_dict(state["books"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.adversary is not None:
            self.adversary.restore(state["adversary"])

    def copies(self, crops: Crops) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The codec's copy of the sound, `[B, N]`, and the losses of the encoder's side, only pitch's if it is frozen.

        The decoder is given the pitch as it was tracked, so that its harmonics lie where the original's do.
        """
        codec, settings, pcm, labels = self.codec, self.settings, crops.sound, crops.labels
        pitch, pitch_terms = self._pitch(crops)
        if settings.freeze_encoder:
            with torch.no_grad():  # not in bfloat16: these are the codes that will be decoded
                codes = codec.quantizer.encode(codec.encoder(pcm).transpose(1, 2))
                latents = codec.quantizer.decode(codes).transpose(1, 2)
        with half_precision(pcm.device, settings.bf16):
            if settings.freeze_encoder:
                return codec.decoder(latents, pitch), pitch_terms
            quantized = self.books(codec.encoder(pcm).transpose(1, 2))
            terms = {"commitment": quantized.commitment, **self.reader(quantized.first, labels)}
            latents = quantized.first + quantized.rest
            if self.whole is not None:
                terms |= {f"whole_{name}": term for name, term in self.whole(latents, labels).items()}
            return codec.decoder(latents.transpose(1, 2), pitch), terms | pitch_terms

    def _pitch(self, crops: Crops) -> tuple[torch.Tensor | None, dict[str, torch.Tensor]]:
        """The true pitch `[B, T, 8]`, and how far the reader is from it; nothing of a codec without pitch."""
        if self.codec.pitch is None:
            return None, {}
        if crops.pitch is None:
            raise UserError("The codec has a codebook of pitch; pack its sound with: train sound --pitch")
        truth = heights(crops.pitch.unflatten(1, (-1, POINTS)))
        if self.pitch is None:
            return truth, {}
        with half_precision(crops.sound.device, self.settings.bf16):
            voice, logits = self.pitch(self.codec.encoder.spectra(crops.sound))
        return truth, pitch_losses(voice, logits, truth)

    def step(self, step: int) -> dict[str, float]:
        """Take one step; returns its loss terms."""
        settings, adversary = self.settings, self.adversary
        _set_rate(self.optimizer, cosine_rate(step, settings.steps, settings.rate, settings.warmup))
        crops = self.pack.batch(settings.seed, step, settings.batch, settings.frames).to(self.device)
        copy, terms = self.copies(crops)
        pcm, delay = crops.sound, self.codec.config.delay
        late, original = copy[:, delay:], pcm[:, : pcm.shape[1] - delay]
        mel, magnitude = self.spectral(late, original)
        spectral = mel + settings.magnitude * magnitude
        loss = spectral + settings.commitment * terms.get("commitment", 0.0)
        for name, weight in (("phone", settings.phone), ("distillation", settings.distillation)):
            loss = loss + weight * terms.get(name, 0.0) + settings.whole * weight * terms.get(f"whole_{name}", 0.0)
        loss = loss + terms.get("height", 0.0) + terms.get("voicing", 0.0)
        self.optimizer.zero_grad(set_to_none=True)
        terms = {"loss": loss, "mel": mel, "magnitude": magnitude, **terms}
        if adversary is None:
            loss.backward()
        else:
            (towards,) = torch.autograd.grad(spectral, late, retain_graph=True)
            more, judged = adversary.step(step, late, original, towards.norm())
            torch.autograd.backward([loss, late], [None, more])
            terms |= judged
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return {name: value.item() for name, value in terms.items()}


class Adversary:
    """The discriminator's side of the training.

    Args:
        settings: how.
        device: where.
    """

    def __init__(self, settings: CodecTraining, device: str = "cpu"):
        self.settings = settings
        self.discriminator = Discriminator().to(device)
        self.optimizer = torch.optim.AdamW(
            self.discriminator.parameters(), lr=settings.discriminator_rate, betas=(0.5, 0.9), weight_decay=0.0
        )

    def state(self) -> dict[str, Any]:
        """The tree that a checkpoint holds."""
        return {"discriminator": self.discriminator.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take a checkpoint's tree back."""
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])

    def step(
        self, step: int, copy: torch.Tensor, original: torch.Tensor, size: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Take one step of the discriminator, judging `[B, N]` copies as it was before.

        Both sides learn from one pass. Each loss's gradient at the copy is brought to the size of the spectral losses'
        before it is weighed, so that weights mean the same throughout (EnCodec's balancer, section 3.4, of one step).

        Returns:
            What to add to the gradient at the copy, `[B, N]`, and the terms to log.
        """
        settings = self.settings
        _set_rate(self.optimizer, cosine_rate(step, settings.steps, settings.discriminator_rate, settings.warmup))
        judged = copy.detach().requires_grad_()
        with half_precision(copy.device, settings.bf16):
            losses = adversarial_losses(self.discriminator(judged), self.discriminator(original))
        more = torch.zeros_like(copy)
        for weight, loss in (
            (settings.adversarial, losses.adversarial),
            (settings.feature_matching, losses.feature_matching),
        ):
            if weight:
                (gradient,) = torch.autograd.grad(loss, judged, retain_graph=True)
                more += weight * size / gradient.norm().clamp(min=1e-12) * gradient
        self.optimizer.zero_grad(set_to_none=True)
        losses.discriminator.backward(inputs=list(self.discriminator.parameters()))
        self.optimizer.step()
        return more, losses._asdict()


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def grown(config: NanoCodecConfig, begun: NanoCodecConfig) -> NanoCodecConfig | None:
    """The sizes of a codec that goes on from `begun` when `config` is asked for: deeper or with pitch, else the same.

    What `config` leaves at its default is as it was begun. Returns None where it asks for another width, or for less.
    """
    had, default = asdict(begun), asdict(NanoCodecConfig())
    new = set() if begun.pitch else {"pitch", "pitch_dim", "pitch_layers"}
    asked = {name: size for name, size in asdict(config).items() if size not in (had[name], default[name])}
    if any(name not in new and (name not in _DEPTHS or size < had[name]) for name, size in asked.items()):
        return None
    return replace(begun, **asked)


def begin_codec_with(codec: NanoCodec, weights: dict[str, torch.Tensor]) -> None:
    """Give a new codec another's weights; blocks that it has more of begin as nothing: they add zero to what passes.

    Where it has a codebook of pitch and the other has none, that one takes the last one's place.
    """
    own = codec.state_dict()
    for name in own.keys() - weights.keys():
        if name.endswith(".scale") and not name.startswith("pitch."):
            own[name].zero_()
    if codec.pitch is not None and not _has_pitch(weights):
        weights = {name: tensor for name, tensor in weights.items() if name in own} | _filters(weights)
    codec.load_state_dict(own | weights)


def _has_pitch(weights: Mapping[str, torch.Tensor]) -> bool:
    return any(name.startswith("pitch.") for name in weights)


def _filters(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The decoder's last map, which gave magnitudes and phases, giving magnitudes twice: of pulses and of noise."""
    out = {}
    for name in ("decoder.out.weight", "decoder.out.bias"):
        magnitude = weights[name].chunk(2)[0]
        out[name] = torch.cat([magnitude, magnitude])
    out["decoder.out.bias"] = out["decoder.out.bias"] + math.log(_LOUDNESS)
    return out


def train_codec(
    pack_folder: Path,
    run_folder: Path,
    config: NanoCodecConfig,
    settings: CodecTraining,
    minutes: float | None = None,
    save_every: float = 4.0,
    start_from: dict[str, torch.Tensor] | None = None,
    device: str = "cpu",
    teacher: str = PHONES,
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
        teacher: of codebook 0: `phones`, or the speech encoder whose features `pack_sound` has stored.

    Raises:
        UserError: when the sizes make no codec, the pack has no features of the teacher or no pitch, or the run has
            begun otherwise.
    """
    torch.manual_seed(settings.seed)
    try:
        codec = NanoCodec(config)
    except ValueError as error:
        raise UserError(f"There is no such codec: {error}.") from error
    if start_from is not None:
        begin_codec_with(codec, start_from)
    pack = SoundPack(pack_folder, teacher)
    new_pitch = codec.pitch is not None and not _has_pitch(start_from or {})
    if codec.pitch is not None and new_pitch and not has_checkpoint(run_folder):
        fit_pitch(codec.pitch.codebook, pack.pitches(_FRAMES_OF_PITCH, settings.seed), seed=settings.seed)
    trainer = CodecTrainer(codec, pack, settings, device, new_pitch)
    if start_from is not None:
        trainer.books.go_on()
    run = Run(run_folder, settings.steps, minutes, save_every, trainer.state, trainer.restore, "codec")
    for step in run:
        run.log(trainer.step(step))
    return run.complete
