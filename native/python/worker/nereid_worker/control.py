"""Loading, unloading and asking after models of the server."""

from __future__ import annotations

import base64
import re
from typing import Any

from .errors import TritonModelException
from .session import current


def load_model(model_name: str, config: str = "", files: dict[str, bytes] | None = None) -> None:
    """Loads a model, by the configuration (JSON text) and the files given if any.

    Raises TritonModelException where the server does not load it, or does not let models load any.
    """
    if files is not None and not isinstance(files, dict):
        raise TritonModelException(
            f"failed to load model '{model_name}', files should be a dictionary of file paths and "
            f"file contents"
        )
    frame: dict[str, Any] = {
        "kind": "control",
        "action": "load",
        "model": model_name,
        "config": config,
    }
    if files:
        frame["files"] = {
            # Triton has models say `file:` themselves.
            (path[len("file:") :] if path.startswith("file:") else path): base64.b64encode(
                content if isinstance(content, bytes) else str(content).encode()
            ).decode()
            for path, content in files.items()
        }
    _control("Failed to load model", frame)


def unload_model(model_name: str, unload_dependents: bool = False) -> None:
    """Unloads a model, with those that only it needs if asked to. Raises TritonModelException where
    it is refused.
    """
    frame = {
        "kind": "control",
        "action": "unload",
        "model": model_name,
        "dependents": bool(unload_dependents),
    }
    _control("Failed to unload model", frame)


def is_model_ready(model_name: str, model_version: str = "") -> bool:
    """Whether a model (the version that its policy chooses unless told) is ready."""
    version = str(model_version)
    failure = "Failed to check model readiness"
    if version and not re.match(r"\s*\+?\d", version):
        details = "" if re.match(r"\s*-\d", version) else " (details: stol)"
        message = (
            f"failed to get model version from specified version string '{version}'{details}, "
        )
        raise current().refusal(failure, message + "version should be an integral value > 0")
    frame = {"kind": "control", "action": "ready", "model": model_name, "version": version}
    return bool(_control(failure, frame))


def _control(failure: str, frame: dict[str, Any]) -> Any:
    return current().ask(failure, "call", frame).get("result")
