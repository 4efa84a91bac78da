"""Answers of an endpoint on disk; `tests/bench/test_judges.py` and `tests/synth/test_writer.py` ask real ones."""

from personaplex.speech.endpoint import AnswerCache


def test_an_answer_is_found_by_all_that_was_asked_and_damage_is_no_answer(tmp_path):
    kept = AnswerCache(tmp_path / "new", "judge")
    key = kept.key("http://here", "parrot", [{"role": "user", "content": "hello"}])
    assert kept.get(key) is None
    kept.keep(key, "hello", "hello back")
    assert AnswerCache(tmp_path / "new", "judge").get(key) == "hello back"
    assert kept.get(kept.key("http://here", "macaw", [{"role": "user", "content": "hello"}])) is None
    [file] = (tmp_path / "new").iterdir()
    for content in ("{", "[]", '{"asked": "hello"}'):
        file.write_text(content)
        assert kept.get(key) is None


def test_it_lies_in_the_users_cache_and_a_folder_that_cannot_be_written_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = AnswerCache(None, "judge")
    kept.keep(kept.key("a"), "a", "b")
    assert len(list((tmp_path / "personaplex" / "judge").iterdir())) == 1
    (tmp_path / "file").write_text("")
    kept = AnswerCache(tmp_path / "file" / "below", "judge")
    kept.keep(kept.key("a"), "a", "b")
    assert kept.get(kept.key("a")) is None
