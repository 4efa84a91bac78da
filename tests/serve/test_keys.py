"""API keys: what is one, who holds it, and how clients bring it."""

import pytest

from personaplex.errors import UserError
from personaplex.serve.door import Visitor
from personaplex.serve.keys import Keys, carried_key, load_keys

KEY, OTHER = "0123456789abcdef-one", "0123456789abcdef-two"


def test_a_file_of_keys(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# ours\n{KEY} name=ada sessions=3  # the lab\n\n{OTHER}\n")
    keys = load_keys(path)
    assert len(keys) == 2 and keys.find(KEY) == Visitor("ada", 3)
    other = keys.find(OTHER)
    assert other.sessions is None and other.owner not in OTHER  # a digest: it may be shown
    assert keys.find(KEY[:-1]) is keys.find("") is keys.find(None) is keys.find("ü\ud800") is None


def test_keys_of_the_environment():
    keys = load_keys(None, {"PERSONAPLEX_API_KEYS": f"{KEY},{OTHER} sessions=2"})
    assert len(keys) == 2 and keys.find(OTHER).sessions == 2
    assert not load_keys(None, {})


@pytest.mark.parametrize(
    "line, sentence",
    [
        ("short", "at least 16"),
        (f"{KEY} sessions=0", "sessions must be"),
        (f"{KEY} sessions=x", "sessions must be"),
        (f"{KEY} colour=red", "name=… and sessions=…"),
        (f"{KEY} red", "name=… and sessions=…"),
        ("0123456789abcdefü", "letters, digits and signs"),
        (f"{KEY} name=a\n{OTHER} name=a", "the same name"),
        ("# nothing", "There is no key"),
    ],
)
def test_what_is_no_key_is_a_sentence_that_does_not_show_it(tmp_path, line, sentence):
    (tmp_path / "keys").write_text(line)
    with pytest.raises(UserError, match=sentence) as error:
        load_keys(tmp_path / "keys")
    assert KEY not in str(error.value) and "short" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load_keys(tmp_path / "none")


def test_how_a_key_is_carried():
    assert carried_key({"authorization": f"Bearer {KEY}"}, {}) == KEY
    assert carried_key({"authorization": "Basic abc"}, {"key": KEY}) == KEY
    assert carried_key({}, {}, ["realtime", f"openai-insecure-api-key.{KEY}"]) == KEY
    assert carried_key({}, {}, ["realtime"]) is None


def test_keys_are_not_kept_in_the_clear():
    keys = Keys([KEY])
    assert KEY not in repr(vars(keys))
