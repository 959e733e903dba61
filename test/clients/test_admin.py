"""tritonclient.http: health, metadata, repository, statistics and settings."""

import json
import os
import unittest

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

from test_infer import LEFT, RIGHT, URL, tensors

REPOSITORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "recorded", "repository")


def addsub_config(name, max_batch_size):
    side = lambda kind: [{"name": f"{kind}{i}", "data_type": "TYPE_INT32", "dims": [16]} for i in (0, 1)]
    return json.dumps(
        {"name": name, "backend": "onnxruntime", "max_batch_size": max_batch_size, "input": side("INPUT"), "output": side("OUTPUT")}
    )


class Admin(unittest.TestCase):
    def setUp(self):
        self.client = http.InferenceServerClient(URL)
        self.addCleanup(self.client.close)

    def test_health(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready("addsub_int32"))
        self.assertTrue(self.client.is_model_ready("versions_all", "2"))
        self.assertFalse(self.client.is_model_ready("versions_latest", "1"))
        self.assertFalse(self.client.is_model_ready("nope"))

    def test_server_metadata(self):
        metadata = self.client.get_server_metadata()
        self.assertEqual(set(metadata), {"name", "version", "extensions"})
        for extension in ("binary_tensor_data", "model_repository", "classification", "statistics", "logging"):
            self.assertIn(extension, metadata["extensions"])

    def test_model_metadata(self):
        metadata = self.client.get_model_metadata("labeled")
        self.assertEqual(metadata["platform"], "onnxruntime_onnx")
        self.assertEqual(metadata["inputs"][0], {"name": "INPUT0", "datatype": "FP32", "shape": [-1, 16]})
        with self.assertRaisesRegex(InferenceServerException, "unknown model"):
            self.client.get_model_metadata("nope")

    def test_model_config(self):
        config = self.client.get_model_config("labeled")
        self.assertEqual(config["max_batch_size"], 8)
        self.assertEqual(config["output"][0]["label_filename"], "labels.txt")
        self.assertEqual(self.client.get_model_config("auto_full")["input"][0]["dims"], [16])

    def test_repository_index(self):
        index = self.client.get_model_repository_index()
        states = {(entry["name"], entry.get("version")): entry.get("state") for entry in index}
        self.assertEqual(states["addsub_int32", "1"], "READY")
        self.assertEqual({version for name, version in states if name == "versions_all"}, {"1", "2", "3"})

    def test_unload_and_load(self):
        self.client.unload_model("warm")
        self.assertFalse(self.client.is_model_ready("warm"))
        with self.assertRaisesRegex(InferenceServerException, "has no available versions"):
            self.client.infer("warm", tensors(LEFT.astype(np.float32), RIGHT.astype(np.float32), "FP32"))
        self.client.load_model("warm")
        self.assertTrue(self.client.is_model_ready("warm"))

    def test_load_with_a_config(self):
        self.client.load_model("versions_specific", config=addsub_config("versions_specific", 2))
        self.assertEqual(self.client.get_model_config("versions_specific")["max_batch_size"], 2)
        rows = np.zeros((3, 16), np.int32)
        with self.assertRaisesRegex(InferenceServerException, "must be <= 2"):
            self.client.infer("versions_specific", tensors(rows, rows, "INT32"))

    def test_load_with_files(self):
        with open(os.path.join(REPOSITORY, "versions_latest", "3", "model.onnx"), "rb") as file:
            model = file.read()
        self.client.load_model("brought", config=addsub_config("brought", 4), files={"file:7/model.onnx": model})
        result = self.client.infer("brought", tensors(LEFT, RIGHT, "INT32"))
        self.assertEqual(result.get_response()["model_version"], "7")
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), LEFT - RIGHT)
        self.client.unload_model("brought")

    def test_failed_loads_say_why(self):
        with self.assertRaisesRegex(InferenceServerException, "failed to load 'nope', failed to poll from model repository"):
            self.client.load_model("nope")
        self.assertTrue(self.client.is_model_ready("addsub_fp32"))

    def test_statistics(self):
        count = lambda: self.client.get_inference_statistics("identity_fp64", "1")["model_stats"][0]["inference_stats"]["success"]["count"]
        before = count()
        given = http.InferInput("INPUT0", [1, 1], "FP64")
        given.set_data_from_numpy(np.ones((1, 1)))
        for _ in range(5):
            self.client.infer("identity_fp64", [given])
        self.assertEqual(count(), before + 5)
        self.assertGreater(len(self.client.get_inference_statistics()["model_stats"]), 10)

    def test_log_settings(self):
        self.assertEqual(self.client.update_log_settings({"log_verbose_level": 1})["log_verbose_level"], 1)
        self.assertEqual(self.client.update_log_settings({"log_verbose_level": 0})["log_verbose_level"], 0)
        self.assertTrue(self.client.get_log_settings()["log_info"])
        with self.assertRaisesRegex(InferenceServerException, "can not be updated through network protocol"):
            self.client.update_log_settings({"log_file": "/tmp/nereid.log"})

    def test_headers_and_query_parameters(self):
        self.assertTrue(self.client.is_server_live(headers={"x-mine": "1"}, query_params={"a": "b"}))
        result = self.client.infer("addsub_int32", tensors(LEFT, RIGHT, "INT32"), headers={"x-mine": "1"}, query_params={"a": ["b", "c"]})
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), LEFT + RIGHT)
