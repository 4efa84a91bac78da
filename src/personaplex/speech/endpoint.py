"""A language model behind an OpenAI-compatible address: one conversation in, one text out; and answers kept on disk.

Knows HTTP and the shape of `/chat/completions`. Knows nothing of what is asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from personaplex.errors import UserError

_MOST_BYTES = 4 << 20  # of an answer
_RETRIED = (408, 409, 425, 429)  # and all from 500 on


class EndpointError(UserError):
    """The endpoint gave no answer; the message is one sentence that says why."""


class Endpoint:
    """A language model to ask.

    Args:
        url: with or without `/chat/completions` at its end, such as `http://localhost:8000/v1`.
        model: the name that the endpoint knows the model by.
        key_env: the environment variable that holds the key; a key is sent only where it is set.
        timeout: seconds that one attempt may take, a slow trickle included.
        retries: further attempts after a failure that may pass.
        pause: seconds before the first of these; each later one waits twice as long.

    Raises:
        UserError: when the address is none.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key_env: str = "OPENAI_API_KEY",
        timeout: float = 60.0,
        retries: int = 3,
        pause: float = 1.0,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UserError(f"{url!r} is no address of an endpoint; it begins with http:// or https://.")
        if not model:
            raise UserError("An endpoint needs the name of a model.")
        self.url = url.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        self.model = model
        self.host = parts.netloc.rpartition("@")[2]
        self._key_env, self._timeout, self._retries, self._pause = key_env, timeout, retries, pause

    def chat(self, messages: Sequence[dict[str, str]], max_tokens: int = 400, temperature: float = 0) -> str:
        """The model's answer.

        Args:
            messages: each a `role` and a `content`.
            max_tokens: that the answer may have.
            temperature: of sampling.

        Raises:
            EndpointError: when no attempt gave one.
        """
        body = {"model": self.model, "messages": list(messages), "temperature": temperature, "max_tokens": max_tokens}
        for attempt in range(self._retries + 1):
            if attempt:
                time.sleep(self._pause * 2 ** (attempt - 1))
            reason, passing = "", True
            try:
                return _answer(self._post(json.dumps(body).encode()))
            except urllib.error.HTTPError as error:
                reason, passing = f"it answers {error.code}", error.code >= 500 or error.code in _RETRIED
            except TimeoutError:
                reason = f"it takes longer than {self._timeout:g} s"
            except (OSError, http.client.HTTPException) as error:
                cause = getattr(error, "reason", error)
                late = isinstance(cause, TimeoutError)
                reason = f"it takes longer than {self._timeout:g} s" if late else f"it can not be reached ({cause})"
            except ValueError as error:
                reason = f"its answer is none ({error})"
            if not passing:
                break
        raise EndpointError(f"The endpoint {self.host} gave no answer: {reason}, after {attempt + 1} attempts.")

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self._key_env):
            headers["Authorization"] = f"Bearer {key}"
        deadline = time.monotonic() + self._timeout
        request = urllib.request.Request(self.url, body, headers)
        with urllib.request.urlopen(request, timeout=self._timeout) as reply:
            content = bytearray()
            while block := reply.read1(1 << 16):
                content += block
                if len(content) > _MOST_BYTES:
                    raise ValueError("it is too long")
                if time.monotonic() > deadline:
                    raise TimeoutError
        return bytes(content)


class AnswerCache:
    """Answers on disk, one file each, by the hash of what was asked: asking again costs nothing.

    A file that cannot be read, or is damaged, counts as none; where none can be written, none is kept.

    Args:
        folder: where; None for `name` in the user's cache.
        name: what the answers are about.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self._folder = folder or home / "personaplex" / name

    def key(self, *asked: Any) -> str:
        """The name of an answer: a hash of all that it depends on, as JSON values."""
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()

    def get(self, key: str) -> str | None:
        """The answer of that name, or None."""
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            return str(json.loads(self._path(key).read_text(encoding="utf-8"))["answer"])
        return None

    def keep(self, key: str, asked: str, answer: str) -> None:
        """Keep an answer, whole or not at all, beside what was asked, for a reader."""
        path = self._path(key)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps({"asked": asked, "answer": answer}, indent=1) + "\n", encoding="utf-8")
            partial.replace(path)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def _answer(content: bytes) -> str:
    """The text of a completion; ValueError if it is none."""
    try:
        data: Any = json.loads(content)
        text = data["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        raise ValueError("not the JSON of a chat completion") from None
    if not isinstance(text, str) or not text.strip():
        raise ValueError("it has no text")
    return text
