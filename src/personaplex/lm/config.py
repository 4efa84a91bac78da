"""The shape of a language model, under the field names of Kyutai's `config.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from personaplex.frames import Layout
from personaplex.nn.transformer import TransformerConfig

# Fields of Kyutai's configurations that change the network in ways not built here, with the only value accepted.
_UNSUPPORTED: dict[str, Any] = {
    "conditioners": {},
    "fuser": None,
    "cross_attention": False,
    "demux_second_stream": False,
    "demux_second_text_stream": False,
    "norm_emb": False,
    "bias_proj": False,
    "depformer_low_rank_embeddings": None,
    "depformer_norm": None,
    "extra_heads_num_heads": 0,
    "kv_repeat": 1,
    "quantize": False,
    "lora": False,
}


@dataclass(frozen=True)
class LMConfig:
    """Sizes of the temporal and the depth transformer. Defaults are Moshi's 7B (Moshi paper, table 1).

    Attributes:
        dim: width of the temporal transformer.
        num_layers: its blocks.
        num_heads: its attention heads.
        hidden_scale: its feed-forward width over `dim`.
        context: positions that it sees.
        max_period: longest rotary period.
        gating: feed-forward gating, "silu" or "none".
        norm: norm of both transformers.
        layer_scale: initial LayerScale or None.
        positional_embedding: "rope" or "none".
        n_q: audio codebooks on the input, the agent's and the user's together.
        dep_q: codebooks that the depth transformer predicts (8 for Moshi; 16 for PersonaPlex, the user's too).
        card: entries of a codebook.
        text_card: entries of the text vocabulary.
        existing_text_padding_id: text id of a frame without a word piece.
        existing_text_end_padding_id: text id of the frame before a word.
        delays: delay in frames of each stream.
        heard: whether there is a stream of the user's words, the last one; ours, absent from the released models.
        short_conv: reach of the short convolutions of the temporal transformer, in positions; 0 for none; ours too.
        recall: last word pieces of each text stream that are read at every frame again (see `lm.recall`); ours too.
        shared_words: whether the user's words are read by the embeddings of the agent's text too, so that what was
            heard looks like the same word in the role; ours too.
        pointer: width of the keys by which pieces of the role are found, to be copied (see `lm.pointer`); 0 for none;
            ours too.
        echo: last word pieces of the user's that the pointer also finds; 0 for none; ours too.
        lookup: whether the pointer also looks up what of the role the coming answer is about; ours too.
        voiceprint: columns at a prompt's beginning in which the voice sample is looked up at every frame (see
            `lm.voiceprint`); 0 for none; ours too.
        depformer_dim: width of the depth transformer.
        depformer_dim_feedforward: its nominal feed-forward width.
        depformer_num_heads: its attention heads.
        depformer_num_layers: its blocks.
        depformer_multi_linear: one input projection per weight set rather than one for all.
        depformer_weights_per_step_schedule: weight set of each depth step; None for a set per step.
    """

    dim: int = 4096
    num_layers: int = 32
    num_heads: int = 32
    hidden_scale: float = 4.125
    context: int = 3000
    max_period: float = 10_000.0
    gating: str = "silu"
    norm: str = "rms_norm_f32"
    layer_scale: float | None = None
    positional_embedding: str = "rope"
    n_q: int = 16
    dep_q: int = 8
    card: int = 2048
    text_card: int = 32_000
    existing_text_padding_id: int = 3
    existing_text_end_padding_id: int = 0
    delays: tuple[int, ...] = (0, *(0, 1, 1, 1, 1, 1, 1, 1) * 2)
    heard: bool = False
    short_conv: int = 0
    recall: int = 0
    shared_words: bool = False
    pointer: int = 0
    echo: int = 0
    lookup: bool = False
    voiceprint: int = 0
    depformer_dim: int = 1024
    depformer_dim_feedforward: int = 4224
    depformer_num_heads: int = 16
    depformer_num_layers: int = 6
    depformer_multi_linear: bool = True
    depformer_weights_per_step_schedule: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.n_q % 2:
            raise ValueError(f"n_q is {self.n_q}, but two speakers need an even number of codebooks")
        if self.dep_q not in (self.n_q // 2, self.n_q):
            raise ValueError(
                f"dep_q is {self.dep_q}; it must be the agent's {self.n_q // 2} or all {self.n_q} codebooks"
            )
        schedule = self.depformer_weights_per_step_schedule
        if schedule is not None and len(schedule) != self.dep_q:
            raise ValueError(f"depformer_weights_per_step_schedule has {len(schedule)} entries for {self.dep_q} steps")
        for name in ("short_conv", "recall", "pointer", "echo", "voiceprint"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0, for none, or more")
        if (self.lookup or self.echo) and not self.pointer:
            raise ValueError("lookup and echo need a pointer")
        if self.echo and not self.heard:
            raise ValueError("echo needs a stream of the user's words")
        if self.positional_embedding not in ("rope", "none"):
            raise ValueError(f"positional_embedding {self.positional_embedding!r} is not built; known: rope, none")
        _ = self.layout  # checks the delays

    @property
    def layout(self) -> Layout:
        """How this model's streams lie on the grid."""
        return Layout(
            codebooks=self.n_q // 2,
            card=self.card,
            text_card=self.text_card,
            delays=self.delays,
            text_pad=self.existing_text_padding_id,
            text_end_pad=self.existing_text_end_padding_id,
            heard=self.heard,
        )

    def with_heard(self) -> LMConfig:
        """This model with a stream of the user's words."""
        return self if self.heard else replace(self, heard=True, delays=(*self.delays, 0))

    @property
    def schedule(self) -> tuple[int, ...]:
        """Weight set of each depth step."""
        return self.depformer_weights_per_step_schedule or tuple(range(self.dep_q))

    @property
    def temporal(self) -> TransformerConfig:
        """Shape of the temporal transformer."""
        return TransformerConfig(
            dim=self.dim,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            dim_feedforward=int(self.hidden_scale * self.dim),
            context=self.context,
            rope=self.positional_embedding == "rope",
            max_period=self.max_period,
            gating=self.gating,
            norm=self.norm,
            layer_scale=self.layer_scale,
            short_conv=self.short_conv,
        )

    @property
    def depth(self) -> TransformerConfig:
        """Shape of the depth transformer: no positions, weights per step."""
        return TransformerConfig(
            dim=self.depformer_dim,
            num_layers=self.depformer_num_layers,
            num_heads=self.depformer_num_heads,
            dim_feedforward=self.depformer_dim_feedforward,
            rope=False,
            gating="silu",
            norm=self.norm,
            layer_scale=self.layer_scale,
            schedule=self.schedule,
        )

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> LMConfig:
        """Read Kyutai's fields out of a `config.json`; fields that are about something else are passed over.

        Raises:
            ValueError: when the configuration asks for a part that is not built here, or contradicts itself.
        """
        for name, accepted in _UNSUPPORTED.items():
            value = config.get(name, accepted)
            if value != accepted and value:
                raise ValueError(f"the model's configuration sets {name}={value!r}, which is not supported")
        if config.get("depformer_weights_per_step", True) is False:
            raise ValueError("depformer_weights_per_step=false is not supported")
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in config.items() if name in known
        }
        if values.get("depformer_dim_feedforward", 1) is None:
            del values["depformer_dim_feedforward"]
        if "depformer_dim_feedforward" not in values and "depformer_dim" in values:
            values["depformer_dim_feedforward"] = int(
                values.get("hidden_scale", cls.hidden_scale) * values["depformer_dim"]
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The fields of a `config.json`, with the constant ones that Kyutai's loader wants."""
        constant = {
            "causal": True,
            "depformer_weights_per_step": True,
            "depformer_pos_emb": "none",
            "depformer_gating": "silu",
            "depformer_layer_scale": self.layer_scale,
            "depformer_context": self.dep_q,
            "depformer_max_period": self.max_period,
        }
        values = asdict(self) | constant
        for name in ("heard", "short_conv", "recall", "shared_words", "pointer", "echo", "lookup", "voiceprint"):
            if not values[name]:
                del values[name]  # Kyutai's loader refuses fields that it does not know
        return values
