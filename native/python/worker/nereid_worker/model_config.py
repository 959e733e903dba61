"""What `auto_complete_config` gets and returns: a configuration that may be completed but not
contradicted.
"""

from __future__ import annotations

import json
from typing import Any

_INPUT_PROPERTIES = ("name", "data_type", "dims", "optional")
_OUTPUT_PROPERTIES = ("name", "data_type", "dims")


class ModelConfig:
    """A model's configuration, from its JSON text. What it says already stands: a contradiction
    raises ValueError.
    """

    def __init__(self, model_config: str) -> None:
        self._model_config: dict[str, Any] = json.loads(model_config)

    def as_dict(self) -> dict[str, Any]:
        """The configuration, to be read."""
        return self._model_config

    def set_max_batch_size(self, max_batch_size: int) -> None:
        """Sets the largest batch; raises ValueError where the configuration has a larger one."""
        config = self._model_config
        stated = config.get("max_batch_size", 0)
        if stated > max_batch_size:
            raise ValueError(
                f"configuration specified max_batch_size {stated}, but in auto-complete-config "
                f"function for model "
                f"'{config['name']}' specified max_batch_size {max_batch_size}"
            )
        config["max_batch_size"] = max_batch_size

    def set_dynamic_batching(self) -> None:
        """Chooses dynamic batching; raises ValueError where the configuration has chosen another
        scheduler.
        """
        config = self._model_config
        for scheduler in ("sequence_batching", "ensemble_scheduling"):
            if scheduler in config:
                raise ValueError(
                    f"Configuration specified scheduling_choice as '{scheduler}', but "
                    f"auto-complete-config function "
                    f"for model '{config['name']}' tries to set scheduling_choice as "
                    f"'dynamic_batching'"
                )
        config.setdefault("dynamic_batching", {})

    def add_input(self, input: dict[str, Any]) -> None:
        """Adds an input (`name`, `data_type`, `dims`, and `optional` if it is); raises ValueError
        for a contradiction.
        """
        self._add("input", input, _INPUT_PROPERTIES)

    def add_output(self, output: dict[str, Any]) -> None:
        """Adds an output (`name`, `data_type`, `dims`); raises ValueError for a contradiction."""
        self._add("output", output, _OUTPUT_PROPERTIES)

    def set_model_transaction_policy(self, transaction_policy_dict: dict[str, Any]) -> None:
        """Sets `decoupled`; raises ValueError where the configuration says otherwise."""
        config = self._model_config
        for key in transaction_policy_dict:
            if key != "decoupled":
                raise ValueError(
                    f"model transaction property in auto-complete-config function for model "
                    f"'{config['name']}' "
                    "contains property other than 'decoupled'."
                )
        policy = config.setdefault("model_transaction_policy", {})
        if "decoupled" not in transaction_policy_dict:
            return
        decoupled = transaction_policy_dict["decoupled"]
        if "decoupled" in policy and policy["decoupled"] != decoupled:
            raise ValueError(
                f"trying to change decoupled property in auto-complete-config for model "
                f"'{config['name']}', which is "
                f"already set to '{policy['decoupled']}'."
            )
        policy["decoupled"] = decoupled

    def _add(self, direction: str, tensor: dict[str, Any], properties: tuple[str, ...]) -> None:
        model = self._model_config["name"]
        where = f"in auto-complete-config function for model '{model}'"
        for key in tensor:
            if key not in properties:
                listed = "', '".join(properties[:-1])
                raise ValueError(
                    f"{direction} '{tensor['name']}' {where} contains property other than "
                    f"'{listed}' and "
                    f"'{properties[-1]}'."
                )
        for key in ("name", "data_type", "dims"):
            if key not in tensor:
                subject = direction if key == "name" else f"{direction} '{tensor['name']}'"
                raise ValueError(f"{subject} {where} is missing '{key}' property.")
        tensors = self._model_config.setdefault(direction, [])
        for stated in tensors:
            if stated["name"] == tensor["name"]:
                _merge(model, direction, stated, tensor)
                return
        tensors.append(tensor)


def _merge(model: str, direction: str, stated: dict[str, Any], tensor: dict[str, Any]) -> None:
    name = tensor["name"]
    data_type = stated.get("data_type", "TYPE_INVALID")
    if data_type not in ("TYPE_INVALID", tensor["data_type"]):
        raise ValueError(
            f"unable to load model '{model}', configuration expects datatype {data_type} for "
            f"{direction} '{name}', "
            f"model provides {tensor['data_type']}"
        )
    for key in ("dims", "optional"):
        if key == "optional" and not (key in stated and key in tensor):
            continue
        current = stated.get(key)
        contradicted = (
            current != tensor[key] if key == "optional" else current and current != tensor[key]
        )
        if contradicted:
            raise ValueError(
                f"model '{model}', tensor '{name}': the model expects {key} {tensor[key]} but the "
                f"model configuration "
                f"specifies {key} {current}"
            )
    stated["data_type"] = tensor["data_type"]
    stated["dims"] = tensor["dims"]
    if "optional" in tensor:
        stated["optional"] = tensor["optional"]
