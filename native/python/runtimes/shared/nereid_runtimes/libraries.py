"""Libraries that a runtime cannot do without, and how to get them."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import triton_python_backend_utils as pb_utils


def need(module: str, install: str) -> Any:
    """The module, or an error that says how to install it for the Python that runs this.

    `install`: what pip is to be asked for, one or more packages as on its command line.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise pb_utils.TritonModelException(
            f"this model needs the Python package '{module.partition('.')[0]}', which {sys.executable} "
            f"cannot import ({error}): {sys.executable} -m pip install {install}"
        ) from error
