"""Lines of the model in the server's log."""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Any

from .enums import TritonEnum
from .errors import TritonModelException
from .session import current


class LogLevel(TritonEnum):
    """Levels of log lines."""

    INFO = 0
    WARNING = 1
    ERROR = 2
    VERBOSE = 3


class Logger:
    """Writes to the server's log, with the file and line of the caller."""

    LogLevel = LogLevel
    INFO = LogLevel.INFO
    WARNING = LogLevel.WARNING
    ERROR = LogLevel.ERROR
    VERBOSE = LogLevel.VERBOSE

    @staticmethod
    def log(message: str, level: Any = LogLevel.INFO) -> None:
        """A line of the given level."""
        if not isinstance(level, LogLevel):
            raise TypeError(f"Logger: level must be one of Logger's, got {level!r}")
        _write(message, level, sys._getframe(1))

    @staticmethod
    def log_info(message: str) -> None:
        """A line of level INFO."""
        _write(message, LogLevel.INFO, sys._getframe(1))

    @staticmethod
    def log_warn(message: str) -> None:
        """A line of level WARNING."""
        _write(message, LogLevel.WARNING, sys._getframe(1))

    @staticmethod
    def log_error(message: str) -> None:
        """A line of level ERROR."""
        _write(message, LogLevel.ERROR, sys._getframe(1))

    @staticmethod
    def log_verbose(message: str) -> None:
        """A line that is written only where the server logs verbosely."""
        _write(message, LogLevel.VERBOSE, sys._getframe(1))


def _write(message: Any, level: LogLevel, caller: FrameType) -> None:
    if not isinstance(message, str):
        raise TypeError(f"Logger: message must be a str, got {type(message).__name__}")
    file = os.path.basename(caller.f_code.co_filename)
    try:
        session = current()
    except TritonModelException:
        print(f"{file}:{caller.f_lineno}] {message}", file=sys.stderr)
        return
    session.channel.send(
        {
            "kind": "log",
            "level": level.name.lower(),
            "message": message,
            "file": file,
            "line": caller.f_lineno,
        }
    )
