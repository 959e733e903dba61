"""What users set: `--backend-config` pairs of the backend, and parameters of the model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import triton_python_backend_utils as pb_utils

DEFAULT_BATCH_LIMIT = 64
TRUE = ("1", "true", "yes", "on")
FALSE = ("", "0", "false", "no", "off")


def settings() -> dict[str, str]:
    """The `--backend-config` pairs of this backend."""
    found: dict[str, str] = json.loads(os.environ.get("NEREID_BACKEND_CONFIG") or "{}")
    return found


def setting(name: str) -> bool:
    """Whether `--backend-config=<backend>,<name>=true` was given."""
    return boolean(settings().get(name, ""), f"backend setting '{name}'")


def parameter(config: Mapping[str, Any], name: str) -> str | None:
    """The text of a model's parameter; None where there is none."""
    found = (config.get("parameters") or {}).get(name)
    if found is None:
        return None
    return str(found.get("string_value", "")) if isinstance(found, dict) else str(found)


def flag(config: Mapping[str, Any], name: str) -> bool | None:
    """A parameter that is true or false; None where there is none."""
    text = parameter(config, name)
    return None if text is None else boolean(text, f"parameter '{name}'")


def number(config: Mapping[str, Any], name: str) -> int | None:
    """A parameter that is a whole number; None where there is none."""
    text = parameter(config, name)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise pb_utils.TritonModelException(
            f"failed to convert '{text}' to a whole number for parameter '{name}'"
        ) from None


def words(config: Mapping[str, Any], name: str) -> list[str]:
    """A parameter that is a list with commas between; [] where there is none."""
    return [word.strip() for word in (parameter(config, name) or "").split(",") if word.strip()]


def batch_limit() -> int:
    """The `max_batch_size` of models whose users name none: `default-max-batch-size` of the backend, else 64."""
    text = settings().get("default-max-batch-size", "")
    return int(text) if text.isdigit() else DEFAULT_BATCH_LIMIT


def boolean(text: str, what: str) -> bool:
    """`text` as true or false."""
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise pb_utils.TritonModelException(f"failed to convert '{text}' to boolean for {what}")
