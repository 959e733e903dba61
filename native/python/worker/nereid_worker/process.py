"""The process: what it inherits, how it is named, and its life from the first frame to the last."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import sys
from types import FrameType
from typing import Any

import numpy as np

from .channel import ChannelClosed, Frame
from .errors import TritonModelException, describe
from .loader import import_model, model_class
from .readiness import Readiness
from .runs import Runs
from .session import Session, enter

CHANNEL, INCOMING, OUTGOING = 3, 4, 5
# Out of the way of models that write to small numbers or close them.
FIRST_PRIVATE_DESCRIPTOR = 100

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


class _Terminated(BaseException):
    """The process was asked to end while it was idle."""


class Worker:
    """Serves the frames that are for the main thread, until `finish`, the end of the channel, or
    SIGTERM.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._idle = False
        self._terminating = False
        self._module: Any = None
        self._path = ""
        self._model: Any = None
        self._runs: Runs | None = None

    def serve(self) -> int:
        """The process's exit status."""
        signal.signal(signal.SIGTERM, self._terminate)
        try:
            while not self._terminating:
                frame = self._next()
                kind = frame["kind"]
                if kind == "run":
                    if self._runs is not None:
                        self._runs.run(frame)
                    continue
                if kind == "finish":
                    self._finalize()
                    self._session.channel.send({"kind": "finished"})
                    return 0
                if not self._begin(kind, frame):
                    return 1
        except _Terminated:
            pass
        except ChannelClosed:
            pass
        self._finalize()
        return 0

    def _next(self) -> Frame:
        tasks = self._session.tasks
        if tasks:
            return tasks.popleft()
        self._idle = True
        try:
            return self._session.next_task()
        finally:
            self._idle = False

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        self._terminating = True
        if self._idle:
            raise _Terminated

    def _begin(self, kind: str, frame: Frame) -> bool:
        """Opens or starts the model; false where it failed, which ends the process."""
        try:
            reply = self._open(frame) if kind == "open" else self._start(frame)
        except ChannelClosed:
            raise
        except (
            BaseException
        ) as error:  # also SystemExit: a model that exits is one that cannot be loaded
            self._session.channel.send(
                {"kind": "failed", "error": {"message": describe(error), "code": "INTERNAL"}}
            )
            return False
        self._session.channel.send(reply)
        return True

    def _open(self, frame: Frame) -> Frame:
        session = self._session
        memory = frame.get("memory")
        if memory:
            session.outgoing.configure(memory[0], memory[1])
        session.credits = frame.get("credits")
        arguments = frame.get("args") or {}
        name = arguments.get("model_name", "")
        _name_process(name)
        self._path = frame["path"]
        session.instance_name = name
        # A module that all models of a backend share does not lie in their folders.
        session.model_folder = frame.get("folder") or os.path.dirname(self._path)
        self._module = import_model(self._path)
        model = model_class(self._module)
        config = None
        if frame.get("complete"):
            config = self._complete(model, frame["config"], name)
        return {
            "kind": "opened",
            "config": config,
            "ready": hasattr(model, "is_ready"),
            "python": ".".join(map(str, sys.version_info[:3])),
            "numpy": np.__version__,
        }

    def _complete(self, model: Any, config: str, name: str) -> str | None:
        from .model_config import ModelConfig

        complete = getattr(model, "auto_complete_config", None)
        if complete is None:
            return None
        result = complete(ModelConfig(config))
        if not isinstance(result, ModelConfig):
            raise TritonModelException(
                f"auto_complete_config function in model '{name}' must return a valid "
                f"pb.ModelConfig object."
            )
        return json.dumps(result.as_dict())

    def _start(self, frame: Frame) -> Frame:
        session = self._session
        arguments = frame["args"]
        session.instance_name = arguments["model_instance_name"]
        _name_process(session.instance_name)
        config = json.loads(arguments["model_config"])
        session.output_names = frozenset(output["name"] for output in config.get("output", ()))
        self._model = model_class(self._module)()
        if hasattr(self._model, "initialize"):
            self._model.initialize(arguments)
        self._runs = Runs(session, self._model, self._path)
        if hasattr(self._model, "is_ready"):
            self._runs.readiness = Readiness(session.channel, self._runs.ready)
            session.readiness = self._runs.readiness
        session.initialized = True
        return {"kind": "started"}

    def _finalize(self) -> None:
        self._session.initialized = False
        if self._runs is None:
            return
        self._runs.close()
        self._runs = None
        if hasattr(self._model, "finalize"):
            try:
                self._model.finalize()
            except BaseException as error:
                print(describe(error), file=sys.stderr)


def run() -> int:
    """Serves the descriptors that the server gave; the exit status."""
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    descriptors = []
    for descriptor in (CHANNEL, INCOMING, OUTGOING):
        descriptors.append(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_PRIVATE_DESCRIPTOR))
        os.close(descriptor)
    session = Session(*descriptors)
    enter(session)
    os.register_at_fork(after_in_child=session.channel.abandon)
    for stream in (sys.stdout, sys.stderr):
        # A line that the model prints is seen at once.
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    return Worker(session).serve()


def _end_with_parent() -> None:
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (AttributeError, OSError):
        pass  # another system: the end of the channel ends the worker there


def _name_process(name: str) -> None:
    try:
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
    except (AttributeError, OSError):
        pass
