"""Serves scikit-learn estimators: `model.skops`, or `model.joblib` where pickles are allowed.

Outputs are named for the methods they come from: `predict`, `predict_proba`, `transform`, … An output of another name comes from
the parameter `method`. One input of [features] is the matrix; several inputs are its columns; strings are texts.
Parameters: `method` (one or more, with commas), `trusted_types` (types of a skops file that are no part of
scikit-learn and may be made all the same, with commas).
"""

from __future__ import annotations

import json
import os
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "shared"))

import numpy as np
import triton_python_backend_utils as pb_utils
from nereid_runtimes.batch import Batcher
from nereid_runtimes.completion import Io, complete
from nereid_runtimes.datatypes import as_texts, config_type
from nereid_runtimes.files import model_path
from nereid_runtimes.libraries import need
from nereid_runtimes.options import setting, words

METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "score_samples",
    "kneighbors",
    "apply",
)
FILES = ("model.skops", "model.joblib")


def load(config):
    """The estimator of the model's folder. Nothing in its file runs unless the administrator or the user allows it."""
    need("sklearn", "scikit-learn")
    path = model_path(config, *FILES)
    if path.endswith(".skops"):
        return load_skops(path, words(config, "trusted_types"))
    if not setting("allow-pickle"):
        raise pb_utils.TritonModelException(
            f"'{os.path.basename(path)}' is a pickle, which can run any code while it is read. Save the estimator by "
            "skops.io.dump as 'model.skops', or trust whoever wrote the file and start the server with "
            "--backend-config=sklearn,allow-pickle=true"
        )
    return need("joblib", "joblib").load(path)


def load_skops(path, trusted):
    """The estimator of a skops file, made of types that skops trusts and of those in `trusted` only."""
    skops = need("skops.io", "skops")
    refused = sorted(set(skops.get_untrusted_types(file=path)) - set(trusted))
    if refused:
        raise pb_utils.TritonModelException(
            f"'{os.path.basename(path)}' has types that are not trusted: {', '.join(refused)}. If they are, name them in the "
            f'model\'s parameter: parameters {{ key: "trusted_types" value {{ string_value: "{",".join(trusted + refused)}" }} }}'
        )
    return skops.load(path, trusted=trusted)


def default_methods(estimator):
    """What an estimator is for: the methods that become outputs where the user names none."""
    if hasattr(estimator, "predict_proba"):
        return ["predict", "predict_proba"]
    first = [name for name in ("predict", "transform") if hasattr(estimator, name)]
    return first[:1] or [name for name in METHODS if hasattr(estimator, name)][:1]


def result(estimator, method, rows):
    """What a method says of `rows`, as one array."""
    value = getattr(estimator, method)(rows)
    if isinstance(value, tuple):  # the distances of neighbours come with their indices
        value = value[0]
    if isinstance(value, list):  # one matrix for each of several targets
        shapes = {np.shape(one) for one in value}
        if len(shapes) > 1:
            raise ValueError(f"{method} has targets with different numbers of classes")
        return np.stack(value, axis=1)
    return value.toarray() if hasattr(value, "toarray") else np.asarray(value)


def probe(estimator):
    """The input of an estimator as an Io, and one row of it."""
    features = getattr(estimator, "n_features_in_", None)
    if features is None:
        return Io("input", "TYPE_STRING", [1]), np.array(["a"], dtype=object)
    return Io("input", "TYPE_FP64", [int(features)]), np.zeros((1, int(features)))


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(auto_complete_model_config):
        config = auto_complete_model_config.as_dict()
        if config.get("input") and config.get("output"):
            return auto_complete_model_config
        estimator = load(config)
        given, row = probe(estimator)
        outputs = []
        for method in words(config, "method") or default_methods(estimator):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    value = result(estimator, method, row)
                dims = list(value.shape[1:]) or [1]
                outputs.append(Io(method, config_type(value.dtype), dims))
            except Exception:  # an estimator that takes no zeros: the user's data will show
                outputs.append(Io(method, "TYPE_FP64", [-1]))
        return complete(auto_complete_model_config, [given], outputs, batches=True)

    def initialize(self, args):
        config = json.loads(args["model_config"])
        self._estimator = load(config)
        self._inputs = [io["name"] for io in config["input"]]
        self._batches = int(config.get("max_batch_size") or 0) > 0
        first = (words(config, "method") or default_methods(self._estimator) or [""])[0]
        self._methods = {}
        for io in config["output"]:
            method = io["name"] if io["name"] in METHODS else first
            if not hasattr(self._estimator, method):
                raise pb_utils.TritonModelException(
                    f"output '{io['name']}' needs method '{method}', which {type(self._estimator).__name__} does not have; "
                    f"it has {', '.join(name for name in METHODS if hasattr(self._estimator, name))}"
                )
            self._methods[io["name"]] = method
        # Columns with names are asked for by these names.
        self._columns = getattr(self._estimator, "feature_names_in_", None)
        failure = f"scikit-learn failed on model '{args['model_name']}'"
        self._batcher = Batcher(config, self._call, failure)

    def execute(self, requests):
        return self._batcher.execute(requests)

    def _call(self, arrays, wanted):
        rows = self._rows(arrays)
        made = {}
        for name in wanted:
            made[name] = result(self._estimator, self._methods[name], rows)
        return made

    def _rows(self, arrays):
        if len(self._inputs) > 1:
            return self._table([arrays[name] for name in self._inputs])
        array = arrays[self._inputs[0]]
        if array.dtype == object:
            texts = as_texts(array)
            return texts.reshape(-1) if not hasattr(self._estimator, "n_features_in_") else texts
        return array.reshape(1, -1) if array.ndim < 2 else array

    def _table(self, columns):
        columns = [as_texts(one) if one.dtype == object else one for one in columns]
        columns = [one.reshape(len(one) if self._batches or one.ndim > 1 else -1, -1) for one in columns]
        if len({one.dtype for one in columns}) > 1:
            columns = [one.astype(object) for one in columns]
        table = np.concatenate(columns, axis=1)
        if self._columns is None or table.dtype != object:
            return table
        try:
            import pandas
        except ImportError:
            return table
        return pandas.DataFrame(table, columns=self._columns).infer_objects()
