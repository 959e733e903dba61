"""Errors that models raise and send, and how any exception is told to a client."""

from __future__ import annotations

import os
import sys
from types import FrameType, TracebackType
from typing import Any

from .enums import TritonEnum

# An endless recursion is told by its innermost frames.
MOST_FRAMES = 100
WORKER_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class TritonModelException(Exception):
    """Misuse of this module, or a failure of the server that the model asked for something."""


class ErrorCode(TritonEnum):
    """Triton's error codes."""

    UNKNOWN = 0
    INTERNAL = 1
    NOT_FOUND = 2
    INVALID_ARG = 3
    UNAVAILABLE = 4
    UNSUPPORTED = 5
    ALREADY_EXISTS = 6
    CANCELLED = 7


# What models print of it.
ErrorCode.__name__ = "__ErrorCode"


class TritonError:
    """The error of one response: a message for the client and a code (INTERNAL unless told)."""

    UNKNOWN = ErrorCode.UNKNOWN
    INTERNAL = ErrorCode.INTERNAL
    NOT_FOUND = ErrorCode.NOT_FOUND
    INVALID_ARG = ErrorCode.INVALID_ARG
    UNAVAILABLE = ErrorCode.UNAVAILABLE
    UNSUPPORTED = ErrorCode.UNSUPPORTED
    ALREADY_EXISTS = ErrorCode.ALREADY_EXISTS
    CANCELLED = ErrorCode.CANCELLED

    __slots__ = ("_code", "_message")

    def __init__(self, message: str, code: ErrorCode = ErrorCode.INTERNAL) -> None:
        if not isinstance(message, str):
            raise TypeError(f"TritonError: message must be a str, got {type(message).__name__}")
        if not isinstance(code, ErrorCode):
            raise TypeError(f"TritonError: code must be one of TritonError's, got {code!r}")
        self._message = message
        self._code = code

    def message(self) -> str:
        """What the client reads."""
        return self._message

    def code(self) -> ErrorCode:
        """One of the codes of this class."""
        return self._code


def error_to_wire(error: TritonError) -> dict[str, Any]:
    """An error as a field of a frame."""
    return {"message": error.message(), "code": error.code().name}


def error_from_wire(error: dict[str, Any]) -> TritonError:
    """The error that the server sent; a code that this worker does not know is INTERNAL."""
    code = ErrorCode.__members__.get(error.get("code", "INTERNAL"), ErrorCode.INTERNAL)
    return TritonError(str(error.get("message", "")), code)


def describe(exception: BaseException) -> str:
    """An exception as Triton's clients read it: type, message and the frames from the innermost
    outwards.

    The frames of the worker itself are left out, as Triton's are compiled and have none. A misuse
    that the worker
    found on its own, outside of the model, is told by its message alone.
    """
    frames = _frames(exception.__traceback__)
    if isinstance(exception, TritonModelException) and not frames:
        return str(exception)
    failure = ""
    try:
        message = str(exception) or "<EMPTY MESSAGE>"
    except Exception as error:  # a model's own `__str__` may raise
        message = "<MESSAGE UNAVAILABLE DUE TO ANOTHER EXCEPTION>"
        failure = f"\nMESSAGE UNAVAILABLE DUE TO EXCEPTION: {type(error).__name__}: {error.args}"
    trace = f"\n\nAt:\n{frames}" if frames else ""
    return f"{type(exception).__name__}: {message}{trace}{failure}"


def _frames(traceback: TracebackType | None) -> str:
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame: FrameType | None = traceback.tb_frame
    lines: list[str] = []
    # The entry's name is what the command line said, whatever folder that is relative to.
    entry = getattr(sys.modules["__main__"], "__file__", None)
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith(WORKER_FOLDER) and code.co_filename != entry:
            if len(lines) == MOST_FRAMES:
                lines.append("  ...\n")
                break
            lines.append(f"  {code.co_filename}({frame.f_lineno}): {code.co_name}\n")
        frame = frame.f_back
    return "".join(lines)
