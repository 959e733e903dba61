"""The response cache as tritonclient and its users see it: hits, their statistics and metrics, over both protocols."""

import contextlib
import os
import re
import shutil
import subprocess
import time
import unittest
import urllib.request

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http

from server import free_ports, running

CACHED = ["cached", "addsub_fp32"]
ANALYZER = os.path.join(os.environ["CLIENTS_DIR"], "bin", "perf_analyzer")


def infer(client, kind, value, model="cached"):
    data = np.full((1, 16), value, np.float32)
    inputs = []
    for name in ("INPUT0", "INPUT1"):
        tensor = kind.InferInput(name, data.shape, "FP32")
        tensor.set_data_from_numpy(data)
        inputs.append(tensor)
    return client.infer(model, inputs).as_numpy("OUTPUT0")


def counts(client, model="cached"):
    entry = client.get_inference_statistics(model)["model_stats"][0]
    stats = {name: duration["count"] for name, duration in entry["inference_stats"].items()}
    return entry["inference_count"], entry["execution_count"], stats["success"], stats["cache_hit"], stats["cache_miss"]


def metrics(address, model="cached"):
    text = urllib.request.urlopen(f"http://{address}/metrics").read().decode()
    lines = re.findall(r'^(nv_cache_num_\w+)\{model="(\w+)",version="1"\} (\d+)$', text, re.M)
    return {name: int(figure) for name, of, figure in lines if of == model}


@contextlib.contextmanager
def clients(*flags):
    (port,) = free_ports(1)
    with running(*flags, f"--metrics-port={port}", models=CACHED) as server:
        with http.InferenceServerClient(server.http) as one, grpc.InferenceServerClient(server.grpc) as other:
            yield one, other, f"127.0.0.1:{port}", server


class LocalCache(unittest.TestCase):
    def test_hits_over_both_protocols(self):
        with clients("--cache-config=local,size=1048576") as (one, other, address, _):
            for client, kind, value in ((one, http, 1), (other, grpc, 1), (one, http, 1), (other, grpc, 2), (one, http, 2)):
                np.testing.assert_array_equal(infer(client, kind, value), np.full((1, 16), 2 * value, np.float32))
            self.assertEqual(counts(one), (2, 2, 5, 3, 2))
            self.assertEqual(metrics(address), {"nv_cache_num_hits_per_model": 3, "nv_cache_num_misses_per_model": 2})
            infer(one, http, 1, "addsub_fp32")
            infer(one, http, 1, "addsub_fp32")
            self.assertEqual(counts(one, "addsub_fp32"), (2, 2, 2, 0, 0))
            self.assertEqual(metrics(address, "addsub_fp32"), {})

    def test_without_a_cache_every_request_runs(self):
        with clients() as (one, _, address, _):
            infer(one, http, 1)
            infer(one, http, 1)
            self.assertEqual(counts(one), (2, 2, 2, 0, 0))
            self.assertEqual(metrics(address), {})

    @unittest.skipUnless(os.path.exists(ANALYZER), "perf_analyzer is only published for x86-64 Linux")
    def test_perf_analyzer_sees_the_hits(self):
        with clients("--response-cache-byte-size=1048576") as (one, _, _, server):
            infer(one, http, 0)
            command = [ANALYZER, "-m", "cached", "-u", server.http, "-i", "http", "-p", "500", "-r", "3", "-s", "999"]
            done = subprocess.run([*command, "--input-data", "zero"], capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertRegex(done.stdout, r"Cache hit count: [1-9]")


@unittest.skipUnless(shutil.which("redis-server"), "no redis-server on this machine")
class RedisCache(unittest.TestCase):
    def setUp(self):
        (self.port,) = free_ports(1)
        self.flags = (f"--cache-config=redis,host=127.0.0.1", f"--cache-config=redis,port={self.port}", "--cache-config=redis,socket_timeout=5000")
        self.start()

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.redis = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop, self.redis)
        while "Ready to accept connections" not in self.redis.stdout.readline():
            self.assertIsNone(self.redis.poll())

    def stop(self, redis):
        redis.kill()
        redis.wait()
        redis.stdout.close()

    def test_two_servers_share_what_one_computed(self):
        with clients(*self.flags) as (one, _, _, _), clients(*self.flags) as (_, other, _, _):
            infer(one, http, 3)
            np.testing.assert_array_equal(infer(other, grpc, 3), np.full((1, 16), 6, np.float32))
            stats = other.get_inference_statistics("cached", as_json=True)["model_stats"][0]
            self.assertNotIn("execution_count", stats)
            self.assertEqual(stats["inference_stats"]["cache_hit"]["count"], "1")

    def test_no_request_fails_while_redis_comes_and_goes(self):
        with clients(*self.flags) as (one, _, _, _):
            infer(one, http, 1)
            self.stop(self.redis)
            for value in (1, 2, 1):
                infer(one, http, value)
            self.start()
            deadline = time.monotonic() + 30
            before = counts(one)[3]
            while counts(one)[3] == before and time.monotonic() < deadline:
                infer(one, http, 4)
            self.assertGreater(counts(one)[3], before)
