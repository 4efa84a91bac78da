"""The codec's second stage against a discriminator, its teachers, and what is measured of its copies."""

import copy
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from personaplex.codec.nano import NanoCodec, NanoCodecConfig
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.speech.flite import Flite
from personaplex.speech.tts import Speaker
from personaplex.train.__main__ import main
from personaplex.train.codec import Adversary, CodecTrainer, CodecTraining, begin_codec_with, grown, train_codec
from personaplex.train.discriminator import Discriminator
from personaplex.train.listen import copied, listen, table
from personaplex.train.run import load_checkpoint
from personaplex.train.sound import SoundPack, pack_sound
from tests.helpers import TINY_CODEC

CONFIG = replace(TINY_CODEC, codebooks=8)
FIRST = CodecTraining(steps=4, batch=2, frames=4, bf16=False, warmup=2)
SECOND = replace(FIRST, adversarial=1.0, feature_matching=1.0)


@pytest.fixture(scope="module")
def sound(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    pack_sound(corpus, folder)
    return folder


@pytest.mark.parametrize("changes", [{}, {"adversarial": 1.0, "feature_matching": 1.0}])
def test_a_frozen_encoder_leaves_codes_as_they_are_bit_for_bit(sound, codec, changes):
    codec = copy.deepcopy(codec)
    pcm, *_ = SoundPack(sound).batch(0, 0, 2, 4)
    began = {name: value.clone() for name, value in codec.state_dict().items()}
    codes = codec.encode(pcm[:, None])
    trainer = CodecTrainer(codec, SoundPack(sound), replace(FIRST, freeze_encoder=True, **changes))
    for step in range(3):
        trainer.step(step)
    same = {name for name, value in codec.state_dict().items() if torch.equal(value, began[name])}
    assert {name for name in began if not name.startswith("decoder.")} <= same
    assert "decoder.out.weight" not in same
    assert torch.equal(codec.encode(pcm[:, None]), codes)


def test_the_discriminator_learns_to_tell_copies_and_leads_them_towards_originals():
    torch.manual_seed(0)
    adversary = Adversary(replace(SECOND, steps=100, discriminator_rate=2e-3))
    original = torch.sin(torch.arange(2, 5)[:, None] * torch.arange(2500) / 20) / 4
    copy = original + 0.1 * torch.randn_like(original)
    told = [adversary.step(step, copy, original, torch.tensor(1.0))[1]["discriminator"].item() for step in range(25)]
    assert told[0] == pytest.approx(2.0, abs=0.3)  # it cannot tell yet
    assert told[-1] < 1.0
    towards, terms = adversary.step(25, copy, original, torch.tensor(0.1))
    _, better = adversary.step(26, copy - towards, original, torch.tensor(0.1))
    assert better["adversarial"] < terms["adversarial"]
    assert better["feature_matching"] < terms["feature_matching"]


def test_second_stage_weighs_gradients_by_the_size_of_the_spectral_ones(sound, codec):
    trainer = CodecTrainer(
        copy.deepcopy(codec), SoundPack(sound), replace(SECOND, feature_matching=0.0, adversarial=0.5)
    )
    pcm, *_ = trainer.pack.batch(0, 0, 2, 4)
    more, _ = trainer.adversary.step(0, pcm.flip(0), pcm, torch.tensor(3.0))
    assert float(more.norm()) == pytest.approx(1.5, rel=1e-4)


def test_second_stage_resumed_equals_an_uninterrupted_one(tmp_path, sound, codec):
    start = codec.state_dict()

    def train(folder, settings=SECOND):
        train_codec(sound, folder, CONFIG, settings, start_from=start)
        return load_checkpoint(folder)

    whole = train(tmp_path / "whole")
    real, left = CodecTrainer.step, [2]

    def step(self, number):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(self, number)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(CodecTrainer, "step", step)
        train(tmp_path / "pieces")
    pieces = train(tmp_path / "pieces")
    assert pieces["step"] == whole["step"] == 4
    for name, value in whole["codec"].items():
        assert torch.equal(value, pieces["codec"][name]), name
    for name, value in whole["adversary"]["discriminator"].items():
        assert torch.equal(value, pieces["adversary"]["discriminator"][name]), name
    with pytest.raises(UserError, match="discriminator True, not False"):
        train(tmp_path / "whole", FIRST)


def test_the_second_stage_takes_the_sizes_of_the_run_it_starts_from(tmp_path, sound, codec):
    names = ("card", "codebook_dim", "dim", "fast_dim", "encoder_layers", "latent_layers", "expansion")
    sizes = [part for name in names for part in (f"--{name.replace('_', '-')}", str(getattr(CONFIG, name)))]
    few = ["--sound", str(sound), "--steps", "1", "--batch", "1", "--frames", "4"]
    main(["codec", "--run", str(tmp_path / "one"), *few, *sizes])
    again = ["codec", "--start-from", str(tmp_path / "one"), *few, "--adversarial", "1", "--freeze-encoder"]
    main([*again, "--run", str(tmp_path / "two")])
    one, two = json.loads((tmp_path / "one/config.json").read_text()), load_checkpoint(tmp_path / "two")["codec"]
    assert json.loads((tmp_path / "two/config.json").read_text()) == one and one["dim"] == CONFIG.dim
    assert torch.equal(two["encoder.inp.weight"], load_checkpoint(tmp_path / "one")["codec"]["encoder.inp.weight"])
    with pytest.raises(UserError, match="keeps the widths"):
        main([*again, "--run", str(tmp_path / "three"), "--dim", "8"])


def test_a_codec_goes_on_from_another_deeper_and_with_its_codebooks(tmp_path, sound, codec):
    deeper = replace(CONFIG, encoder_layers=CONFIG.encoder_layers + 1, latent_layers=CONFIG.latent_layers + 1)
    assert grown(replace(NanoCodecConfig(), encoder_layers=9), CONFIG) == replace(CONFIG, encoder_layers=9)
    assert grown(NanoCodecConfig(), replace(CONFIG, encoder_layers=9)) == replace(CONFIG, encoder_layers=9)
    assert grown(CONFIG, NanoCodecConfig()) is None
    grew = NanoCodec(deeper)
    begin_codec_with(grew, codec.state_dict())
    pcm = torch.randn(1, 1, 8 * 1920, generator=torch.Generator().manual_seed(0)) * 0.1
    assert torch.equal(grew.encode(pcm), codec.encode(pcm))
    still = replace(FIRST, steps=1, rate=0.0, whole=1.0)
    train_codec(sound, tmp_path, deeper, still, start_from=codec.state_dict())
    learnt = load_checkpoint(tmp_path)["codec"]
    book = "quantizer.rvq_first.codebooks.0.entries"
    assert (learnt[book] - codec.state_dict()[book]).abs().mean() < 0.5 * codec.state_dict()[book].abs().mean()


def test_a_codec_is_given_a_codebook_of_pitch(tmp_path, corpus, sound, codec):
    """Its other codes stay what they were, and all of them where a codec with pitch goes on under a frozen encoder."""
    pitched = grown(NanoCodecConfig(pitch=True), CONFIG)
    assert pitched == replace(CONFIG, pitch=True) and grown(NanoCodecConfig(), pitched) == pitched
    settings, start = replace(FIRST, freeze_encoder=True, frames=8), codec.state_dict()
    with pytest.raises(UserError, match="train sound --pitch"):
        train_codec(sound, tmp_path / "none", pitched, settings, start_from=start)
    with pytest.raises(UserError, match="No voice was found"):  # in noise
        pack_sound(corpus, tmp_path / "noise", pitch=True)
        train_codec(tmp_path / "noise", tmp_path / "none", pitched, settings, start_from=start)
    _dialogues(tmp_path)
    pack_sound(tmp_path, tmp_path / "sound", pitch=True)
    pcm, _, hertz = SoundPack(tmp_path / "sound").batch(0, 0, 4, 8)
    assert hertz.shape == (4, 32) and 0 < float((hertz > 0).float().mean()) < 1
    with pytest.raises(UserError, match="There is no such codec: a codec with pitch has"):
        train_codec(tmp_path / "sound", tmp_path / "none", replace(pitched, encoder_hop=240), settings)
    for run in ("one", "two"):
        train_codec(tmp_path / "sound", tmp_path / run, pitched, settings, start_from=start)
        start = load_checkpoint(tmp_path / run)["codec"]
    codes = []
    for run in ("one", "two"):
        learnt = NanoCodec(pitched).eval()
        learnt.load_state_dict(load_checkpoint(tmp_path / run)["codec"])
        codes.append(learnt.encode(pcm[:, None]))
    assert torch.equal(codes[0][:, :7], codec.encode(pcm[:, None])[:, :7])
    assert torch.equal(codes[0], codes[1])
    before, after = (load_checkpoint(tmp_path / run)["codec"] for run in ("one", "two"))
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert "decoder.pitch.weight" in moved and all(name.startswith("decoder.") for name in moved)


def test_phones_are_read_from_all_codebooks_where_wished(sound, codec):
    trainer = CodecTrainer(copy.deepcopy(codec), SoundPack(sound), replace(FIRST, whole=1.0))
    terms = trainer.step(0)
    assert terms["loss"] == pytest.approx(
        terms["mel"] + 0.5 * terms["magnitude"] + 0.25 * terms["commitment"]
        + FIRST.phone * (terms["phone"] + terms["whole_phone"]), rel=1e-3,
    )  # fmt: skip
    assert trainer.whole.linear.weight.grad.abs().sum() > 0


@pytest.fixture(scope="module", params=["WavLM", "Hubert"])
def teacher(request, tmp_path_factory):
    """A random speech encoder of the published kind, in a folder; its 20 ms frames and 400-sample field are theirs."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp(request.param)
    config = getattr(transformers, f"{request.param}Config")(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8,) * 7,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    torch.manual_seed(0)
    getattr(transformers, f"{request.param}Model")(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


def test_codebook_0_learns_what_a_teacher_hears(corpus, teacher, tmp_path):
    from personaplex.train.teacher import Teacher

    main(["sound", "--corpus", str(corpus), "--out", str(tmp_path), "--teacher", str(teacher)])
    pack = SoundPack(tmp_path, str(teacher))
    pcm, features, _ = pack.batch(0, 0, 2, 8)
    assert features.shape == (2, 8, 16) and features.dtype == torch.float32
    # What lies beside the sound is what the teacher says of it: 40 frames a dialogue, user's channel too.
    whole = (soundfile.read(corpus / "audio/1.flac", dtype="int16")[0])[:, 1]
    assert np.array_equal(pack._features[40:80, 1], Teacher(str(teacher)).features(whole))
    torch.manual_seed(0)
    trainer = CodecTrainer(NanoCodec(CONFIG), pack, replace(FIRST, steps=40, rate=3e-3, batch=4, frames=6))
    losses = [trainer.step(step)["distillation"] for step in range(25)]
    assert 0.5 < losses[0] < 1.5 and losses[-1] < 0.5 * losses[0]
    assert "phone" not in trainer.step(25)


def test_a_teacher_hears_each_frame_where_it_is(teacher):
    from personaplex.train.teacher import Teacher

    quiet = np.zeros(20 * FRAME_SAMPLES, dtype=np.int16)
    loud = quiet.copy()
    loud[10 * FRAME_SAMPLES : 11 * FRAME_SAMPLES] = np.random.default_rng(0).normal(0, 5000, FRAME_SAMPLES)
    encoder = Teacher(str(teacher))
    encoder._model.encoder = _Features()  # its transformer, and its convolution over positions, mix all frames
    changed = np.abs(encoder.features(loud) - encoder.features(quiet)).sum(axis=1)
    assert changed.shape == (20,) and changed.argmax() == 10


class _Features(torch.nn.Module):
    def forward(self, hidden, **_):
        from transformers.modeling_outputs import BaseModelOutput

        return BaseModelOutput(last_hidden_state=hidden)


def test_a_teacher_that_is_not_there_is_said_in_a_sentence(sound, tmp_path, corpus):
    pytest.importorskip("transformers")
    with pytest.raises(UserError, match="can not be loaded"):
        pack_sound(corpus, tmp_path / "out", teacher=str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="holds no features of some/model; pack it with: train sound --teacher"):
        SoundPack(sound, "some/model")


def test_a_copy_is_as_late_as_its_original(codec):
    pcm = np.random.default_rng(0).normal(0, 0.1, 4 * SAMPLE_RATE + 7).astype(np.float32)
    copy, codes = copied(codec, pcm)
    assert len(copy) == len(pcm) - CONFIG.delay and codes.shape == (8, 51)


class _Perfect(NanoCodec):
    """Gives back what it was given, as late as the small codec does."""

    def encode(self, pcm, state=None):
        self.given = pcm
        return super().encode(pcm, state)

    def decode(self, codes, state=None):
        return torch.nn.functional.pad(self.given, (self.config.delay, 0))[..., : self.given.shape[-1]]


@pytest.mark.slow
def test_listening_to_a_perfect_codec_and_to_a_ruined_one(tmp_path):
    for module in ("pocketsphinx", "resemblyzer", "jiwer"):
        pytest.importorskip(module)
    _dialogues(tmp_path)
    torch.manual_seed(0)
    perfect = listen(_Perfect(CONFIG).eval(), tmp_path, count=4)
    ruined = listen(NanoCodec(CONFIG).eval(), tmp_path, count=4)
    for who in ("agent", "user"):
        good, bad = perfect[who], ruined[who]
        assert good["utterances"] == 4 and good["log_mel_db"] == pytest.approx(0.0, abs=1e-3)
        assert good["wer"]["copy"] <= good["wer"]["original"] + 0.1 < bad["wer"]["copy"]
        assert good["similarity"]["copy"] > 0.99 > bad["similarity"]["copy"]
        assert good["pitch"]["semitones"] < 0.2 and good["pitch"]["voiced"] > 0.95
        assert good["similarity"]["other_speakers"] < good["similarity"]["copy"]
    assert all(1 <= used <= CONFIG.card for used in perfect["codebooks"]["used"])
    assert "agent" in table(perfect)


SAID = ["What time do you open tomorrow morning?", "The store is closed on the second of January.",
        "My brother has seven cows and a small dog.", "She never drinks black coffee in the evening."]  # fmt: skip


def _dialogues(folder):
    """Two dialogues of two agents and two users, who say two sentences each."""
    if not shutil.which("flite"):
        pytest.skip("needs flite (Debian: flite)")
    flite, lines = Flite(), []
    for index, voices in enumerate((("slt", "rms"), ("rms", "slt"))):
        sound, words = np.zeros((16 * SAMPLE_RATE, 2), dtype=np.float32), []
        for channel, (voice, who) in enumerate(zip(voices, ("SPEAKER_MAIN", "SPEAKER_USER"), strict=True)):
            for turn in range(2):
                said = flite.say(SAID[2 * turn + index], Speaker(voice, "flite", voice, "F"))
                at = 8 * turn + 4 * channel + 0.5
                begin = round(at * SAMPLE_RATE)
                sound[begin : begin + len(said.pcm), channel] = said.pcm
                words += [[word.text, [at + word.start, at + word.end], who] for word in said.words]
        soundfile.write(folder / f"{index}.flac", sound, SAMPLE_RATE)
        meta = {"alignments": words, "voice": voices[0], "user_voice": voices[1]}
        (folder / f"{index}.json").write_text(json.dumps(meta))
        lines.append(json.dumps({"path": f"{index}.flac"}))
    (folder / "data.jsonl").write_text("\n".join(lines))


def test_the_discriminator_needs_no_more_than_its_longest_window():
    verdicts = Discriminator()(torch.zeros(1, 2048))
    assert [verdict.logits.shape[1] for verdict in verdicts] == [1, 5, 13]
