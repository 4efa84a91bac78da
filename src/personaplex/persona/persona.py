"""A persona, a role and a voice, and the prompt that makes a model play it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from personaplex.errors import UserError
from personaplex.frames import FRAME_SECONDS
from personaplex.persona.prompt import Prompt, prompt_frames, prompt_of_embeddings, prompt_of_frames
from personaplex.persona.role import clean_role, wrap_role
from personaplex.persona.voices import Voice, VoicedModel

DEFAULT_ROLE = "You are a wise and friendly teacher. Answer questions or provide advice in a clear and engaging way."
DEFAULT_VOICE = "NATF2"
MIN_ROOM = (
    125  # frames of a conversation (10 s) that must fit into the context beside the prompt, where it is large enough
)


class TextEncoder(Protocol):
    """A tokenizer."""

    def encode(self, text: str) -> list[int]:
        """Text to ids."""


class PromptedModel(VoicedModel, Protocol):
    """What must be known of a model to prompt it."""

    @property
    def tokenizer(self) -> TextEncoder:
        """Its tokenizer."""

    @property
    def spoken_roles(self) -> bool:
        """Whether it reads the figures of a role in words."""

    @property
    def silence(self) -> torch.Tensor:
        """Codes of a silent frame, int64 `[K]`."""

    @property
    def sine(self) -> torch.Tensor:
        """Codes of a 440 Hz frame, int64 `[K]`."""


@dataclass(frozen=True)
class Persona:
    """Who the agent is.

    Attributes:
        role: plain text. Tags and control characters in it are dropped (`persona.role`); an empty one leaves the role's
            segment of the prompt empty.
        voice: how it sounds; None leaves the voice's segment empty.
    """

    role: str = ""
    voice: Voice | None = None


def build_prompt(persona: Persona | None, model: PromptedModel) -> Prompt:
    """The columns that a model reads before it plays a persona: voice, silence, role, silence, with a sine as the user.

    Args:
        persona: who to play; None for no prompt at all, only the initial column (a model without personas).
        model: the model that will.

    Raises:
        UserError: when the prompt leaves no room in the model's context, by how many tokens.
    """
    layout = model.lm.layout
    if persona is None:
        return prompt_of_frames(torch.zeros(layout.streams, 0, dtype=torch.long), layout)
    role = model.tokenizer.encode(wrap_role(persona.role, model.spoken_roles)) if clean_role(persona.role) else []
    silence, sine, voice = model.silence.cpu(), model.sine.cpu(), persona.voice
    if voice is None or voice.codes is None:
        nothing = silence[:, None]  # prompt_frames leaves out the first frame of a voice
        frames = prompt_frames(nothing, role, layout, silence, sine)
    else:
        frames = prompt_frames(voice.codes.cpu(), role, layout, silence, sine)
    if voice is not None and voice.embeddings is not None and voice.cache is not None:
        prompt = prompt_of_embeddings(voice.embeddings, voice.cache, frames, layout)
    else:
        prompt = prompt_of_frames(frames, layout)
    _check_room(prompt.length(layout), len(role), model.lm.config.context)
    return prompt


def _check_room(length: int, role: int, context: int) -> None:
    room = min(MIN_ROOM, context // 4)
    excess = length + room - context
    if excess <= 0:
        return
    if excess <= role:
        raise UserError(
            f"The role is {excess} tokens too long: with its voice it fills {length} of the model's {context} frames, "
            f"and {room} must stay free for the conversation; shorten it."
        )
    raise UserError(
        f"The voice sample and the role are {excess} frames ({excess * FRAME_SECONDS:.1f} s) too long for the model's "
        f"context of {context} frames; use a shorter sample."
    )
