"""NVIDIA's load generator: it measures through metadata, config, statistics and inference."""

import os
import subprocess
import unittest

from test_infer import URL

ANALYZER = os.path.join(os.environ["CLIENTS_DIR"], "bin", "perf_analyzer")
SECONDS = 120


@unittest.skipUnless(os.path.exists(ANALYZER), "perf_analyzer is only published for x86-64 Linux")
class PerfAnalyzer(unittest.TestCase):
    def measure(self, model, *options):
        # Short windows and a wide band: what counts here is that it runs, not what it measures.
        command = [ANALYZER, "-m", model, "-u", URL, "-i", "http", "-p", "500", "-r", "3", "-s", "999", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("infer/sec", done.stdout)
        self.assertNotIn("throughput: 0 infer/sec", done.stdout)
        return done.stdout

    def test_concurrency_range(self):
        text = self.measure("addsub_int32", "--concurrency-range", "1:4:3")
        self.assertIn("Concurrency: 4", text)

    def test_request_rate(self):
        self.measure("addsub_fp32", "--request-rate-range", "50:100:50")

    def test_batches_and_json(self):
        self.measure("addsub_fp32", "-b", "4", "--input-tensor-format", "json", "--output-tensor-format", "json")

    def test_tensors_in_shared_memory(self):
        self.measure("addsub_fp32", "--shared-memory", "system", "--output-shared-memory-size", "64", "--concurrency-range", "4")

    def test_batching_model_with_a_window(self):
        self.measure("dyn", "--concurrency-range", "8")

    def test_asynchronous_mode_and_strings(self):
        self.measure("identity_string", "--async", "--shape", "INPUT0:4", "--string-length", "8", "--concurrency-range", "4")
