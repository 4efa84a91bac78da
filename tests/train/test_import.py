"""Another's corpus, in moshi-finetune's layout: imported, then packed, encoded and drawn from like one of ours."""

import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.synth.__main__ import synth
from personaplex.synth.importing import LONGEST, import_corpus
from personaplex.train.dialogues import DialoguePack, Drawing
from personaplex.train.encode import encode_corpus
from personaplex.train.sound import pack_sound
from personaplex.train.tokenizer import train_tokenizer

RATE = 16_000
SHORT, LONG = 12.0, 100.0  # seconds


def spoken(seconds):
    """Every ten seconds the agent speaks for three and the user for two, in words of half a second."""
    for start in range(0, int(seconds) - 9, 10):
        for at, word in enumerate(("Well,", "hello", "there", "my", "good", "friend.")):
            yield [word, [start + 1 + at / 2, start + 1.5 + at / 2], "SPEAKER_MAIN"]
        for at, word in enumerate(("I", "am", "not", "sure.")):
            yield [word, [start + 5 + at / 2, start + 5.5 + at / 2], "SPEAKER_USER"]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("theirs"), np.random.default_rng(0)
    (folder / "stereo").mkdir(parents=True)
    rows = []
    for name, seconds, channels in (("a", SHORT, 2), ("b_2", LONG, 2), ("mono", SHORT, 1), ("nothing", SHORT, 2)):
        sound = random.normal(0, 0.05, (int(seconds * RATE), channels))
        soundfile.write(folder / f"stereo/{name}.wav", sound, RATE)
        words = list(spoken(seconds)) if name != "nothing" else []
        (folder / f"stereo/{name}.json").write_text(json.dumps({"alignments": words}))
        rows.append({"path": f"stereo/{name}.wav", "duration": seconds})
    rows.append({"path": "stereo/absent.wav", "duration": 200.0})
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture(scope="module")
def imported(theirs, tmp_path_factory):
    out = tmp_path_factory.mktemp("ours")
    return out, import_corpus(theirs, out, progress=False)


def test_what_is_made_of_it(theirs, imported):
    out, stats = imported
    rows = [json.loads(line) for line in (out / "data.jsonl").read_text().splitlines()]
    assert stats["skipped"] == 3 and "1 channels" in stats["for_example"][0] and "for 1 s" in stats["for_example"][1]
    assert [row["path"] for row in rows] == [f"audio/{name}.flac" for name in ("000001_0", "000002_0", "000002_1")]
    assert sum(row["duration"] for row in rows[1:]) == pytest.approx(LONG, abs=0.2)
    words = 0
    for row in rows:
        sound, rate = soundfile.read(out / row["path"])
        marks = json.loads((out / row["path"]).with_suffix(".json").read_text())
        assert rate == SAMPLE_RATE and sound.shape == (round(row["duration"] * SAMPLE_RATE), 2)
        assert len(sound) % FRAME_SAMPLES == 0 and row["duration"] <= LONGEST + 0.1
        assert all(0 <= start < end <= row["duration"] for _, (start, end), _ in marks["alignments"])
        assert marks["turns"][0]["text"] == "Well, hello there my good friend."  # no cut inside a turn
        words += len(marks["alignments"])
        voice, _ = soundfile.read(out / marks["voice_prompt"])
        assert len(voice) == pytest.approx(3 * SAMPLE_RATE, abs=2)
    assert words == 10 * (1 + 10)
    made = (out / rows[0]["path"]).stat().st_mtime_ns
    assert import_corpus(theirs, out, progress=False) == stats
    assert (out / rows[0]["path"]).stat().st_mtime_ns == made


def test_it_is_trained_on_like_one_of_ours(imported, tmp_path, codec, tokenizer, model):
    out, _ = imported
    train_tokenizer(out / "text.txt", tmp_path / "words.model", 300)
    pack_sound(out, tmp_path / "sound")
    encode_corpus(out, codec, tmp_path / "codes", batch=1)
    drawing = Drawing(length=96, voice_frames=12, lead=2, reading=0.5)
    batch = DialoguePack(tmp_path / "codes", tokenizer, model.layout, drawing).batch(0, 0, 4)
    assert batch.text_loss.any() and batch.speech.any()


def test_it_has_to_be_imported(theirs, tmp_path, codec):
    with pytest.raises(UserError, match="personaplex synth --from"):  # and not that its rate is wrong
        encode_corpus(theirs, codec, tmp_path / "codes")


@pytest.mark.parametrize(("lines", "sentence"), [(None, "cannot be read"), ("{}", "is no manifest"), ("", "no sounds"),
                                                 ('{"path": "a.wav"}', "None of the 1 sounds")])  # fmt: skip
def test_no_corpus_is_one_sentence(tmp_path, lines, sentence):
    (tmp_path / "theirs").mkdir()
    if lines is not None:
        (tmp_path / "theirs/data.jsonl").write_text(lines)
    result = CliRunner().invoke(synth, ["--out", str(tmp_path / "ours"), "--from", str(tmp_path / "theirs")])
    assert result.exit_code == 1 and sentence in result.output and "Traceback" not in result.output
