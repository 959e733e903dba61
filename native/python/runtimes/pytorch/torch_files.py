"""Reads models of PyTorch, each kind as a call from tensors by name to tensors by name."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, Callable

import torch
import triton_python_backend_utils as pb_utils
from nereid_runtimes.completion import Io
from nereid_runtimes.datatypes import CONFIG_TYPES
from nereid_runtimes.files import model_path
from nereid_runtimes.options import parameter, setting
from torch_names import Script, Tree

Tensors = dict[str, Any]
FILES = ("model.pt", "model.pt2")


def model_kind(config: Mapping[str, Any]) -> tuple[str, str]:
    """Of which kind the model's file is, and its path: `module`, `package`, `program` or `script`."""
    own = os.path.join(pb_utils.get_model_dir(), "model.py")
    if os.path.exists(own):
        return "module", own
    path = model_path(config, *FILES)
    if not zipfile.is_zipfile(path):
        raise _unknown(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
    if any("/aotinductor/" in member for member in members):
        return "package", path
    if any(member.endswith("/constants.pkl") for member in members):
        return "script", path
    if any("/models/" in member or "exported_program" in member for member in members):
        return "program", path
    raise _unknown(path)


def load_model(config: Mapping[str, Any], device: torch.device | None, name: str) -> Callable[[Tensors], Tensors]:
    """The model, on `device` (None = where it was saved)."""
    kind, path = model_kind(config)
    try:
        if kind == "module":
            return PythonModule(path, config, device)
        if kind == "script":
            return Script(torch.jit.load(path, map_location=device), config, name)
        if kind == "package":
            return _package(path, config, device)
        return _program(path, config, device)
    except pb_utils.TritonModelException:
        raise
    except Exception as error:
        raise pb_utils.TritonModelException(f"failed to load model '{name}': {error}") from error


def _package(path: str, config: Mapping[str, Any], device: torch.device | None) -> Tree:
    index = -1 if device is None or device.type == "cpu" else device.index
    compiled = torch._inductor.aoti_load_package(path, device_index=index)
    given, made = compiled.loader.get_call_spec()
    load = torch.utils._pytree.treespec_loads
    return Tree(compiled, load(given), load(made), config)


def _program(path: str, config: Mapping[str, Any], device: torch.device | None) -> Tree:
    program = read_program(path)
    if device is not None and device.type != "cpu":
        program = torch.export.passes.move_to_device_pass(program, device)
    spec = program.call_spec
    return Tree(program.module(), spec.in_spec, spec.out_spec, config, program.graph_signature.user_inputs)


def read_program(path: str) -> Any:
    """A `torch.export` program. Pickles in its file may make tensors and nothing else, unless the administrator allows it."""
    if setting("allow-pickle"):
        return torch.export.load(path)
    with zipfile.ZipFile(path) as archive:
        if any("/constants/opaque" in member for member in archive.namelist()):
            raise _pickled(path)
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    try:
        return torch.export.load(path)
    except pickle.UnpicklingError as error:
        raise _pickled(path) from error


def _pickled(path: str) -> Exception:
    return pb_utils.TritonModelException(
        f"'{os.path.basename(path)}' has pickled objects, which can run any code while they are read: if you trust whoever "
        "wrote it, start the server with --backend-config=pytorch,allow-pickle=true"
    )


def program_io(path: str) -> tuple[list[Io], list[Io], bool]:
    """What a `torch.export` program takes and makes, and whether the first dimension of all of it is free."""
    program = read_program(path)
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    signature = program.graph_signature
    given = [values[name] for name in signature.user_inputs]
    made = [values[name] for name in signature.user_outputs]
    if not all(isinstance(value, torch.Tensor) for value in given + made):
        raise pb_utils.TritonModelException(
            "the program has inputs or outputs that are no tensors: write its inputs and outputs into config.pbtxt"
        )
    batches = all(value.dim() > 0 and not isinstance(value.shape[0], int) for value in given + made)
    return (
        [_io(f"INPUT__{index}", value, batches) for index, value in enumerate(given)],
        [_io(f"OUTPUT__{index}", value, batches) for index, value in enumerate(made)],
        batches,
    )


def _io(name: str, value: torch.Tensor, batches: bool) -> Io:
    dims = [size if isinstance(size, int) else -1 for size in value.shape]
    kind = CONFIG_TYPES.get(str(value.dtype).replace("torch.", ""))
    if kind is None:
        raise pb_utils.TritonModelException(f"'{name}' has type {value.dtype}, which no request can have")
    return Io(name, kind, dims[1:] if batches else dims)


class PythonModule:
    """The class of a `model.py`, with the weights of the file beside it; inputs and outputs in the configuration's order."""

    def __init__(self, path: str, config: Mapping[str, Any], device: torch.device | None) -> None:
        spec = importlib.util.spec_from_file_location("nereid_pytorch_model", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        model = _class_of(module, path)()
        weights = _weights(path, config)
        if weights is not None:
            model.load_state_dict(torch.load(weights, map_location=device, weights_only=True))
        if device is not None:
            model.to(device)
        model.eval()
        options = parameter(config, "TORCH_COMPILE_OPTIONAL_PARAMETERS")
        self._model = model if options is None else torch.compile(model, **json.loads(options))
        self._inputs = [io["name"] for io in config["input"]]
        self._outputs = [io["name"] for io in config["output"]]
        self.description = (
            f"{type(model).__name__} with {os.path.basename(weights) if weights else 'no file of weights'}"
        )

    def __call__(self, tensors: Tensors) -> Tensors:
        made = self._model(*[tensors[name] for name in self._inputs])
        return dict(zip(self._outputs, made if isinstance(made, (list, tuple)) else [made]))


def _class_of(module: Any, path: str) -> Any:
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, torch.nn.Module) and value.__module__ == module.__name__
    ]
    if not own:
        raise pb_utils.TritonModelException(f"'{path}' has no subclass of torch.nn.Module")
    return own[0] if len(own) == 1 else _outermost(own, path)


def _outermost(classes: Sequence[Any], path: str) -> Any:
    for wanted in ("Model", "Net", "Module"):
        for found in classes:
            if found.__name__ == wanted:
                return found
    names = ", ".join(found.__name__ for found in classes)
    raise pb_utils.TritonModelException(
        f"'{path}' has several subclasses of torch.nn.Module ({names}): name one of them Model"
    )


def _weights(path: str, config: Mapping[str, Any]) -> str | None:
    folder = os.path.dirname(path)
    for name in (config.get("default_model_filename") or "", "model.pt", "model.pth"):
        if name.endswith((".pt", ".pth")) and os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    return None


def _unknown(path: str) -> Exception:
    return pb_utils.TritonModelException(
        f"'{os.path.basename(path)}' is no TorchScript file (torch.jit.save), no torch.export program (torch.export.save) "
        "and no compiled package (aoti_compile_and_package); a file of torch.save is weights only and needs a model.py beside it"
    )
