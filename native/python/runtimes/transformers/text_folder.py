"""A folder with a model of transformers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import transformers
import triton_python_backend_utils as pb_utils
from nereid_runtimes.options import parameter

ARCHITECTURES = (
    ("ForSequenceClassification", "text-classification"),
    ("ForTokenClassification", "token-classification"),
    ("ForMaskedLM", "fill-mask"),
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForConditionalGeneration", "text2text-generation"),
    ("ForSeq2SeqLM", "text2text-generation"),
    ("Model", "feature-extraction"),
)


class Folder:
    """Loads what is in `path`, and nothing from elsewhere."""

    def __init__(self, path: str, trust: bool, pickles: bool) -> None:
        self.path = path
        self._options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": trust}
        self._pickles = pickles
        try:
            self.config = transformers.AutoConfig.from_pretrained(path, **self._options)
        except Exception as error:
            raise pb_utils.TritonModelException(self.failure(error)) from error

    def usual_task(self) -> str | None:
        """What the architecture that config.json names is for."""
        for architecture in getattr(self.config, "architectures", None) or []:
            for end, task in ARCHITECTURES:
                if architecture.endswith(end):
                    return task
        return None

    def tokenizer(self) -> Any:
        return transformers.AutoTokenizer.from_pretrained(self.path, **self._options)

    def model(self, kind: str, device: str, config: Mapping[str, Any]) -> Any:
        """The weights as a transformers class (`AutoModelFor…`), on `device`, ready to run."""
        options = dict(self._options)
        if not self._pickles:
            options["use_safetensors"] = True
        dtype = parameter(config, "dtype")
        if dtype:
            options["dtype"] = dtype
        return getattr(transformers, kind).from_pretrained(self.path, **options).to(device).eval()

    def sentence_file(self, name: str) -> Any:
        """A JSON file that folders of sentence-transformers have; None where there is none."""
        path = os.path.join(self.path, name)
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    def failure(self, error: Exception) -> str:
        """What to say of an error while loading, and what to do about it."""
        text = f"failed to load '{self.path}': {error}"
        if "trust_remote_code" in str(error):
            return (
                f"the model in '{self.path}' comes with code of its own: if you trust whoever wrote it, start the server "
                "with --backend-config=transformers,trust-remote-code=true"
            )
        if not self._pickles and "safetensors" in str(error):
            return (
                f"'{self.path}' has no model.safetensors. Weights in pickles (pytorch_model.bin) load only with "
                "--backend-config=transformers,allow-pickle=true; better, save the model again by save_pretrained "
                f"({error})"
            )
        return text
