"""tritonclient.utils.cuda_shared_memory, unchanged, against a server. Arguments: protocol, host:port."""

import base64
import os
import sys
import unittest

import numpy as np
import tritonclient.utils.cuda_shared_memory as shm
from tritonclient.utils import InferenceServerException

PROTOCOL, URL = sys.argv.pop(1), sys.argv.pop(1)
if PROTOCOL == "http":
    import tritonclient.http as protocol
else:
    import tritonclient.grpc as protocol

VALUES = np.arange(64, dtype=np.int32).reshape(1, 64)
SIZE = VALUES.nbytes


class CudaSharedMemory(unittest.TestCase):
    def setUp(self):
        self.client = protocol.InferenceServerClient(URL)
        self.addCleanup(self.client.close)
        self.addCleanup(self.client.unregister_cuda_shared_memory)

    def region(self, name, size=SIZE, device=0, register=True):
        handle = shm.create_shared_memory_region(name, size, device)
        if register:
            raw = shm.get_raw_handle(handle)
            self.client.register_cuda_shared_memory(name, raw, device, size)
        return handle

    def status(self, name=""):
        found = self.client.get_cuda_shared_memory_status(name)
        if PROTOCOL == "http":
            return [(one["name"], one["device_id"], one["byte_size"]) for one in found]
        return sorted((one.name, one.device_id, one.byte_size) for one in found.regions.values())

    def infer(self, source, target, size=SIZE, offset=0):
        given = protocol.InferInput("INPUT0", [1, 64], "INT32")
        given.set_shared_memory(source, SIZE, offset)
        wanted = protocol.InferRequestedOutput("OUTPUT0")
        wanted.set_shared_memory(target, size)
        return self.client.infer("echo", [given], outputs=[wanted])

    def refused(self, pattern, call, *arguments):
        with self.assertRaisesRegex(InferenceServerException, pattern):
            call(*arguments)

    def test_tensors_stay_on_their_devices(self):
        source = self.region("source")
        target = self.region("target", device=1)
        self.assertEqual(self.status(), [("source", 0, SIZE), ("target", 1, SIZE)])
        self.assertEqual(self.status("target"), [("target", 1, SIZE)])
        for times in (1, 2, 3):
            shm.set_shared_memory_region(source, [VALUES * times])
            result = self.infer("source", "target")
            if PROTOCOL == "http":
                self.assertNotIn("data", result.get_output("OUTPUT0"))
            else:
                self.assertEqual(b"".join(result.get_response().raw_output_contents), b"")
            answer = shm.get_contents_as_numpy(target, np.int32, [1, 64])
            np.testing.assert_array_equal(answer, VALUES * times)

    def test_a_region_may_be_input_and_output_of_parts(self):
        both = self.region("both", size=2 * SIZE)
        shm.set_shared_memory_region(both, [VALUES * 0, VALUES])
        self.infer("both", "both", offset=SIZE)
        answer = shm.get_contents_as_numpy(both, np.int32, [2, 64])
        np.testing.assert_array_equal(answer, np.concatenate([VALUES, VALUES]))

    def test_what_cannot_be_registered(self):
        region = self.region("region", register=False)
        raw = shm.get_raw_handle(region)
        register = self.client.register_cuda_shared_memory
        self.refused("invalid args", register, "x", base64.b64encode(os.urandom(64)), 0, SIZE)
        self.refused("valid base64 encoded", register, "x", base64.b64encode(b"short"), 0, SIZE)
        self.refused("invalid args", register, "x", raw, 1, SIZE)
        self.refused("invalid args", register, "x", raw, 7, SIZE)
        self.refused("'x': invalid args", register, "x", raw, 0, SIZE + 1)
        self.refused("'x': invalid args", register, "x", raw, 0, 0)
        self.assertEqual(self.status(), [])
        register("x", raw, 0, SIZE)
        self.refused("already in manager", register, "x", raw, 0, SIZE)
        register("y", raw, 0, SIZE // 2)
        self.refused("not system shared memory", self.client.get_system_shared_memory_status, "x")

    def test_what_cannot_be_used(self):
        source = self.region("source")
        shm.set_shared_memory_region(source, [VALUES])
        self.region("small", size=8)
        self.refused("Invalid offset", self.infer, "source", "source", SIZE, SIZE)
        self.refused("Invalid offset \\+ byte size", self.infer, "source", "source", SIZE, 4)
        self.refused("should be at least 256 bytes", self.infer, "source", "small", 8)
        self.client.unregister_cuda_shared_memory("source")
        self.client.unregister_cuda_shared_memory("source")
        self.refused("Unable to find shared memory region: 'source'", self.infer, "source", "small")
        self.refused("Unable to find cuda", self.client.get_cuda_shared_memory_status, "source")
        self.client.unregister_system_shared_memory()
        self.assertEqual([name for name, _, _ in self.status()], ["small"])


if __name__ == "__main__":
    unittest.main()
