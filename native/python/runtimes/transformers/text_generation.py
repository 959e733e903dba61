"""Text that a model writes, whole or piece by piece."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import torch
import transformers
import triton_python_backend_utils as pb_utils
from nereid_runtimes.batch import tensor_of
from nereid_runtimes.completion import Io
from nereid_runtimes.datatypes import as_bytes, as_texts
from nereid_runtimes.options import number, parameter
from text_tasks import TEXT, _give_padding

DEFAULT_NEW_TOKENS = 64
MOST_NEW_TOKENS = 4096
# What a request, or the model's own parameters, may say; `max_tokens` is the name that others have for it.
OPTIONS: dict[str, Any] = {
    "max_new_tokens": int,
    "max_tokens": int,
    "min_new_tokens": int,
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "repetition_penalty": float,
    "seed": int,
}


class Generation:
    """`text_output` for each `text_input`; where the model is decoupled, as pieces of it.

    Parameters of the model or of a request: `max_new_tokens` (default 64), `temperature` (0 or none = the likeliest words), `top_p`,
    `top_k`, `repetition_penalty`, `seed`. The model's `max_new_tokens_limit` (default 4096) bounds what requests may ask.
    """

    BATCHES = False
    TASKS = {
        "text-generation": "AutoModelForCausalLM",
        "text2text-generation": "AutoModelForSeq2SeqLM",
    }

    @staticmethod
    def io(name: str, folder: Any, config: Mapping[str, Any]) -> tuple[Io, list[Io]]:
        return Io(name, TEXT, [-1]), [Io("text_output", TEXT, [-1])]

    def __init__(self, task: str, folder: Any, device: str, config: Mapping[str, Any]) -> None:
        self._input = config["input"][0]["name"]
        self._output = config["output"][0]["name"]
        self._device = device
        self._tokenizer = folder.tokenizer()
        _give_padding(self._tokenizer)
        self._tokenizer.padding_side = "left"
        self._model = folder.model(self.TASKS[task], device, config)
        self._goes_on = task == "text-generation"
        self._usual = {key: parameter(config, key) for key in OPTIONS if parameter(config, key) is not None}
        self._most = number(config, "max_new_tokens_limit") or MOST_NEW_TOKENS
        self._pieces = bool((config.get("model_transaction_policy") or {}).get("decoupled"))

    def execute(self, requests: list[Any]) -> list[Any] | None:
        if self._pieces:
            for request in requests:
                self._stream(request)
            return None
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        try:
            tensor = pb_utils.get_input_tensor_by_name(request, self._input).as_numpy()
            written = self._write([str(text) for text in as_texts(tensor).reshape(-1)], request)
            return self._response(as_bytes(written).reshape(tensor.shape))
        except Exception as error:
            return _failed(error)

    def _stream(self, request: Any) -> None:
        sender = request.get_response_sender()
        try:
            texts = as_texts(pb_utils.get_input_tensor_by_name(request, self._input).as_numpy()).reshape(-1)
            if len(texts) != 1:
                raise ValueError(f"a model that answers piece by piece takes one text at a time, not {len(texts)}")
            streamer = transformers.TextIteratorStreamer(
                self._tokenizer, skip_prompt=self._goes_on, skip_special_tokens=True
            )
            failures: list[Exception] = []

            def write() -> None:
                try:
                    self._write([str(texts[0])], request, streamer)
                except Exception as error:
                    failures.append(error)
                    streamer.end()

            writer = threading.Thread(target=write, daemon=True)
            writer.start()
            for piece in streamer:
                if piece and not request.is_cancelled():
                    sender.send(self._response(as_bytes([piece])))
            writer.join()
            if failures:
                raise failures[0]
        except Exception as error:
            sender.send(_failed(error), flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            return
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _write(self, texts: list[str], request: Any, streamer: Any = None) -> list[str]:
        options = self._options(request)
        seed = options.pop("seed", None)
        if seed is not None:
            torch.manual_seed(seed)
        tokens = self._tokenizer(texts, return_tensors="pt", padding=True)
        tokens = {key: value.to(self._device) for key, value in tokens.items() if key != "token_type_ids"}
        self._fit(options, tokens["input_ids"].shape[1])
        stop = transformers.StoppingCriteriaList([_Cancelled(request)])
        with torch.inference_mode():
            made = self._model.generate(
                **tokens,
                **options,
                streamer=streamer,
                stopping_criteria=stop,
                pad_token_id=self._tokenizer.pad_token_id,
            )
        begin = tokens["input_ids"].shape[1] if self._goes_on else 0
        return list(self._tokenizer.batch_decode(made[:, begin:], skip_special_tokens=True))

    def _options(self, request: Any) -> dict[str, Any]:
        asked = dict(self._usual)
        asked.update({key: value for key, value in json.loads(request.parameters() or "{}").items() if key in OPTIONS})
        options: dict[str, Any] = {}
        for key, value in asked.items():
            try:
                options[key] = OPTIONS[key](value)
            except (TypeError, ValueError):
                raise ValueError(f"parameter '{key}' must be a number, not '{value}'") from None
        count = options.pop("max_tokens", None)
        options.setdefault("max_new_tokens", DEFAULT_NEW_TOKENS if count is None else count)
        if not 1 <= options["max_new_tokens"] <= self._most:
            raise ValueError(f"max_new_tokens must be from 1 to {self._most}, not {options['max_new_tokens']}")
        temperature = options.get("temperature")
        options["do_sample"] = (
            bool(temperature) if temperature is not None else bool({"top_p", "top_k"} & options.keys())
        )
        if not options["do_sample"]:
            for key in ("temperature", "top_p", "top_k"):
                options.pop(key, None)
        return options

    def _fit(self, options: dict[str, Any], length: int) -> None:
        """Bounds what is written by the places that the model has."""
        places = getattr(self._model.config, "max_position_embeddings", None)
        if not self._goes_on or not places:
            return
        if length >= places:
            raise ValueError(f"the text has {length} tokens, the model takes fewer than {places}")
        options["max_new_tokens"] = min(options["max_new_tokens"], places - length)

    def _response(self, texts: Any) -> Any:
        return pb_utils.InferenceResponse([tensor_of(self._output, texts)])


class _Cancelled(transformers.StoppingCriteria):
    """Stops as soon as nobody waits for the text."""

    def __init__(self, request: Any) -> None:
        self._request = request

    def __call__(self, ids: Any, scores: Any, **_: Any) -> Any:
        return torch.full((ids.shape[0],), bool(self._request.is_cancelled()), device=ids.device)


def _failed(error: Exception) -> Any:
    text = f"transformers failed: {error}"
    code = pb_utils.TritonError.INVALID_ARG if isinstance(error, ValueError) else pb_utils.TritonError.INTERNAL
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(text, code))
