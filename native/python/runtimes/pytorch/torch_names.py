"""Which input and output of a model a name means, as Triton's PyTorch backend has it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Callable

import triton_python_backend_utils as pb_utils
from torch.utils import _pytree as pytree

Tensors = dict[str, Any]
INDEXED = re.compile(r"^.*?__(\d+)$")


class Script:
    """A TorchScript module: names are those of `forward`'s arguments, else `<anything>__<index>`, else the order counts."""

    def __init__(self, module: Any, config: Mapping[str, Any], model: str) -> None:
        module.eval()
        self._module = module
        arguments = [one for one in module.forward.schema.arguments if one.type.kind() != "ClassType"]
        kinds = [one.type.kind() for one in arguments]
        self._dict = kinds == ["DictType"]
        given = _names(config, "input") + _added(config)
        if not self._dict:
            _check(arguments, kinds, len(given), model)
        self._inputs = indices(given, [one.name for one in arguments])
        self._outputs = indices(_names(config, "output"), [])

    def __call__(self, tensors: Tensors) -> Tensors:
        if self._dict:
            made = self._module(tensors)
        else:
            arguments: list[Any] = [None] * len(tensors)
            for name, tensor in tensors.items():
                arguments[self._inputs[name]] = tensor
            made = self._module(*arguments)
        if isinstance(made, dict):
            raise TypeError(
                "output must be of type Tensor, List[str] or Tuple containing one of these two types. "
                "It should not be a List / Dictionary of Tensors or a Scalar"
            )
        return _pick(self._outputs, list(made) if isinstance(made, tuple) else [made])


class Tree:
    """A model with a call specification: `INPUT__0` or `ARGS[0]` or `KWARGS[name]` or a graph's own name; `OUTPUT__0` or `RESULT[0]`."""

    def __init__(
        self,
        call: Callable[..., Any],
        given: Any,
        made: Any,
        config: Mapping[str, Any],
        own: Sequence[str] = (),
    ) -> None:
        self._call = call
        self._given = given
        count = given.num_leaves
        self._count = count
        paths = _paths(given, lambda tree: {"ARGS": tree[0], "KWARGS": tree[1]})
        known = [{path: at for at, path in enumerate(paths)}]
        if len(own) == count:
            known.append({name: at for at, name in enumerate(own)})
        inputs = _names(config, "input")
        if len(inputs) != count:
            raise pb_utils.TritonModelException(
                f"configuration expects {len(inputs)} inputs, model provides {count}: {', '.join(paths)}"
            )
        self._inputs = _resolve(inputs, known, count, "input")
        results = _paths(made, lambda tree: {"RESULT": tree})
        known = [{path: at for at, path in enumerate(results)}]
        self._outputs = _resolve(_names(config, "output"), known, len(results), "output")

    def __call__(self, tensors: Tensors) -> Tensors:
        flat: list[Any] = [None] * self._count
        for name, tensor in tensors.items():
            flat[self._inputs[name]] = tensor
        args, kwargs = pytree.tree_unflatten(flat, self._given)
        return _pick(self._outputs, pytree.tree_leaves(self._call(*args, **kwargs)))


def indices(names: Sequence[str], arguments: Sequence[str]) -> dict[str, int]:
    """Where each of `names` stands: all are arguments, or all end in `__<index>`, or they stand in the order given."""
    if arguments and all(name in arguments for name in names):
        return {name: arguments.index(name) for name in names}
    ends = [INDEXED.match(name) for name in names]
    if not all(ends):
        return {name: at for at, name in enumerate(names)}
    return {name: int(end.group(1)) for name, end in zip(names, ends) if end}


def _resolve(names: Sequence[str], known: Sequence[dict[str, int]], count: int, what: str) -> dict[str, int]:
    for places in known:
        if all(name in places for name in names):
            return {name: places[name] for name in names}
    ends = [re.fullmatch(rf"{what.upper()}__(\d+)", name) for name in names]
    places = {name: int(end.group(1)) for name, end in zip(names, ends) if end}
    if len(places) != len(names) or any(at >= count for at in places.values()):
        has = "; or ".join(", ".join(places) for places in known)
        raise pb_utils.TritonModelException(
            f"the model has no such {what}s as {', '.join(names)}: name them {what.upper()}__0 to {what.upper()}__{count - 1}, or {has}"
        )
    return places


def _paths(spec: Any, named: Callable[[Any], dict[str, Any]]) -> list[str]:
    """The name of each leaf, in the order of the leaves: `ARGS[2][key]`."""
    tree = pytree.tree_unflatten(list(range(spec.num_leaves)), spec)
    names: dict[int, str] = {}
    for root, branch in named(tree).items():
        for keys, leaf in pytree.tree_flatten_with_path(branch)[0]:
            names[leaf] = root + "".join(f"[{getattr(key, 'key', getattr(key, 'idx', key))}]" for key in keys)
    return [names[at] for at in range(spec.num_leaves)]


def _check(arguments: Sequence[Any], kinds: Sequence[str], count: int, model: str) -> None:
    if kinds.count("DictType") > 1:
        raise pb_utils.TritonModelException(
            "Multiple inputs of kind DictType were detected. Only a single input of type Dict(str, Tensor) is supported."
        )
    for argument, kind in zip(arguments, kinds):
        if kind not in ("TensorType", "ListType"):
            raise pb_utils.TritonModelException(
                f"An input of type '{argument.type}' was detected in the model. Only a single input of type "
                "Dict(str, Tensor) or input(s) of type Tensor are supported."
            )
    if len(arguments) != count:
        raise pb_utils.TritonModelException(
            f"unable to load model '{model}', configuration expects {count} inputs, model provides {len(arguments)}"
        )


def _added(config: Mapping[str, Any]) -> list[str]:
    """Inputs that the server adds to a request's own: those of sequences and of batches."""
    controls = (config.get("sequence_batching") or {}).get("control_input") or []
    names = [control["name"] for control in controls]
    return names + [name for one in config.get("batch_input") or [] for name in one.get("target_name") or []]


def _names(config: Mapping[str, Any], section: str) -> list[str]:
    return [io["name"] for io in config.get(section) or []]


def _pick(places: dict[str, int], outputs: Sequence[Any]) -> Tensors:
    return {name: outputs[at] for name, at in places.items() if at < len(outputs)}
