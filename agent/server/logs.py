"""The log: one JSON object a line, on stderr. What people write, what the model reads and every key stay out of it."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import PurePath
from types import TracebackType
from typing import Any

LOGGER = "usher.server"


class JSONLines(logging.Formatter):
    """The event's name, its fields, and of an error its kind and where it rose: an error's text may quote a person."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.msg,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["at"] = _places(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False, default=str)


def log_to_stderr() -> None:
    """Set the server's logger up; called once, by the command line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONLines())
    logger = logging.getLogger(LOGGER)
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def log(event: str, level: int = logging.INFO, error: BaseException | None = None, **fields: Any) -> None:
    """Fields are names, numbers and ids; never a text of a person's."""
    logging.getLogger(LOGGER).log(level, event, exc_info=error, extra={"fields": fields})


def _places(at: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(at)[-6:]
    return [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
