import pickle

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from personaplex.audio import loudness, pad_to_frames
from personaplex.engine import Engine
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.lm.sampling import Sampling
from personaplex.persona.persona import Persona
from personaplex.persona.prompt import prompt_of_frames
from personaplex.persona.voices import Voice, VoiceLibrary
from tests.helpers import VOICES, tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model"), voice_seconds=2.0)


def recording(path, seconds, rate=SAMPLE_RATE, channels=1, level=0.1):
    sound = np.random.default_rng(0).normal(0, level, (int(seconds * rate), channels))
    soundfile.write(path, sound, rate)
    return path


def packaged(model, path, frames=7, **changes):
    """A file of NVIDIA's format, and the codes that it was made of."""
    lm, layout = model.lm, model.lm.layout
    codes = torch.randint(layout.card, (layout.codebooks, frames))
    grid = torch.cat(
        [torch.full((1, frames - 1), layout.text_pad), codes[:, 1:], model.sine[:, None].repeat(1, frames - 1)]
    )
    columns = prompt_of_frames(grid, layout).columns
    slots = layout.max_delay + 3
    cache = torch.full((1, layout.streams, slots), -2)
    for stream, delay in enumerate(layout.delays):
        for column in range(frames - 2, frames + delay):
            cache[0, stream, column % slots] = columns[stream, column]
    embeddings = lm.embed(columns[None, :, : frames - 1])[0][:, None, None].detach()
    content = {"embeddings": embeddings, "cache": cache} | changes
    torch.save({name: value for name, value in content.items() if value is not None}, path)
    return codes


def test_the_library_lists_its_voices(model):
    assert model.voices.names() == sorted(VOICES) and len(VOICES) == 18
    assert VoiceLibrary(None).names() == VoiceLibrary("/nowhere").names() == []


@pytest.mark.parametrize("name", ["NATF2", "NATF2.pt"])
def test_a_voice_is_found_by_name_with_or_without_pt(model, name):
    voice = model.voices.load(name, model)
    assert voice.name == "NATF2" and voice.codes.shape == (8, 6) and voice.codes.dtype == torch.int64
    assert voice == model.voices.named(name, model)


@pytest.mark.parametrize("name", ["NATF9", "", "../voices/NATF2", "/etc/passwd"])
def test_an_unknown_name_is_answered_with_those_there_are(model, name):
    with pytest.raises(UserError, match="has no voice .*NATF0, NATF1"):
        model.voices.named(name, model)
    if name != "/etc/passwd":
        with pytest.raises(UserError):
            model.voices.load(name, model)


@pytest.mark.parametrize(("suffix", "rate", "channels"), [("wav", 24_000, 1), ("flac", 44_100, 2), ("ogg", 48_000, 2)])
def test_a_recording_is_cloned(model, tmp_path, suffix, rate, channels):
    voice = model.voices.load(recording(tmp_path / f"me.{suffix}", 1.3, rate, channels), model)
    assert voice.name == "me" and voice.note == ""
    assert voice.codes.shape == (8, 17)  # 1.3 s are 16.25 frames
    assert voice.codes.max() < model.codec.card


def test_a_recording_is_levelled_padded_and_encoded(model, tmp_path):
    loud = model.voices.load(recording(tmp_path / "loud.wav", 1.5, level=0.2), model)
    quiet = model.voices.load(recording(tmp_path / "quiet.wav", 1.5, level=0.02), model)
    assert (loud.codes == quiet.codes).float().mean() > 0.9  # 16 bits round them differently
    pcm, _ = soundfile.read(tmp_path / "loud.wav", dtype="float32")
    levelled = pad_to_frames((pcm * 10 ** ((-24 - loudness(pcm)) / 20)).astype(np.float32))
    expected = model.codec.encode(torch.from_numpy(levelled)[None, None])[0]
    assert torch.equal(loud.codes, expected)


def test_a_long_recording_is_cut_to_what_the_model_knows_and_says_so(model, tmp_path):
    voice = model.voices.load(recording(tmp_path / "long.wav", 3.7), model)
    assert voice.codes.shape[1] == 25  # 2 s
    assert (
        voice.note
        == "Of the 3.7 s of the voice sample 'long' the first 2 s are used, as long as the model was trained for."
    )


def test_recordings_that_are_no_voice_are_refused(model, tmp_path):
    with pytest.raises(UserError, match="lasts 0.90 s; at least 1 s"):
        model.voices.load(recording(tmp_path / "short.wav", 0.9), model)
    with pytest.raises(UserError, match="is silent"):
        model.voices.load(recording(tmp_path / "silent.wav", 1.5, level=0.0), model)
    with pytest.raises(UserError, match="neither a voice of the model .* nor a sound file"):
        model.voices.load(tmp_path / "absent.wav", model)
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(UserError, match="damaged or not sound"):
        model.voices.load(tmp_path / "text.wav", model)


def test_a_packaged_voice_speaks_like_the_codes_it_was_made_of(model, tmp_path):
    codes = packaged(model, tmp_path / "NVIDIA.pt")
    voice = model.voices.load(tmp_path / "NVIDIA.pt", model)
    assert voice.codes is None and voice.embeddings.shape == (6, model.lm.config.dim) and voice.cache.shape == (17, 4)
    sound = np.random.default_rng(1).normal(0, 0.1, 1920 * 15).astype(np.float32)
    said = []
    for each in (voice, Voice("codes", codes=codes)):
        engine = Engine(model)
        conversation = engine.open(Persona("You are a teacher", each), Sampling(greedy=True))
        conversation.push(sound)
        while engine.tick():
            pass
        said.append(np.stack([output.tokens for output in conversation.pull()]))
    assert np.array_equal(*said)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cache": None}, "embeddings and a cache"),
        ({"embeddings": [1, 2]}, "tensors"),
        ({"embeddings": torch.zeros(5, 1, 1, 7)}, r"embeddings \[N, 1, 1, 48\]"),
        ({"embeddings": torch.zeros(0, 1, 1, 48)}, r"embeddings \[N, 1, 1, 48\]"),
        ({"embeddings": torch.full((6, 1, 1, 48), torch.nan)}, "not numbers"),
        ({"cache": torch.zeros(1, 17, 5, dtype=torch.long)}, r"a cache \[1, 17, 4\]"),
        ({"cache": torch.zeros(1, 17, 4)}, r"a cache \[1, 17, 4\] of int64"),
        ({"cache": torch.full((1, 17, 4), -2)}, "token ids in its cache"),
        ({"cache": torch.full((1, 17, 4), 999)}, "token ids in its cache"),
    ],
)
def test_a_packaged_voice_of_another_model_is_refused(model, tmp_path, changes, words):
    packaged(model, tmp_path / "a.pt", **changes)
    with pytest.raises(UserError, match=words):
        model.voices.load(tmp_path / "a.pt", model)


class Harm:
    ran = False

    def __reduce__(self):
        return (setattr, (Harm, "ran", True))


def test_no_code_in_a_packaged_voice_is_run(model, tmp_path):
    torch.save({"embeddings": Harm(), "cache": torch.zeros(1)}, tmp_path / "harm.pt")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps({"embeddings": Harm()}, protocol=2))
    (tmp_path / "noise.pt").write_bytes(b"nothing of the kind")
    (tmp_path / "empty.pt").touch()
    for name in ("harm", "pickle", "noise", "empty"):
        with pytest.raises(UserError, match="is not a packaged voice"):
            model.voices.load(tmp_path / f"{name}.pt", model)
    assert not Harm.ran


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"other": torch.zeros(8, 5, dtype=torch.long)}, "holds no codes"),
        ({"codes": torch.zeros(7, 5, dtype=torch.long)}, r"\[7, 5\], not \[8, N\]"),
        ({"codes": torch.zeros(8, 0, dtype=torch.long)}, "voice of another model"),
        ({"codes": torch.zeros(8, 5)}, "voice of another model"),
        ({"codes": torch.full((8, 5), 32)}, r"not in 0\.\.31"),
    ],
)
def test_codes_of_another_model_are_refused(model, tmp_path, tensors, words):
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match=words):
        model.voices.load(tmp_path / "a.safetensors", model)


def test_a_damaged_voice_file_is_a_sentence(model, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="is not a voice, or it is damaged"):
        model.voices.load(tmp_path / "a.safetensors", model)


def test_a_voice_has_codes_or_embeddings_and_not_both():
    codes = torch.zeros(8, 5, dtype=torch.long)
    with pytest.raises(ValueError):
        Voice("neither")
    with pytest.raises(ValueError):
        Voice("both", codes=codes, embeddings=torch.zeros(4, 48), cache=codes)
    with pytest.raises(ValueError):
        Voice("half", embeddings=torch.zeros(4, 48))
