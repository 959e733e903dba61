"""Where a model's file is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import triton_python_backend_utils as pb_utils


def model_path(config: Mapping[str, Any], *usual: str) -> str:
    """The path of the configuration's `default_model_filename`, else of the first of `usual` that exists."""
    folder = pb_utils.get_model_dir()
    wanted = config.get("default_model_filename")
    candidates = [wanted] if wanted else []
    candidates += [name for name in usual if name != wanted]
    for name in candidates:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    raise pb_utils.TritonModelException(
        f"unable to find {' or '.join(repr(name) for name in candidates)} in '{folder}'"
    )
