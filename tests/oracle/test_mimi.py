"""Our Mimi against PyPI moshi's and transformers', on the same random weights."""

import os

os.environ["NO_TORCH_COMPILE"] = os.environ["NO_CUDA_GRAPH"] = "1"

import pytest
import torch

from personaplex.checkpoints.layouts import codec_recipes
from personaplex.codec.mimi import Mimi, MimiConfig
from personaplex.frames import FRAME_SAMPLES

pytestmark = pytest.mark.oracle

SMALL = MimiConfig(
    codebooks=8, card=128, codebook_dim=32, dim=64, filters=8, num_layers=2, num_heads=4, dim_feedforward=128
)  # fmt: skip
SIZES = {
    "small": SMALL,
    "wide": MimiConfig(
        codebooks=4, card=64, codebook_dim=48, dim=96, filters=12, ratios=(8, 5, 4, 3), residual_layers=2, kernel=5,
        dilation_base=3, num_layers=1, num_heads=6, dim_feedforward=160, context=30, max_period=5000.0,
    ),
    "more codebooks": MimiConfig(
        codebooks=16, card=32, codebook_dim=16, dim=32, filters=4, num_layers=3, num_heads=2, dim_feedforward=64,
        context=11,
    ),
    "released": MimiConfig(),
}  # fmt: skip


def build_oracle(config: MimiConfig, seed: int):
    """Moshi's Mimi of that size with 32 codebooks, random where its own initialisation would hide errors."""
    from moshi.models import loaders

    torch.manual_seed(seed)
    seanet = dict(
        loaders._seanet_kwargs, dimension=config.dim, n_filters=config.filters, ratios=list(config.ratios),
        n_residual_layers=config.residual_layers, kernel_size=config.kernel, last_kernel_size=config.last_kernel,
        residual_kernel_size=config.residual_kernel, dilation_base=config.dilation_base, compress=config.compress,
    )  # fmt: skip
    transformer = dict(
        loaders._transformer_kwargs, d_model=config.dim, num_heads=config.num_heads, num_layers=config.num_layers,
        context=config.context, max_period=config.max_period, dim_feedforward=config.dim_feedforward,
        input_dimension=config.dim, output_dimensions=[config.dim],
    )  # fmt: skip
    quantizer = dict(
        dimension=config.codebook_dim, n_q=32, bins=config.card, input_dimension=config.dim, output_dimension=config.dim
    )
    sizes = dict(loaders._mimi_config, seanet=seanet, transformer=transformer, quantizer=quantizer)
    oracle = loaders.get_mimi(None, sizes, num_codebooks=config.codebooks)
    with torch.no_grad():
        for name, tensor in oracle.state_dict().items():
            if name.endswith("embedding_sum"):
                tensor.normal_(std=0.3)
            elif name.endswith("cluster_usage"):
                tensor.uniform_(0.5, 2.0)
            elif name.endswith("_initialized"):
                tensor.fill_(1)
            elif ".layer_scale_" in name:
                tensor.uniform_(0.5, 1.0)
            elif ".norm" in name:
                tensor.add_(0.1 * torch.randn_like(tensor))
    return oracle


def build_pair(config: MimiConfig, seed: int = 0):
    """The oracle, and ours with its weights."""
    oracle = build_oracle(config, seed)
    ours = Mimi(config).eval()
    stored = oracle.state_dict()
    recipes = codec_recipes(stored, ours.state_dict())
    ours.load_state_dict(
        {name: recipe.combine([stored[s] for s in recipe.sources]) for name, recipe in recipes.items()}
    )
    return oracle, ours


def sound(batch: int, frames: int, seed: int = 1) -> torch.Tensor:
    """Noise that swells and fades, so that frames differ."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(batch, 1, frames * FRAME_SAMPLES, generator=generator)
    swell = torch.sin(torch.arange(frames * FRAME_SAMPLES) / 7000).abs()
    return 0.3 * noise * swell


def random_codes(config: MimiConfig, batch: int, frames: int, seed: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(config.card, (batch, config.codebooks, frames), generator=generator)


def blocks(x: torch.Tensor, size: int) -> list[torch.Tensor]:
    return list(x.split(size, dim=-1))


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_offline_equals_moshi(size):
    config = SIZES[size]
    oracle, ours = build_pair(config)
    pcm = sound(1, 12 if size == "released" else 40)
    assert torch.equal(ours.encode(pcm), oracle.encode(pcm))
    codes = random_codes(config, 1, pcm.shape[-1] // FRAME_SAMPLES)
    torch.testing.assert_close(ours.decode(codes), oracle.decode(codes), atol=1e-5, rtol=0)


@torch.no_grad()
def test_offline_equals_moshi_beyond_the_window():
    oracle, ours = build_pair(SMALL, seed=3)
    pcm, codes = sound(2, 150), random_codes(SMALL, 2, 150)
    assert torch.equal(ours.encode(pcm), oracle.encode(pcm))
    torch.testing.assert_close(ours.decode(codes), oracle.decode(codes), atol=1e-5, rtol=0)


@torch.no_grad()
def test_streaming_equals_moshi_until_the_window_fills_and_nearly_after():
    oracle, ours = build_pair(SMALL, seed=4)
    frames, full = 160, 124  # moshi's 250 slots take two positions at once from then on, so it sees one too few
    pcm, codes = sound(2, frames), random_codes(SMALL, 2, frames)
    encoder, decoder = ours.init_encoder_state(2), ours.init_decoder_state(2)
    with oracle.streaming(2):
        their_codes = torch.cat([oracle.encode(part) for part in blocks(pcm, FRAME_SAMPLES)], dim=-1)
    with oracle.streaming(2):
        their_sound = torch.cat([oracle.decode(part) for part in blocks(codes, 1)], dim=-1)
    our_codes = torch.cat([ours.encode(part, encoder) for part in blocks(pcm, FRAME_SAMPLES)], dim=-1)
    our_sound = torch.cat([ours.decode(part, decoder) for part in blocks(codes, 1)], dim=-1)
    assert torch.equal(our_codes[..., :full], their_codes[..., :full])
    difference = (our_sound - their_sound).abs()
    assert difference[..., : full * FRAME_SAMPLES].max() < 1e-5
    assert difference.max() < 1e-4
    assert (our_codes == their_codes).float().mean() > 0.999


@torch.no_grad()
def test_masked_and_reset_rows_equal_moshi():
    oracle, ours = build_pair(SMALL, seed=5)
    pcm, codes = sound(3, 24), random_codes(SMALL, 3, 24)
    encoder, decoder = ours.init_encoder_state(3), ours.init_decoder_state(3)
    generator = torch.Generator().manual_seed(6)
    with oracle.streaming(3):
        for frame, (part, code) in enumerate(zip(blocks(pcm, FRAME_SAMPLES), blocks(codes, 1), strict=True)):
            active = torch.rand(3, generator=generator) < 0.7
            if frame in (9, 15):  # before the mask: moshi's reset makes a row active
                fresh = torch.tensor([frame == 9, True, False])
                oracle.reset_streaming(fresh)
                encoder.reset(fresh.nonzero()[:, 0])
                decoder.reset(fresh.nonzero()[:, 0])
            oracle.set_exec_mask(active)
            encoder.set_active(active)
            decoder.set_active(active)
            assert torch.equal(ours.encode(part, encoder)[active], oracle.encode(part)[active])
            torch.testing.assert_close(
                ours.decode(code, decoder)[active], oracle.decode(code)[active], atol=1e-5, rtol=0
            )


def to_transformers(ours: Mimi) -> dict[str, torch.Tensor]:
    """Our weights under transformers' names; its rotary pairs are half a head apart, ours adjacent."""
    config = ours.config

    def halves(weight: torch.Tensor) -> torch.Tensor:
        return weight.unflatten(0, (config.num_heads, -1, 2)).transpose(1, 2).flatten(0, 2)

    out: dict[str, torch.Tensor] = {}
    renamed = {
        "out_proj": "o_proj", "norm1": "input_layernorm", "norm2": "post_attention_layernorm", "linear1": "mlp.fc1",
        "linear2": "mlp.fc2", "layer_scale_1": "self_attn_layer_scale", "layer_scale_2": "mlp_layer_scale",
    }  # fmt: skip
    for name, tensor in ours.state_dict().items():
        if name.endswith("in_proj_weight"):
            query, key, value = tensor.chunk(3)
            stem = name.removesuffix("in_proj_weight")
            out |= {
                stem + "q_proj.weight": halves(query),
                stem + "k_proj.weight": halves(key),
                stem + "v_proj.weight": value,
            }
        elif "_transformer." in name:
            for old, new in renamed.items():
                name = name.replace(old, new)
            out[name] = tensor
        elif name.endswith(".entries"):
            stem = name.replace("codebooks.", "layers.").removesuffix("entries") + "codebook."
            stem = stem.replace("rvq_first", "semantic_residual_vector_quantizer")
            stem = stem.replace("rvq_rest", "acoustic_residual_vector_quantizer")
            out[stem + "embed_sum"] = tensor
            out[stem + "cluster_usage"] = torch.ones(len(tensor))
            out[stem + "initialized"] = torch.ones(1)
        elif "quantizer" in name:
            name = name.replace("rvq_first", "semantic_residual_vector_quantizer")
            out[name.replace("rvq_rest", "acoustic_residual_vector_quantizer")] = tensor
        else:
            stem, kind = name.replace(".model.", ".layers.").rsplit(".", 1)
            out[f"{stem}.conv.{kind}"] = tensor
    return {nested(name): tensor for name, tensor in out.items()}


def nested(name: str) -> str:
    """Transformers' modules lie inside `encoder` and `decoder`."""
    if name.startswith(("encoder.layers", "decoder.layers")):
        side, rest = name.split(".", 1)
        return f"{side}.{side}_seanet.{rest}"
    if name.startswith(("encoder_transformer", "downsample")):
        return f"encoder.{name}"
    if name.startswith(("decoder_transformer", "upsample")):
        return f"decoder.{name}"
    return name


@torch.no_grad()
def test_offline_equals_transformers():
    import transformers

    _, ours = build_pair(SMALL, seed=7)
    theirs = transformers.MimiModel(
        transformers.MimiConfig(
            hidden_size=SMALL.dim,
            num_filters=SMALL.filters,
            codebook_size=SMALL.card,
            codebook_dim=SMALL.codebook_dim,
            vector_quantization_hidden_dimension=SMALL.codebook_dim,
            num_quantizers=SMALL.codebooks,
            num_hidden_layers=SMALL.num_layers,
            num_attention_heads=SMALL.num_heads,
            num_key_value_heads=SMALL.num_heads,
            head_dim=SMALL.dim // SMALL.num_heads,
            intermediate_size=SMALL.dim_feedforward,
            sliding_window=SMALL.context,
            upsample_groups=SMALL.dim,
        )  # fmt: skip
    ).eval()
    theirs.load_state_dict(to_transformers(ours))
    pcm, codes = sound(1, 60), random_codes(SMALL, 1, 60)
    assert torch.equal(ours.encode(pcm), theirs.encode(pcm).audio_codes)
    torch.testing.assert_close(ours.decode(codes), theirs.decode(codes).audio_values, atol=1e-5, rtol=0)
