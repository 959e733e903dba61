"""tritonclient.grpc: health, metadata, repository, statistics and settings."""

import os
import unittest

import numpy as np
import tritonclient.grpc as client
from tritonclient.utils import InferenceServerException

from grpc_tensors import LEFT, RIGHT, URL, tensors
from server import REPOSITORY
from test_admin import addsub_config


class Admin(unittest.TestCase):
    def setUp(self):
        self.client = client.InferenceServerClient(URL)
        self.addCleanup(self.client.close)

    def test_health(self):
        self.assertTrue(self.client.is_server_live(headers={"x-mine": "1"}, client_timeout=20))
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready("addsub_int32"))
        self.assertTrue(self.client.is_model_ready("versions_all", "2"))
        self.assertFalse(self.client.is_model_ready("versions_latest", "1"))
        self.assertFalse(self.client.is_model_ready("nope"))

    def test_server_metadata(self):
        metadata = self.client.get_server_metadata()
        for extension in ("model_repository", "classification", "sequence", "statistics", "system_shared_memory"):
            self.assertIn(extension, metadata.extensions)
        self.assertEqual(self.client.get_server_metadata(as_json=True)["name"], metadata.name)

    def test_model_metadata(self):
        metadata = self.client.get_model_metadata("labeled")
        self.assertEqual(metadata.platform, "onnxruntime_onnx")
        first = metadata.inputs[0]
        self.assertEqual((first.name, first.datatype, list(first.shape)), ("INPUT0", "FP32", [-1, 16]))
        with self.assertRaisesRegex(InferenceServerException, "unknown model") as caught:
            self.client.get_model_metadata("nope")
        self.assertEqual(caught.exception.status(), "StatusCode.NOT_FOUND")

    def test_model_config(self):
        config = self.client.get_model_config("labeled").config
        self.assertEqual((config.max_batch_size, config.output[0].label_filename), (8, "labels.txt"))
        self.assertEqual([step.model_name for step in self.client.get_model_config("ens_chain").config.ensemble_scheduling.step][0], "addsub_fp32")
        self.assertTrue(self.client.get_model_config("repeat", as_json=True)["config"]["model_transaction_policy"]["decoupled"])

    def test_repository_index(self):
        index = self.client.get_model_repository_index().models
        states = {(entry.name, entry.version): entry.state for entry in index}
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
        self.assertEqual(self.client.get_model_config("versions_specific").config.max_batch_size, 2)
        rows = np.zeros((3, 16), np.int32)
        with self.assertRaisesRegex(InferenceServerException, "must be <= 2"):
            self.client.infer("versions_specific", tensors(rows, rows))

    def test_load_with_files(self):
        with open(os.path.join(REPOSITORY, "versions_latest", "3", "model.onnx"), "rb") as file:
            model = file.read()
        self.client.load_model("brought_by_grpc", config=addsub_config("brought_by_grpc", 4), files={"file:7/model.onnx": model})
        result = self.client.infer("brought_by_grpc", tensors(LEFT, RIGHT))
        self.assertEqual(result.get_response().model_version, "7")
        self.client.unload_model("brought_by_grpc")

    def test_failed_loads_say_why(self):
        with self.assertRaisesRegex(InferenceServerException, "failed to load 'nope', failed to poll from model repository"):
            self.client.load_model("nope")

    def test_statistics(self):
        count = lambda: self.client.get_inference_statistics("identity_fp64", "1").model_stats[0].inference_stats.success.count
        before = count()
        given = client.InferInput("INPUT0", [1, 1], "FP64")
        given.set_data_from_numpy(np.ones((1, 1)))
        for _ in range(5):
            self.client.infer("identity_fp64", [given])
        self.assertEqual(count(), before + 5)
        self.assertGreater(len(self.client.get_inference_statistics().model_stats), 10)

    def test_log_settings(self):
        level = lambda answer: answer.settings["log_verbose_level"].uint32_param
        self.assertEqual(level(self.client.update_log_settings({"log_verbose_level": 1})), 1)
        self.assertEqual(level(self.client.update_log_settings({"log_verbose_level": 0})), 0)
        self.assertTrue(self.client.get_log_settings().settings["log_info"].bool_param)
        with self.assertRaisesRegex(InferenceServerException, "can not be updated through network protocol"):
            self.client.update_log_settings({"log_file": "/tmp/nereid.log"})

    def test_trace_settings(self):
        settings = self.client.get_trace_settings().settings
        self.assertEqual(list(settings["trace_level"].value), ["OFF"])
        self.assertEqual(set(settings), set(self.client.get_trace_settings("addsub_int32").settings))
