"""Serves a folder of Hugging Face transformers (config.json, tokenizer and weights) as texts in, results out.

Parameters: `task` (default: what the architecture in config.json is for), and those of the task (see text_tasks.py and
text_generation.py). Nothing is read from the network. Code that comes with a model runs only with
`--backend-config=transformers,trust-remote-code=true`, weights that are pickles load only with `allow-pickle=true`.
"""

from __future__ import annotations

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "shared"), HERE]
# Before the library is imported: whatever it would fetch is missing then, and says so.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import triton_python_backend_utils as pb_utils
from nereid_runtimes.batch import Batcher
from nereid_runtimes.completion import complete
from nereid_runtimes.datatypes import as_texts
from nereid_runtimes.files import model_path
from nereid_runtimes.libraries import need
from nereid_runtimes.options import parameter, setting

need("torch", "torch transformers")
need("transformers", "transformers").utils.logging.disable_progress_bar()

from text_folder import Folder
from text_generation import Generation
from text_tasks import TASKS

INPUT = "text_input"


def task_of(config, folder):
    """What is asked of the model: its parameter, else what its architecture says."""
    task = parameter(config, "task") or folder.usual_task()
    known = [*TASKS, *Generation.TASKS]
    if task not in known:
        raise pb_utils.TritonModelException(
            f"this runtime has no task '{task or ''}': set the model's parameter 'task' to one of {', '.join(known)}"
        )
    return task


def open_folder(config):
    path = model_path(config, "config.json")
    return Folder(
        path if os.path.isdir(path) else os.path.dirname(path),
        trust=setting("trust-remote-code"),
        pickles=setting("allow-pickle"),
    )


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(auto_complete_model_config):
        config = auto_complete_model_config.as_dict()
        if config.get("input") and config.get("output"):
            return auto_complete_model_config
        folder = open_folder(config)
        task = task_of(config, folder)
        kind = Generation if task in Generation.TASKS else TASKS[task]
        given, made = kind.io(INPUT, folder, config)
        return complete(auto_complete_model_config, [given], made, kind.BATCHES)

    def initialize(self, args):
        config = json.loads(args["model_config"])
        if len(config["input"]) != 1:
            raise pb_utils.TritonModelException(
                f"one input of texts is needed, the configuration has {len(config['input'])}"
            )
        self._input = config["input"][0]["name"]
        folder = open_folder(config)
        task = task_of(config, folder)
        kind = args["model_instance_kind"].replace("KIND_", "")
        device = f"cuda:{args['model_instance_device_id']}" if kind == "GPU" else "cpu"
        try:
            if task in Generation.TASKS:
                self.execute = Generation(task, folder, device, config).execute
                return
            self._task = TASKS[task](folder, device, config)
        except pb_utils.TritonModelException:
            raise
        except Exception as error:
            raise pb_utils.TritonModelException(folder.failure(error)) from error
        self._batcher = Batcher(config, self._call, f"transformers failed on model '{args['model_name']}'")

    def execute(self, requests):
        return self._batcher.execute(requests)

    def _call(self, arrays, wanted):
        texts = [str(text) for text in as_texts(arrays[self._input]).reshape(-1)]
        return self._task(texts)
