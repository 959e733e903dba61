"""tritonclient.http.aio: the same server through asyncio."""

import asyncio
import unittest

import numpy as np
import tritonclient.http.aio as aio
from tritonclient.utils import InferenceServerException

from test_infer import LEFT, RIGHT, URL, tensors


class Aio(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.client = aio.InferenceServerClient(URL)
        self.addAsyncCleanup(self.client.close)

    async def test_health_and_metadata(self):
        self.assertTrue(await self.client.is_server_live())
        self.assertTrue(await self.client.is_server_ready())
        self.assertTrue(await self.client.is_model_ready("addsub_int32"))
        self.assertIn("extensions", await self.client.get_server_metadata())
        self.assertEqual((await self.client.get_model_metadata("labeled"))["name"], "labeled")
        self.assertEqual((await self.client.get_model_config("labeled"))["max_batch_size"], 8)

    async def test_many_requests_at_once(self):
        async def ask(i):
            result = await self.client.infer("addsub_int32", tensors(LEFT + i, RIGHT, "INT32"))
            np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), LEFT + i + RIGHT)

        await asyncio.gather(*(ask(i) for i in range(100)))

    async def test_compression(self):
        for algorithm in ("gzip", "deflate"):
            result = await self.client.infer(
                "addsub_int32",
                tensors(LEFT, RIGHT, "INT32"),
                request_compression_algorithm=algorithm,
                response_compression_algorithm=algorithm,
            )
            np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), LEFT - RIGHT)

    async def test_repository(self):
        self.assertTrue(await self.client.get_model_repository_index())
        await self.client.unload_model("auto_partial")
        self.assertFalse(await self.client.is_model_ready("auto_partial"))
        await self.client.load_model("auto_partial")
        self.assertTrue(await self.client.is_model_ready("auto_partial"))

    async def test_statistics_and_logging(self):
        self.assertTrue((await self.client.get_inference_statistics("addsub_int32"))["model_stats"])
        self.assertIn("log_info", await self.client.get_log_settings())
        await self.client.update_log_settings({"log_verbose_level": 0})

    async def test_errors(self):
        with self.assertRaisesRegex(InferenceServerException, "unknown model"):
            await self.client.infer("nope", tensors(LEFT, RIGHT, "INT32"))
