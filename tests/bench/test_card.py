"""The card: figures of finished runs beside their floors, with what is missing named."""

import json

import pytest

from personaplex.bench import card
from personaplex.bench.cost import Cost, measure_cost
from personaplex.bench.records import Figure, Result, write_json
from personaplex.errors import UserError
from tests.helpers import tiny_model


def results(**more):
    duplex = {
        "candor_turn_taking": {"tor": Figure(0.96, 0.9, 1.0, 8), "latency_s": Figure(0.6, 0.5, 0.7, 8, "s", "lower")},
        "candor_pause_handling": {"tor": Figure(0.2, count=6, better="lower")},
    }
    talk = {"dialogue": {"heard_wer": Figure(None), "beyond_tts": Figure(0.071, 0.02, 0.12, 20, "", "lower")}}
    voice = {"all": {"identified": Figure(0.75, count=4)}}
    return {
        "duplex": Result("duplex", {}, duplex, [], {}),
        "talk": Result("talk", {}, talk, [], {"stream of heard words": "none"}),
        "voice": Result("voice", {"choice": 4}, voice, [], {}),
    } | more


def test_each_figure_stands_beside_its_floor():
    table = {row.want.what: row for row in card.rows(results(), Cost(27_000_000, 0.31, 20.0))}
    assert table["turn-taking: TOR"].met and table["pauses, hesitant: TOR"].met
    assert table["turn-taking: mean latency"].met is False
    assert table["size on disk"].met and table["CPU cost of a conversation on one core, of real time"].met is False
    heard = table["what it heard: word error rate"]
    assert heard.met is None and heard.figure.value is None and heard.note == "no stream of heard words"
    assert "was not run" in table["service: wrong details corrected"].note
    assert table["voice: the right one chosen among 20"].note == "among 4"
    text = card.markdown(list(table.values()))
    assert (
        "| its own speech: word error rate beyond the TTS's | 7.1 points | 2.0 to 12.0 | 20 | ≤ 10.0 points | yes |"
        in text
    )
    assert "| size on disk | 27.0 MB |  |  | ≤ 40.0 MB | yes |" in text
    told = card.as_json(list(table.values()), {"model": "x"})
    assert len(told["rows"]) == len(card.WANTS) + 2 and json.dumps(told)


def test_results_are_those_of_the_system_and_its_weights(tmp_path):
    meta = {"systems": {"nano": {"sha256": "abc"}}}
    for folder, names in (("a", ("duplex",)), ("b", ("talk", "voice"))):
        kept = {"nano": {name: results()[name].to_json() for name in names}}
        write_json(tmp_path / folder / "results.json", {"meta": meta, "results": kept})
    both = [tmp_path / "a", tmp_path / "b"]
    assert set(card.read_results(both, "nano", "abc")) == {"duplex", "talk", "voice"}
    with pytest.raises(UserError, match="other weights"):
        card.read_results(both, "nano", "abd")
    with pytest.raises(UserError, match="no results of silent"):
        card.read_results(both, "silent")
    with pytest.raises(UserError, match="personaplex bench with --out"):
        card.read_results([tmp_path], "nano")


def test_a_conversation_costs_something(tmp_path):
    import numpy as np

    cost = measure_cost(tiny_model(tmp_path, context=400), np.zeros(24_000, np.float32))
    assert cost.bytes > 1000 and cost.share > 0 and cost.seconds == 1
