"""tritonclient.utils.shared_memory: tensors that never travel, over both protocols."""

import os
import queue
import unittest

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException, serialize_byte_tensor

from grpc_tensors import URL as GRPC_URL
from test_infer import URL as HTTP_URL

LEFT = np.arange(16, dtype=np.int32).reshape(1, 16)
RIGHT = np.full((1, 16), 5, np.int32)
SIZE = LEFT.nbytes


class OverHttp(unittest.TestCase):
    protocol = http
    url = HTTP_URL

    def setUp(self):
        self.client = self.protocol.InferenceServerClient(self.url)
        self.addCleanup(self.client.close)
        self.addCleanup(self.client.unregister_system_shared_memory)
        self.count = 0

    def region(self, name, size):
        self.count += 1
        key = f"/clients-{os.getpid()}-{self.id().rsplit('.', 1)[1]}-{self.count}"
        handle = shm.create_shared_memory_region(name, key, size)
        self.addCleanup(shm.destroy_shared_memory_region, handle)
        self.client.register_system_shared_memory(name, key, size)
        return handle

    def sum_request(self):
        inputs = [self.protocol.InferInput(name, [1, 16], "INT32") for name in ("INPUT0", "INPUT1")]
        outputs = [self.protocol.InferRequestedOutput(name) for name in ("OUTPUT0", "OUTPUT1")]
        for i, one in enumerate(inputs):
            one.set_shared_memory("in", SIZE, offset=i * SIZE)
        for i, one in enumerate(outputs):
            one.set_shared_memory("out", SIZE, offset=i * SIZE)
        return inputs, outputs

    def registered(self):
        return {one["name"]: one["byte_size"] for one in self.client.get_system_shared_memory_status()}

    def check_output(self, output):
        self.assertEqual(output, {"name": "OUTPUT0", "datatype": "INT32", "shape": [1, 16]})

    def check_no_cuda_regions(self):
        self.assertEqual(self.client.get_cuda_shared_memory_status(), [])

    def test_inputs_and_outputs_in_regions(self):
        source, target = self.region("in", 2 * SIZE), self.region("out", 2 * SIZE)
        inputs, outputs = self.sum_request()
        for step in range(5):
            shm.set_shared_memory_region(source, [LEFT + step, RIGHT])
            result = self.client.infer("addsub_int32", inputs, outputs=outputs)
            self.check_output(result.get_output("OUTPUT0"))
            total = shm.get_contents_as_numpy(target, np.int32, [1, 16])
            difference = shm.get_contents_as_numpy(target, np.int32, [1, 16], offset=SIZE)
            np.testing.assert_array_equal(total, LEFT + step + RIGHT)
            np.testing.assert_array_equal(difference, LEFT + step - RIGHT)

    def test_one_tensor_in_a_region_and_the_others_in_the_body(self):
        source = self.region("in", 2 * SIZE)
        shm.set_shared_memory_region(source, [LEFT])
        inputs, _ = self.sum_request()
        inputs[1] = self.protocol.InferInput("INPUT1", [1, 16], "INT32")
        inputs[1].set_data_from_numpy(RIGHT)
        result = self.client.infer("addsub_int32", inputs)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), LEFT + RIGHT)

    def test_strings(self):
        words = np.array([["a", "", "longer", "ö"]], dtype=np.object_)
        packed = serialize_byte_tensor(words)
        size = len(packed.item())
        source = self.region("words", 256)
        target = self.region("back", 256)
        shm.set_shared_memory_region(source, [packed])
        one = self.protocol.InferInput("INPUT0", [1, 4], "BYTES")
        one.set_shared_memory("words", size)
        out = self.protocol.InferRequestedOutput("OUTPUT0")
        out.set_shared_memory("back", 256)
        self.client.infer("identity_string", [one], outputs=[out])
        back = shm.get_contents_as_numpy(target, np.object_, [1, 4])
        self.assertEqual([word.decode() for word in back.flatten()], ["a", "", "longer", "ö"])

    def test_status_lists_what_is_registered(self):
        self.region("b", 64)
        self.region("a", 128)
        self.assertEqual(self.registered(), {"a": 128, "b": 64})
        self.client.unregister_system_shared_memory("a")
        self.assertEqual(self.registered(), {"b": 64})
        self.check_no_cuda_regions()

    def test_mistakes_come_back_as_errors(self):
        self.region("in", 2 * SIZE)
        inputs, outputs = self.sum_request()
        with self.assertRaisesRegex(InferenceServerException, "Unable to find shared memory region: 'out'"):
            self.client.infer("addsub_int32", inputs, outputs=outputs)
        with self.assertRaisesRegex(InferenceServerException, "already in manager"):
            self.client.register_system_shared_memory("in", "/any", 8)
        with self.assertRaisesRegex(InferenceServerException, "Unable to open shared memory region: '/nowhere'"):
            self.client.register_system_shared_memory("x", "/nowhere", 8)
        with self.assertRaisesRegex(InferenceServerException, "Unable to find system shared memory region: 'x'"):
            self.client.get_system_shared_memory_status("x")


class OverGrpc(OverHttp):
    protocol = grpc
    url = GRPC_URL

    def registered(self):
        return {name: one.byte_size for name, one in self.client.get_system_shared_memory_status().regions.items()}

    def check_output(self, output):
        self.assertEqual((output.name, output.datatype, list(output.shape)), ("OUTPUT0", "INT32", [1, 16]))

    def check_no_cuda_regions(self):
        self.assertEqual(len(self.client.get_cuda_shared_memory_status().regions), 0)

    def test_regions_of_a_stream(self):
        source, target = self.region("in", 2 * SIZE), self.region("out", 2 * SIZE)
        inputs, outputs = self.sum_request()
        shm.set_shared_memory_region(source, [LEFT, RIGHT])
        answers = queue.Queue()
        self.client.start_stream(lambda result, error: answers.put(error))
        self.client.async_stream_infer("addsub_int32", inputs, outputs=outputs)
        self.assertIsNone(answers.get(timeout=30))
        self.client.stop_stream()
        np.testing.assert_array_equal(shm.get_contents_as_numpy(target, np.int32, [1, 16]), LEFT + RIGHT)
