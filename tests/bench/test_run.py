"""A run: resumed where it stopped, made anew where something changed, and written in the published shape."""

import json
from pathlib import Path

import numpy as np
import pytest

from personaplex.audio import write_wav
from personaplex.bench.records import Case, Figure, Result, Sample
from personaplex.bench.run import Suite, answer, output_folder, published_shape, run
from personaplex.bench.systems.controls import Control, echo, silent
from personaplex.bench.systems.folder import Folder
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE


def sound(seed):
    return np.random.default_rng(seed).normal(0, 0.1, SAMPLE_RATE // 4).astype(np.float32)


def has_sound(cases):
    """A benchmark of one figure: the share of answers with any sound in them."""

    def score(system, outputs):
        import soundfile

        loud = [float(np.abs(soundfile.read(outputs(case) / "output.wav")[0]).max() > 0) for case in cases]
        samples = [Sample(case.id, {"loud": value}, 1 - value) for case, value in zip(cases, loud, strict=True)]
        return Result("service", {"loud": np.mean(loud)}, {"all": {"loud": Figure(float(np.mean(loud)))}}, samples, {})

    return score


@pytest.fixture
def suite(tmp_path):
    cases = []
    for number in range(3):
        source = tmp_path / "data" / str(number) / "input.wav"
        write_wav(source, sound(number))
        cases.append(Case("service", "Q0", str(number), source, role="a role"))
    return Suite("service", cases, has_sound(cases), [Sample("service/Q0/9", problem="It is missing.")])


class Killed(Exception):
    pass


class Mortal:
    """A system that dies after its first answer, once."""

    name = "mortal"

    def __init__(self):
        self.alive, self.asked = True, []

    def describe(self):
        return {"is": "mortal"}

    def answer(self, cases, folder):
        for case in cases:
            self.asked.append(case.name)
            yield from silent().answer([case], folder)
            if self.alive:
                self.alive = False
                raise Killed


def test_a_killed_run_goes_on_where_it_was(suite, tmp_path):
    system, out = Mortal(), tmp_path / "out"
    with pytest.raises(Killed):
        run([system], [suite], out, {}, progress=False)
    results, report = run([system], [suite], out, {"seed": 1}, progress=False)
    assert system.asked == ["0", "1", "2"]
    assert results["mortal"]["service"].scores == {"loud": 0.0}
    assert report.is_file()


def test_only_what_changed_is_answered_again(suite, tmp_path):
    def again(system):
        return answer(system, suite, lambda case: output_folder(tmp_path / "out", system, case), hidden=True)

    assert [again(echo()), again(echo())] == [3, 0]
    write_wav(suite.cases[1].source, sound(7))
    assert again(echo()) == 1
    place = output_folder(tmp_path / "out", echo(), suite.cases[0])
    (place / "output.json").write_text("{}")
    (place / "output.wav").unlink()
    assert again(echo()) == 1 and not (place / "output.json").exists()  # what was heard in it goes with it
    assert again(Control("echo", "another description", lambda pcm: pcm)) == 3


def test_every_system_stands_in_results_with_the_datas_own_problems(suite, tmp_path):
    out = tmp_path / "out"
    results, _ = run([silent(), echo()], [suite], out, {"seed": 3}, progress=False)
    kept = json.loads((out / "results.json").read_text())
    assert kept["results"].keys() == {"silent", "echo"} and kept["meta"]["seed"] == 3
    assert Result.from_json(kept["results"]["echo"]["service"]).problems[0].problem == "It is missing."
    shape = published_shape(results, {"seed": 3})
    assert shape["service"] == {"loud": 0.0} and shape["meta"] == {"seed": 3}
    assert shape["problems"] == [{"id": "service/Q0/9", "problem": "It is missing."}]
    assert shape["systems"].keys() == {"silent", "echo"}


def test_the_results_of_one_system_do_not_fall_into_anothers(suite, tmp_path):
    with pytest.raises(UserError, match="two folders"):
        run([silent(), silent()], [suite], tmp_path / "out", {}, progress=False)
    run([silent()], [suite], tmp_path / "out", {}, progress=False)
    with pytest.raises(UserError, match="overwritten"):
        run([Folder(tmp_path / "out" / "silent")], [suite], tmp_path / "out", {}, progress=False)


def test_outputs_that_changed_are_taken_over_again(suite, tmp_path):
    given = tmp_path / "given"
    for case in suite.cases:
        write_wav(given / case.name / "output.wav", np.zeros(len(sound(0)), np.float32))
    first, _ = run([Folder(given)], [suite], tmp_path / "out", {}, progress=False)
    write_wav(given / "1" / "output.wav", sound(1))
    import os

    os.utime(given / "1" / "output.wav", (1e9, 1e9))
    second, _ = run([Folder(given)], [suite], tmp_path / "out", {}, progress=False)
    assert first["given"]["service"].scores["loud"] == 0
    assert second["given"]["service"].scores["loud"] == pytest.approx(1 / 3)
    assert Path(given / "1").is_dir() and sorted(path.name for path in (given / "1").iterdir()) == ["output.wav"]
