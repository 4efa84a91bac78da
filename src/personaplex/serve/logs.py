"""Logs: sentences for people, or a JSON object a line for programs, each with the session that it is about.

Nothing that a client says, asks for or authenticates with is ever logged by the server: no role, no words, no key, no
address with a query.
"""

from __future__ import annotations

import contextvars
import json
import logging
import time

session_name: contextvars.ContextVar[str] = contextvars.ContextVar("session_name", default="")
"""The session that the current task is about."""

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "session", "taskName"}


class _Session(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "session"):
            record.session = session_name.get()
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, session, whatever was given as `extra`, and fault."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as one line."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if session := getattr(record, "session", ""):
            line["session"] = session
        line |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            line["fault"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up(as_json: bool = False) -> None:
    """Log to stderr: warnings as text, or as JSON also when conversations begin and end.

    Other libraries may say warnings only, since what uvicorn tells about a request at lower levels holds its query.
    """
    handler = logging.StreamHandler()
    handler.addFilter(_Session())
    if as_json:
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    if as_json:
        logging.getLogger("personaplex").setLevel(logging.INFO)
