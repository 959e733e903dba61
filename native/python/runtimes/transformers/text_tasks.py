"""Tasks that make one result of each text, many texts at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import transformers
from nereid_runtimes.completion import Io
from nereid_runtimes.datatypes import as_bytes
from nereid_runtimes.options import flag, number, parameter

Results = dict[str, Any]
TEXT = "TYPE_STRING"


class Classification:
    """`label` and `score` of the best labels. Parameter `top_k` (default 1)."""

    BATCHES = True

    @staticmethod
    def io(name: str, folder: Any, config: Mapping[str, Any]) -> tuple[Io, list[Io]]:
        best = min(number(config, "top_k") or 1, int(folder.config.num_labels))
        return Io(name, TEXT, [1]), [Io("label", TEXT, [best]), Io("score", "TYPE_FP32", [best])]

    def __init__(self, folder: Any, device: str, config: Mapping[str, Any]) -> None:
        self._best = min(number(config, "top_k") or 1, int(folder.config.num_labels))
        self._pipeline = _pipeline("text-classification", "AutoModelForSequenceClassification", folder, device, config)

    def __call__(self, texts: Sequence[str]) -> Results:
        made = self._pipeline(list(texts), top_k=self._best, batch_size=len(texts), truncation=True)
        return _columns(made, {"label": "label", "score": "score"})


class Filling:
    """`token`, `score` and `sequence` of the best words for the mask. Parameter `top_k` (default 5)."""

    BATCHES = True

    @staticmethod
    def io(name: str, folder: Any, config: Mapping[str, Any]) -> tuple[Io, list[Io]]:
        best = number(config, "top_k") or 5
        made = [
            Io("token", TEXT, [best]),
            Io("score", "TYPE_FP32", [best]),
            Io("sequence", TEXT, [best]),
        ]
        return Io(name, TEXT, [1]), made

    def __init__(self, folder: Any, device: str, config: Mapping[str, Any]) -> None:
        self._best = number(config, "top_k") or 5
        self._pipeline = _pipeline("fill-mask", "AutoModelForMaskedLM", folder, device, config)

    def __call__(self, texts: Sequence[str]) -> Results:
        made = self._pipeline(list(texts), top_k=self._best, batch_size=len(texts))
        if len(texts) == 1 and made and isinstance(made[0], dict):
            made = [made]
        if any(isinstance(one[0], list) for one in made):
            raise ValueError("each text must have one mask")
        return _columns(made, {"token": "token_str", "score": "score", "sequence": "sequence"})


class Entities:
    """`entities`: a JSON list for each text. Parameter `aggregation_strategy` (default `simple`)."""

    BATCHES = True

    @staticmethod
    def io(name: str, folder: Any, config: Mapping[str, Any]) -> tuple[Io, list[Io]]:
        return Io(name, TEXT, [1]), [Io("entities", TEXT, [1])]

    def __init__(self, folder: Any, device: str, config: Mapping[str, Any]) -> None:
        self._strategy = parameter(config, "aggregation_strategy") or "simple"
        self._pipeline = _pipeline("token-classification", "AutoModelForTokenClassification", folder, device, config)

    def __call__(self, texts: Sequence[str]) -> Results:
        made = self._pipeline(list(texts), aggregation_strategy=self._strategy, batch_size=len(texts))
        return {"entities": as_bytes([json.dumps(one, default=float, ensure_ascii=False) for one in made])}


class Embedding:
    """`embedding`. Parameters `pooling` (`mean`, `cls`, `last`) and `normalize`, else as sentence-transformers' files say."""

    BATCHES = True

    @staticmethod
    def io(name: str, folder: Any, config: Mapping[str, Any]) -> tuple[Io, list[Io]]:
        return Io(name, TEXT, [1]), [Io("embedding", "TYPE_FP32", [int(folder.config.hidden_size)])]

    def __init__(self, folder: Any, device: str, config: Mapping[str, Any]) -> None:
        self._device = device
        self._tokenizer = folder.tokenizer()
        _give_padding(self._tokenizer)
        self._model = folder.model("AutoModel", device, config)
        modules = folder.sentence_file("modules.json") or []
        pooling = folder.sentence_file("1_Pooling/config.json") or {}
        usual = "cls" if pooling.get("pooling_mode_cls_token") else "mean"
        self._pooling = parameter(config, "pooling") or usual
        if self._pooling not in ("mean", "cls", "last"):
            raise ValueError(f"pooling must be mean, cls or last, not '{self._pooling}'")
        normalize = flag(config, "normalize")
        ends = any(str(module.get("type", "")).endswith("Normalize") for module in modules)
        self._normalize = ends if normalize is None else normalize

    def __call__(self, texts: Sequence[str]) -> Results:
        limit = _length(self._tokenizer, self._model)
        tokens = self._tokenizer(
            list(texts),
            return_tensors="pt",
            padding=True,
            truncation=limit is not None,
            max_length=limit,
        )
        tokens = tokens.to(self._device)
        with torch.inference_mode():
            hidden = self._model(**tokens).last_hidden_state.float()
        pooled = _pool(hidden, tokens["attention_mask"], self._pooling)
        if self._normalize:
            pooled = torch.nn.functional.normalize(pooled, dim=1)
        return {"embedding": pooled.cpu().numpy()}


TASKS: dict[str, Any] = {
    "text-classification": Classification,
    "token-classification": Entities,
    "fill-mask": Filling,
    "feature-extraction": Embedding,
}


def _pipeline(task: str, kind: str, folder: Any, device: str, config: Mapping[str, Any]) -> Any:
    tokenizer = folder.tokenizer()
    _give_padding(tokenizer)
    model = folder.model(kind, device, config)
    if getattr(model.config, "pad_token_id", None) is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    return transformers.pipeline(task, model=model, tokenizer=tokenizer, device=device)


def _give_padding(tokenizer: Any) -> None:
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token


def _length(tokenizer: Any, model: Any) -> Any:
    """The most tokens that a text may have; None where the model does not say."""
    most = getattr(model.config, "max_position_embeddings", None)
    limit = min(int(tokenizer.model_max_length), int(most or 1 << 30))
    return limit if limit < 1 << 30 else None


def _pool(hidden: Any, mask: Any, pooling: str) -> Any:
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        # The last position that is no padding, on whichever side that is.
        places = torch.arange(mask.shape[1], device=mask.device)
        return hidden[torch.arange(len(hidden)), (mask * (places + 1)).argmax(dim=1)]
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)


def _columns(made: Sequence[Sequence[Mapping[str, Any]]], keys: Mapping[str, str]) -> Results:
    columns = {}
    for name, key in keys.items():
        rows = [[one[key] for one in row] for row in made]
        columns[name] = np.array(rows, dtype=np.float32) if key == "score" else as_bytes(rows)
    return columns
