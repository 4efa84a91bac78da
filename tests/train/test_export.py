"""A model directory made of training runs."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from safetensors import safe_open

from personaplex.checkpoints import load_model
from personaplex.codec.nano import NanoCodec
from personaplex.errors import UserError
from personaplex.lm.sampling import Sampling
from personaplex.train.__main__ import PRESETS, main
from personaplex.train.export import read_codec, read_lm
from personaplex.train.run import load_checkpoint
from tests.helpers import tiny_tokenizer


@pytest.fixture
def export(tmp_path, codec, corpus, lm_run):
    """Runs the command on the runs of this room, with more options."""
    (tmp_path / "codec").mkdir()
    (tmp_path / "codec/config.json").write_text(json.dumps(asdict(codec.config)))
    torch.save({"step": 0, "codec": codec.state_dict()}, tmp_path / "codec/checkpoint.pt")
    parts = {"codec": tmp_path / "codec", "lm": lm_run, "tokenizer": tiny_tokenizer(), "corpus": corpus}
    given = [word for name, path in parts.items() for word in (f"--{name}", str(path))]

    def run(*options):
        main(["export", *given, "--out", str(tmp_path / "model"), *options])
        return load_model(tmp_path / "model")

    return run


def test_the_model_keeps_the_steady_frames_that_it_was_trained_with(export, lm_run, codes):
    index = json.loads((codes / "index.json").read_text())
    begun = json.loads((lm_run / "config.json").read_text())["personaplex"]
    model = export()
    assert model.silence.tolist() == index["silence"] == begun["silence"]
    assert model.sine.tolist() == index["sine"] and (model.text_lead, model.heard_lag) == (2, 2)
    assert model.sampling == Sampling() and "sampling" not in model.meta["personaplex"]
    assert model.quiet and not export("--no-quiet").quiet


def test_the_voice_sample_may_be_told_more_strongly(export, codes, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", PRESETS["tiny"] | {"card": 32})
    run = tmp_path / "run"
    options = "--preset tiny --voiceprint 6 --batch 1 --steps 2 --length 96 --voice-frames 6 --no-bf16"
    main(["lm", "--run", str(run), "--codes", str(codes), "--tokenizer", str(tiny_tokenizer()), *options.split()])
    usual, strong = (export("--lm", str(run), "--no-int8", *more).lm.state_dict() for more in ([], ["--voice", "1.5"]))
    told = "voiceprint.told.weight"
    assert usual[told].any()
    torch.testing.assert_close(strong[told], 1.5 * usual[told], rtol=1e-2, atol=1e-8)  # in 16 bits
    assert all(torch.equal(strong[name], usual[name]) for name in usual if name != told)


def test_the_mean_of_a_run_and_of_the_model_made_of_another(export, lm_run, tmp_path):
    run = read_lm(lm_run).state_dict()
    stored = export("--no-int8").lm.state_dict()  # rounded to 16 bits
    checkpoint = load_checkpoint(lm_run)
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "config.json").write_text((lm_run / "config.json").read_text())
    torch.save(checkpoint | {"average": {name: 3 * tensor for name, tensor in run.items()}}, moved / "checkpoint.pt")
    mean = read_lm(moved, str(tmp_path / "model")).state_dict()
    for name, tensor in mean.items():
        torch.testing.assert_close(tensor, (3 * run[name] + stored[name]) / 2, msg=name)
    with pytest.raises(UserError, match="different shapes"):
        read_lm(lm_run, "nano")


def test_the_models_own_sampling_is_what_was_given(export):
    model = export("--temp-text", "0.3", "--topk-audio", "0")
    assert model.sampling == Sampling(temp_text=0.3, topk_audio=0)
    with pytest.raises(UserError, match="cannot choose its tokens so: a temperature must be above 0"):
        export("--temp-audio", "0")


def test_the_directory_holds_the_codec_that_a_corpus_is_encoded_with_and_its_decoder_in_8_bits(export, tmp_path, codec):
    stored = export().codec
    for name, tensor in read_codec(tmp_path / "codec").state_dict().items():
        assert torch.allclose(stored.state_dict()[name], tensor, rtol=1e-6, atol=0), name
    for name, tensor in read_codec(tmp_path / "model").state_dict().items():  # the directory is as good as the run
        assert torch.allclose(stored.state_dict()[name], tensor, rtol=1e-6, atol=0), name
    codes = torch.randint(codec.card, (1, codec.codebooks, 20), generator=torch.Generator().manual_seed(0))
    before, after = codec.decode(codes), stored.decode(codes)
    assert 0 < (after - before).square().mean() < 1e-3 * before.square().mean()
    with safe_open(tmp_path / "model/codec.safetensors", framework="pt") as file:
        eight = {name for name in file.keys() if file.get_tensor(name).dtype == torch.int8}  # noqa: SIM118
    assert eight and all(name.startswith("decoder.") for name in eight)


def test_a_codec_with_pitch_is_stored_with_its_reader_and_its_codebook(export, tmp_path, codec):
    torch.manual_seed(0)
    pitched = NanoCodec(replace(codec.config, pitch=True))
    (tmp_path / "codec/config.json").write_text(json.dumps(asdict(pitched.config)))
    torch.save({"step": 0, "codec": pitched.state_dict()}, tmp_path / "codec/checkpoint.pt")
    stored, run = export().codec, read_codec(tmp_path / "codec")
    assert stored.config == pitched.config
    pcm = 0.1 * torch.randn(1, 1, 10 * 1920)
    codes = run.encode(pcm)
    assert torch.equal(stored.encode(pcm), codes)
    torch.testing.assert_close(stored.decode(codes), run.decode(codes), atol=1e-5, rtol=1e-4)
