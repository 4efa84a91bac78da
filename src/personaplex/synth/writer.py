"""A language model that writes a script's turns anew, for the role and the facts that the grammar has drawn.

The grammar decides who speaks, what is asked and what is true; the model finds the words. `checks` reads them; what it
refuses twice, and what never comes, stays as the grammar has it. Answers are kept on disk by the hash of what was
asked, so that a corpus made again costs nothing and is the same.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from personaplex.errors import UserError
from personaplex.speech.endpoint import AnswerCache, Endpoint, EndpointError
from personaplex.synth.checks import Refused, adopt, facts, fixed, says
from personaplex.synth.scripts import Line, Script

_ASKED_TWICE = 2
_PATIENCE = 3  # scripts in a row without an answer, after which the endpoint is taken for gone
_TOKENS, _TEMPERATURE = 2000, 0.8
_SYSTEM = (
    "You write the words of short spoken conversations between a user and a voice agent, as people really talk: "
    "contractions, everyday words, now and then an um or a false start of the user's; the agent is brief and clear. "
    "You are given the agent's role and, for each turn, its meaning. Write every turn anew: same speaker, same order, "
    "same meaning, other words. Say everything under must_say word for word, in lower or upper case. Never add a name, "
    "a number, a price, a day or a promise of your own. A question must not contain its answer. Where the agent "
    "refuses, does not know or corrects, it must do so plainly. Only English words in plain ASCII; numbers in words, "
    "as given; no digits, signs, abbreviations or initials. Answer with one JSON object only: "
    '{"turns": [{"who": "user" or "agent", "text": "..."}, ...]}.'
)
# So that not every caller sounds the same; which one it is depends on the script alone.
_MANNERS = (
    "in a hurry", "talkative", "shy", "cheerful", "tired", "very polite", "plain and short", "a little confused",
    "elderly", "young and casual", "worried", "calm", "curious", "distracted", "businesslike", "warm",
)  # fmt: skip


@dataclass(frozen=True)
class Model:
    """Which model writes.

    Attributes:
        url: of an OpenAI-compatible endpoint, such as `http://localhost:8000/v1`.
        name: the model's name there.
        key_env: the environment variable that holds the key.
        cache: folder of answers; None for `scripts` in the user's cache.
        timeout: seconds that one attempt may take.
    """

    url: str
    name: str
    key_env: str = "OPENAI_API_KEY"
    cache: Path | None = None
    timeout: float = 60.0

    @property
    def title(self) -> str:
        """The model's name and where it is, without what an address may hold of a password."""
        return f"{self.name} at {urlsplit(self.url).netloc.rpartition('@')[2]}"


@dataclass(frozen=True)
class Written:
    """A script, and who found its words.

    Attributes:
        script: the model's, or the grammar's own.
        by: `llm` or `grammar`.
        refused: in one word why the model's was not taken; "" where it was, or was not asked for.
    """

    script: Script
    by: str
    refused: str = ""


class Writer:
    """Asks the model; UserError for an address that is none."""

    def __init__(self, model: Model) -> None:
        self._endpoint = Endpoint(model.url, model.name, model.key_env, model.timeout, retries=1)
        self._kept = AnswerCache(model.cache, "scripts")
        self._silent = 0

    def write(self, script: Script) -> Written:
        """`script` in the model's words, or as it is.

        Raises:
            UserError: when the endpoint has given no answer several times in a row.
        """
        if not any(line.who == "user" for line in script.lines):
            return Written(script, "grammar")
        messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _request(script)}]
        why = ""
        for _ in range(_ASKED_TWICE):
            try:
                answer = self._ask(messages)
            except EndpointError as error:
                self._silent += 1
                if self._silent >= _PATIENCE:
                    raise UserError(f"{error} What is made so far stays; the same command goes on with it.") from error
                return Written(script, "grammar", "silence")
            self._silent = 0
            try:
                return Written(adopt(script, answer), "llm")
            except Refused as error:
                why = error.why
                reminder = f"{error} Write the whole object again."
                messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": reminder}]
        return Written(script, "grammar", why)

    def _ask(self, messages: Sequence[dict[str, str]]) -> str:
        """The answer, from the cache where it is known."""
        key = self._kept.key(self._endpoint.url, self._endpoint.model, _TEMPERATURE, messages)
        known = self._kept.get(key)
        if known is not None:
            return known
        answer = self._endpoint.chat(messages, _TOKENS, _TEMPERATURE)
        self._kept.keep(key, messages[1]["content"], answer)
        return answer


def _request(script: Script) -> str:
    turns = [{"who": line.who, "means": line.text} | _must(line) for line in script.lines]
    sheet = {"role": script.role, "kind": script.scenario, "turns": turns}
    manner = _MANNERS[zlib.crc32(json.dumps(sheet).encode()) % len(_MANNERS)]
    return json.dumps({"user_is": manner} | sheet)


def _must(line: Line) -> dict[str, object]:
    said = [line.text] if fixed(line) else [fact for fact in facts(line) if says(line.text, fact)]
    return {"must_say": said} if said else {}
