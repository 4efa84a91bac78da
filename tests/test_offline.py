import json

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner

from personaplex.cli import main
from personaplex.engine import Engine
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE, Layout
from personaplex.lm.sampling import Sampling
from personaplex.offline import Job, heard_words, plan, reply, spoken_words
from personaplex.persona.persona import Persona
from tests.helpers import HEARD, one_thread, tiny_model, tiny_tokenizer


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model"))


def noise(samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def command(model, *arguments):
    return CliRunner().invoke(main, ["offline", "--model", str(model.path), *map(str, arguments)])


# --- conversations in memory


@pytest.mark.parametrize("samples", [1, 1919, 1920, 1921, 9999])
def test_a_reply_is_exactly_as_long_as_what_it_replies_to(model, samples):
    [(index, made)] = reply(Engine(model), [noise(samples)], None, Sampling(), seed=1)
    assert index == 0 and len(made.pcm) == samples
    assert made.tokens.shape == (17, -(-samples // 1920)) and made.seed == 1


def test_a_delayed_models_reply_lies_in_its_place(tmp_path):
    model = tiny_model(tmp_path, delays=(0, *(0, 2, 2, 2, 2, 2, 2, 2) * 2))
    sound = noise(1920 * 6)
    [(_, made)] = reply(Engine(model), [sound], None, Sampling(), seed=1)
    codes = model.codec.encode(torch.from_numpy(sound)[None, None])[0]
    assert len(made.pcm) == len(sound)
    assert np.array_equal(made.tokens[model.lm.layout.user], codes.numpy())


def test_many_recordings_give_what_each_gives_alone(model):
    """Of different lengths, more than there are rows, in whichever row: the same at the same capacity."""
    sounds = [noise(1920 * length + 7, seed=length) for length in (3, 9, 1, 5, 2)]
    persona = Persona("You are a teacher", model.voices.load("NATF2", model))
    counted = []
    together = dict(reply(Engine(model, 2), sounds, persona, Sampling(), 5, counted.append))
    assert sorted(together) == [0, 1, 2, 3, 4]
    assert sum(counted) == sum(made.tokens.shape[1] for made in together.values())
    for index, sound in enumerate(sounds):
        [(_, alone)] = reply(Engine(model, 2), [sound], persona, Sampling(), seed=5)
        assert np.array_equal(alone.tokens, together[index].tokens)
        assert np.array_equal(alone.pcm, together[index].pcm)


def test_without_a_seed_every_conversation_draws_one(model):
    made = dict(reply(Engine(model, 2), [noise(4000), noise(4000)], None, Sampling()))
    assert made[0].seed != made[1].seed


# --- words and times


def words_of(stream, read=spoken_words, **options):
    from personaplex.text import Tokenizer

    layout = Layout(codebooks=1, card=10, text_card=320, delays=(0, 0, 0))
    tokenizer = Tokenizer(tiny_tokenizer(), (0, 3))
    tokens = [token for item in stream for token in ([item] if isinstance(item, int) else tokenizer.encode(item))]
    return read(np.array(tokens), tokenizer, layout, **options), tokens


def test_words_are_built_from_pieces_and_start_when_they_are_heard():
    words, tokens = words_of([3, 0, "hello", 3, 3, 3, 3, 3, 3, "teacher", 3, 3, 3, 3, 3, 3, 3, 3, 3], lead=2)
    assert [word["text"] for word in words] == ["hello", "teacher"]
    second = len(tokens) - 9 - len(words_of(["teacher"])[1])
    assert [word["start"] for word in words] == [pytest.approx((2 + 2) * 0.08), pytest.approx((second + 2) * 0.08)]
    assert all(word["start"] < word["end"] for word in words)


def test_a_word_ends_before_the_next_and_within_the_recording():
    words, _ = words_of(["you", "are", "friendly"], seconds=0.3)
    assert [word["text"] for word in words] == ["you", "are", "friendly"]
    for word, following in zip(words, words[1:], strict=False):
        assert word["end"] <= following["start"]
    assert words[-1]["end"] <= 0.3


def test_what_was_heard_ended_before_it_was_written():
    words, tokens = words_of([3] * 20 + ["hello", "teacher", 3, 3], read=heard_words, lag=2)
    assert [word["text"] for word in words] == ["hello", "teacher"]
    hello, teacher = words
    assert hello["end"] == pytest.approx(18 * 0.08) and hello["start"] == pytest.approx(18 * 0.08 - 5 * 0.07)
    assert hello["end"] <= teacher["start"] < teacher["end"]
    assert words_of(["you"], read=heard_words, lag=2)[0] == [{"text": "you", "start": 0.0, "end": 0.0}]


def test_letters_in_bytes_and_broken_tokens():
    assert [word["text"] for word in words_of(["é", 3, 3, "好"])[0]] == ["é", "好"]
    assert words_of([3, 0, 3, 320, -1])[0] == []


# --- which file goes where


def test_one_input_is_paired_with_one_output(tmp_path):
    assert plan([tmp_path / "a.flac"], tmp_path / "b.wav", tmp_path / "b.json") == [
        Job(tmp_path / "a.flac", tmp_path / "b.wav", tmp_path / "b.json", None)
    ]
    assert plan([tmp_path / "a.flac"], tmp_path)[0].wav == tmp_path / "a.wav"


def test_a_folder_or_several_inputs_are_paired_by_name(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("b.wav", "a.FLAC", "notes.txt"):
        (tmp_path / "in" / name).touch()
    out = tmp_path / "out"
    assert plan([tmp_path / "in"], out, None, out) == [
        Job(tmp_path / "in" / "a.FLAC", out / "a.wav", None, out / "a.npz"),
        Job(tmp_path / "in" / "b.wav", out / "b.wav", None, out / "b.npz"),
    ]
    assert [job.wav for job in plan([tmp_path / "x.wav", tmp_path / "y.ogg"], out)] == [out / "x.wav", out / "y.wav"]


def test_pairings_that_would_lose_something_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for inputs, output, words in [
        ([tmp_path / "empty"], tmp_path / "out", "no sound file"),
        ([tmp_path / "a.wav", tmp_path / "b.wav"], tmp_path / "out.wav", "must be a folder"),
        ([tmp_path / "x" / "a.wav", tmp_path / "y" / "a.wav"], tmp_path / "out", "Two results"),
        ([tmp_path / "a.wav"], tmp_path / "a.wav", "is an input"),
    ]:
        with pytest.raises(UserError, match=words):
            plan(inputs, output)


# --- the command


def test_the_command_writes_sound_words_and_tokens(model, tmp_path):
    soundfile.write(tmp_path / "in.wav", noise(2 * 44_100), 44_100)
    result = command(
        model, "--input-wav", tmp_path / "in.wav", "--output-wav", tmp_path / "out.wav",
        "--output-text", tmp_path / "out.json", "--output-tokens", tmp_path / "out.npz", "--seed", 3, "--stats",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    info = soundfile.info(tmp_path / "out.wav")
    assert (info.samplerate, info.frames, info.channels) == (SAMPLE_RATE, 2 * SAMPLE_RATE, 1)
    content = json.loads((tmp_path / "out.json").read_text())
    assert content.keys() == {"text", "pieces", "meta"}
    assert all(piece.keys() == {"text", "start", "end"} for piece in content["pieces"])
    assert content["text"].split() == " ".join(piece["text"] for piece in content["pieces"]).split()
    meta = content["meta"]
    assert meta["seed"] == 3 and meta["model"]["name"] == "tiny" and meta["persona"]["voice"] == "NATF2"
    assert meta["persona"]["role"].startswith("You are a wise and friendly teacher.")
    assert meta["sampling"] == {
        "temp_audio": 0.8,
        "topk_audio": 250,
        "temp_text": 0.7,
        "topk_text": 25,
        "greedy": False,
        "temp_word": 0.0,
        "padding_bonus": 0.0,
    }
    with np.load(tmp_path / "out.npz") as grid:
        assert {name: array.shape for name, array in grid.items()} == {"text": (25,), "agent": (8, 25), "user": (8, 25)}
    assert "x real time" in result.output and "1 CPU thread," in result.output and "prompt:" in result.output


def test_a_model_that_hears_writes_down_what(tmp_path):
    model = tiny_model(tmp_path, **HEARD)
    soundfile.write(tmp_path / "in.wav", noise(40 * 1920), SAMPLE_RATE)
    result = command(
        model, "--input-wav", tmp_path / "in.wav", "--output-wav", tmp_path / "out.wav",
        "--output-text", tmp_path / "out.json", "--output-tokens", tmp_path / "out.npz",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "out.json").read_text())
    assert list(content) == ["text", "pieces", "heard", "meta"]
    heard = content["heard"]
    assert heard["text"].split() == " ".join(piece["text"] for piece in heard["pieces"]).split() != []
    with np.load(tmp_path / "out.npz") as grid:
        assert grid["heard"].shape == (40,)
        words = heard_words(grid["heard"], model.tokenizer, model.lm.layout, lag=2)
    assert words == heard["pieces"]


def test_the_same_seed_writes_the_same_bytes(model, tmp_path):
    soundfile.write(tmp_path / "in.wav", noise(20_000), SAMPLE_RATE)
    for name in ("a", "b"):
        result = command(
            model, "--input-wav", tmp_path / "in.wav", "--output-wav", tmp_path / f"{name}.wav", "--seed", 7
        )
        assert result.exit_code == 0, result.output
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_a_folder_of_recordings_with_a_cloned_voice(model, tmp_path):
    (tmp_path / "in").mkdir()
    for name, seconds in (("a", 1.0), ("b", 0.5), ("c", 0.25)):
        soundfile.write(tmp_path / "in" / f"{name}.wav", noise(int(seconds * 8000)), 8000)
    soundfile.write(tmp_path / "voice.flac", noise(3 * SAMPLE_RATE), SAMPLE_RATE)
    result = command(
        model, "--input-wav", tmp_path / "in", "--output-wav", tmp_path / "out", "--output-text", tmp_path / "out",
        "--batch-size", 2, "--voice-prompt", tmp_path / "voice.flac", "--text-prompt", "", "--greedy",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "the first 2 s are used" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{name}.{suffix}" for name in "abc" for suffix in ("json", "wav")
    ]
    assert soundfile.info(tmp_path / "out" / "c.wav").frames == 6000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--input-wav", "missing.wav"], "There is no file missing.wav"),
        (["--input-wav", "in.wav", "--voice-prompt", "NOBODY"], "neither a voice of the model"),
        (["--input-wav", "in.wav", "--text-prompt", "teacher " * 200], "tokens too long"),
        (["--input-wav", "in.wav", "--device", "nonsense"], "cannot be used here"),
        (["--input-wav", "in.wav", "--model", "nowhere/at/all"], "nowhere/at/all"),
    ],
)
def test_mistakes_are_one_sentence_and_write_nothing(model, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    soundfile.write("in.wav", noise(4000), SAMPLE_RATE)
    result = command(model, *arguments, "--output-wav", "out.wav")
    assert result.exit_code == 2
    assert words in result.stderr and result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


def test_voices_lists_them(model, tmp_path):
    result = CliRunner().invoke(main, ["voices", "--model", str(model.path)])
    assert result.exit_code == 0
    assert result.output.split() == model.voices.names()


def test_a_model_without_voices_talks_without_a_prompt(tmp_path):
    model = tiny_model(tmp_path, voices=False)
    soundfile.write(tmp_path / "in.wav", noise(4000), SAMPLE_RATE)
    result = command(
        model,
        "--input-wav",
        tmp_path / "in.wav",
        "--output-wav",
        tmp_path / "o.wav",
        "--output-text",
        tmp_path / "o.json",
    )
    assert result.exit_code == 0, result.output
    persona = json.loads((tmp_path / "o.json").read_text())["meta"]["persona"]
    assert persona["role"] is None and persona["voice"] is None
    listed = CliRunner().invoke(main, ["voices", "--model", str(model.path)])
    assert listed.exit_code == 0 and "has no voices" in listed.stderr
