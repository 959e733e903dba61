"""tritonclient.grpc.aio: the same server through asyncio, and its streams."""

import asyncio
import unittest

import numpy as np
import tritonclient.grpc.aio as aio
from tritonclient.utils import InferenceServerException

from grpc_tensors import LATE, LEFT, RIGHT, URL, repeat_inputs, tensors


async def requests_of(*given):
    for one in given:
        yield one


class Aio(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.client = aio.InferenceServerClient(URL)
        self.addAsyncCleanup(self.client.close)

    async def test_health_and_metadata(self):
        self.assertTrue(await self.client.is_server_live())
        self.assertTrue(await self.client.is_server_ready())
        self.assertTrue(await self.client.is_model_ready("addsub_int32"))
        self.assertIn("statistics", (await self.client.get_server_metadata()).extensions)
        self.assertEqual((await self.client.get_model_metadata("labeled")).name, "labeled")
        self.assertEqual((await self.client.get_model_config("labeled")).config.max_batch_size, 8)

    async def test_many_requests_at_once(self):
        async def ask(i):
            result = await self.client.infer("addsub_int32", tensors(LEFT + i, RIGHT), client_timeout=30)
            np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), LEFT + i + RIGHT)

        await asyncio.gather(*(ask(i) for i in range(300)))

    async def test_compression(self):
        for algorithm in ("gzip", "deflate"):
            result = await self.client.infer("addsub_int32", tensors(LEFT, RIGHT), compression_algorithm=algorithm)
            np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), LEFT - RIGHT)

    async def test_repository(self):
        self.assertTrue((await self.client.get_model_repository_index()).models)
        await self.client.unload_model("auto_partial")
        self.assertFalse(await self.client.is_model_ready("auto_partial"))
        await self.client.load_model("auto_partial")
        self.assertTrue(await self.client.is_model_ready("auto_partial"))

    async def test_statistics_and_settings(self):
        self.assertTrue((await self.client.get_inference_statistics("addsub_int32")).model_stats)
        self.assertIn("log_info", (await self.client.get_log_settings()).settings)
        await self.client.update_log_settings({"log_verbose_level": 0})
        self.assertIn("trace_rate", (await self.client.get_trace_settings()).settings)
        self.assertEqual(len((await self.client.get_cuda_shared_memory_status()).regions), 0)

    async def test_streams(self):
        given = ({"model_name": "addsub_int32", "inputs": tensors(LEFT + i, RIGHT), "request_id": str(i)} for i in range(20))
        found = []
        async for result, error in self.client.stream_infer(requests_of(*given), stream_timeout=30):
            self.assertIsNone(error)
            found.append((result.get_response().id, int(result.as_numpy("OUTPUT0")[0, 0])))
        self.assertEqual(found, [(str(i), i + 1) for i in range(20)])

    async def test_decoupled_models(self):
        found = []
        async for result, error in self.client.stream_infer(requests_of({"model_name": "repeat", "inputs": repeat_inputs([3, 1])})):
            self.assertIsNone(error)
            found.append(int(result.as_numpy("OUT")[0]))
        self.assertEqual(found, [3, 1])

    async def test_cancelled_streams(self):
        given = {"model_name": "repeat", "inputs": repeat_inputs([1, 2], delay_ms=600_000)}
        answers = self.client.stream_infer(requests_of(given))
        waiting = asyncio.ensure_future(anext(answers))
        await asyncio.sleep(0)
        self.assertTrue(answers.cancel())
        with self.assertRaises(asyncio.CancelledError):
            await waiting
        self.assertTrue(await self.client.is_server_live())

    async def test_errors(self):
        with self.assertRaisesRegex(InferenceServerException, "unknown model"):
            await self.client.infer("nope", tensors(LEFT, RIGHT))
        with self.assertRaisesRegex(InferenceServerException, "Deadline Exceeded"):
            await self.client.infer(*LATE, client_timeout=0.01)
