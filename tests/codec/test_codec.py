"""Every codec: streaming equals offline, rows are independent, and input of the wrong shape is refused."""

import pytest
import torch

from personaplex.codec.build import build_codec, codec_config
from personaplex.codec.mimi import MimiConfig
from personaplex.codec.quantize import SplitRVQ
from personaplex.frames import FRAME_SAMPLES

MIMI = {
    "type": "mimi", "codebooks": 4, "card": 32, "codebook_dim": 16, "dim": 32, "filters": 4,
    "num_layers": 2, "num_heads": 2, "dim_feedforward": 64, "context": 12, "layer_scale": 0.7,
}  # fmt: skip
NANO = {"type": "nano", "codebooks": 4, "card": 32, "codebook_dim": 16, "dim": 32, "fast_dim": 16}


PITCHED = {**NANO, "pitch": True, "pitch_dim": 16, "pitch_layers": 1}

NEAR = {"atol": 5e-6, "rtol": 1e-5}  # of sound in -1..1


@pytest.fixture(params=[MIMI, NANO, PITCHED], ids=["mimi", "nano", "pitched"])
def codec(request):
    torch.manual_seed(0)
    return build_codec(request.param).eval()


def sound(batch, frames, seed=1):
    return 0.3 * torch.randn(batch, 1, frames * FRAME_SAMPLES, generator=torch.Generator().manual_seed(seed))


def random_codes(codec, batch, frames, seed=2):
    shape = (batch, codec.codebooks, frames)
    return torch.randint(codec.card, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sizes", [[1] * 20, [3, 1, 7, 9], [20], [5, 5, 5, 5]])
@torch.no_grad()
def test_streaming_equals_offline_whatever_the_blocks(codec, sizes):
    """Twenty frames are three times the window of the Mimi above."""
    pcm, codes = sound(2, 20), random_codes(codec, 2, 20)
    encoder, decoder = (init(2, max_frames=max(sizes)) for init in (codec.init_encoder_state, codec.init_decoder_state))
    parts = pcm.split([size * FRAME_SAMPLES for size in sizes], dim=-1)
    assert torch.equal(torch.cat([codec.encode(part, encoder) for part in parts], dim=-1), codec.encode(pcm))
    heard = torch.cat([codec.decode(part, decoder) for part in codes.split(sizes, dim=-1)], dim=-1)
    torch.testing.assert_close(heard, codec.decode(codes), **NEAR)


@torch.no_grad()
def test_a_skipped_row_goes_on_as_if_nothing_had_come(codec):
    pcm, codes = sound(2, 16), random_codes(codec, 2, 16)
    encoder, decoder = codec.init_encoder_state(2), codec.init_decoder_state(2)
    generator = torch.Generator().manual_seed(5)
    position, got_codes, got_sound = [0, 0], [[], []], [[], []]
    while min(position) < 16:
        active = torch.tensor([p < 16 and bool(torch.rand(1, generator=generator) < 0.6) for p in position])
        encoder.set_active(active)
        decoder.set_active(active)
        at = [min(p, 15) for p in position]
        part = torch.stack([pcm[row, :, at[row] * FRAME_SAMPLES : (at[row] + 1) * FRAME_SAMPLES] for row in (0, 1)])
        new_codes = codec.encode(part, encoder)
        new_sound = codec.decode(torch.stack([codes[row, :, at[row], None] for row in (0, 1)]), decoder)
        for row in active.nonzero()[:, 0].tolist():
            got_codes[row].append(new_codes[row])
            got_sound[row].append(new_sound[row])
            position[row] += 1
    expected = codec.decode(codes)
    for row in (0, 1):
        assert torch.equal(torch.cat(got_codes[row], dim=-1), codec.encode(pcm)[row])
        torch.testing.assert_close(torch.cat(got_sound[row], dim=-1), expected[row], **NEAR)


@torch.no_grad()
def test_a_reset_row_begins_anew_and_the_others_go_on(codec):
    pcm, codes = sound(2, 16), random_codes(codec, 2, 16)
    encoder, decoder = codec.init_encoder_state(2, max_frames=8), codec.init_decoder_state(2, max_frames=8)
    half = 8 * FRAME_SAMPLES
    codec.encode(pcm[..., :half], encoder)
    codec.decode(codes[..., :8], decoder)
    encoder.reset(torch.tensor([1]))
    decoder.reset(torch.tensor([1]))
    later_codes, later_sound = codec.encode(pcm[..., half:], encoder), codec.decode(codes[..., 8:], decoder)
    assert torch.equal(later_codes[0], codec.encode(pcm)[0, :, 8:])
    assert torch.equal(later_codes[1], codec.encode(pcm[..., half:])[1])
    torch.testing.assert_close(later_sound[0], codec.decode(codes)[0, :, half:], **NEAR)
    torch.testing.assert_close(later_sound[1], codec.decode(codes[..., 8:])[1], **NEAR)


@torch.no_grad()
def test_a_frame_depends_on_no_later_sound(codec):
    pcm, codes = sound(1, 10), random_codes(codec, 1, 10)
    other_pcm, other_codes = pcm.clone(), codes.clone()
    other_pcm[..., 6 * FRAME_SAMPLES :] = 0
    other_codes[..., 6:] = 0
    assert torch.equal(codec.encode(pcm)[..., :6], codec.encode(other_pcm)[..., :6])
    same = 6 * FRAME_SAMPLES
    torch.testing.assert_close(
        codec.decode(codes)[..., :same], codec.decode(other_codes)[..., :same], atol=1e-6, rtol=0
    )


def test_sound_of_the_wrong_shape_is_refused(codec):
    for shape in [(1, 1, 100), (1, 2, FRAME_SAMPLES), (1, FRAME_SAMPLES), (1, 1, 0)]:
        with pytest.raises(ValueError, match="sound must be"):
            codec.encode(torch.zeros(shape))


def test_a_codec_is_rebuilt_from_its_configuration(codec):
    again = build_codec(codec_config(codec))
    assert codec_config(again) == codec_config(codec)
    again.load_state_dict(codec.state_dict())


def test_an_impossible_codec_is_refused():
    with pytest.raises(ValueError, match="unknown codec type 'opus'"):
        build_codec({"type": "opus"})
    with pytest.raises(ValueError, match="do not divide"):
        MimiConfig(ratios=(7, 6, 5))
    with pytest.raises(ValueError, match="one is semantic"):
        MimiConfig(codebooks=1)
    with pytest.raises(ValueError, match="a codec with pitch has"):
        build_codec({**PITCHED, "encoder_hop": 240})


def test_mimi_codes_of_the_wrong_count_are_refused():
    with pytest.raises(ValueError, match="codes must be"):
        build_codec(MIMI).decode(torch.zeros(1, 5, 3, dtype=torch.long))


def test_each_acoustic_codebook_codes_what_is_left_over():
    torch.manual_seed(0)
    quantizer = SplitRVQ(dim=8, codebook_dim=8, card=64, semantic=1, acoustic=4)
    identity = torch.eye(8)[..., None]
    for rvq in (quantizer.rvq_first, quantizer.rvq_rest):
        rvq.input_proj.weight.data = rvq.output_proj.weight.data = identity
    x = torch.randn(3, 8, 20)
    codes = quantizer.encode(x)
    assert codes.shape == (3, 5, 20) and codes.dtype == torch.long
    residual = x.transpose(1, 2)
    for index, codebook in enumerate(quantizer.rvq_rest.codebooks):
        nearest = torch.cdist(residual, codebook.entries[None].expand(3, -1, -1)).argmin(dim=-1)
        assert torch.equal(codes[:, 1 + index], nearest)
        residual = residual - codebook.entries[nearest]
    acoustic = quantizer.rvq_rest.decode(codes[:, 1:])
    torch.testing.assert_close(acoustic.transpose(1, 2), x.transpose(1, 2) - residual, atol=1e-5, rtol=0)
