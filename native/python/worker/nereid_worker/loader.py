"""Finding and importing the model's class."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any

from .errors import TritonModelException


def import_model(path: str) -> ModuleType:
    """Imports a model file; raises TritonModelException where there is none, and what the file
    raises.

    A model of a version folder (`add/1/model.py`) is imported as `1.model`, so that it can import
    its neighbours both
    absolutely and relatively; anything else (a backend written in Python) by its own name.
    """
    if not os.path.exists(path):
        raise TritonModelException(f"Python model file not found in '{path}'")
    folder, file = os.path.split(path)
    name, extension = os.path.splitext(file)
    if extension != ".py":
        raise TritonModelException(f"Model name must end with '.py'. Model name is \"{file}\".")
    parent, version = os.path.split(folder)
    # The worker's own folder comes last, as the backend's does with Triton.
    sys.path[-1:-1] = [folder]
    if not version.isdigit():
        __import__(name)
        return sys.modules[name]
    sys.path[-1:-1] = [parent]
    module = f"{version}.{name}"
    __import__(module)
    return sys.modules[module]


def model_class(module: ModuleType) -> Any:
    """The class that the file must define."""
    return module.TritonPythonModel
