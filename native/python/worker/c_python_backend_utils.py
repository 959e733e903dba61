"""The name by which some models import the compiled half of Triton's module: the same one here."""

from triton_python_backend_utils import *  # noqa: F403
