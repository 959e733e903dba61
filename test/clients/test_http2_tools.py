"""curl, grpcurl and h2load on the gRPC port: clients that no one made for Triton."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import numpy as np
import tritonclient.grpc as grpc
from google.protobuf.json_format import MessageToJson
from tritonclient.grpc import service_pb2

import go_tools
from grpc_tensors import LEFT, RIGHT, URL, tensors

SERVICE = "inference.GRPCInferenceService"
CONTENT_TYPE = "content-type: application/grpc"
TRAILERS = "te: trailers"
CALLS = 4000
SECONDS = 60


def infer_request():
    given = tensors(LEFT, RIGHT)
    request = service_pb2.ModelInferRequest(model_name="addsub_int32", id="tool")
    request.inputs.extend(one._get_tensor() for one in given)
    request.raw_input_contents.extend(one._get_content() for one in given)
    return request


def framed(message):
    """A gRPC message as it travels: not compressed, its length, itself."""
    encoded = message.SerializeToString()
    return b"\0" + len(encoded).to_bytes(4, "big") + encoded


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, timeout=SECONDS, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout.decode()}\n{done.stderr.decode()}")
    return done.stdout


class WithRequest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="nereid-clients-")
        self.addCleanup(folder.cleanup)
        self.body = os.path.join(folder.name, "body")
        self.said = os.path.join(folder.name, "said")
        with open(self.body, "wb") as file:
            file.write(framed(infer_request()))


@unittest.skipUnless(shutil.which("curl"), "curl is not installed")
class Curl(WithRequest):
    def call(self, method, *options):
        url = f"http://{URL}/{SERVICE}/{method}"
        answer = run("curl", "-sS", "--http2-prior-knowledge", "-D", self.said, "-H", CONTENT_TYPE, "-H", TRAILERS, *options, url)
        with open(self.said) as file:
            return answer, file.read().lower()

    def test_inference(self):
        answer, said = self.call("ModelInfer", "--data-binary", f"@{self.body}")
        self.assertTrue(said.startswith("http/2 200"), said)
        self.assertRegex(said, r"grpc-status: 0\b")
        self.assertEqual((answer[0], int.from_bytes(answer[1:5], "big")), (0, len(answer) - 5))
        response = service_pb2.ModelInferResponse.FromString(answer[5:])
        self.assertEqual(response.id, "tool")
        np.testing.assert_array_equal(np.frombuffer(response.raw_output_contents[0], np.int32), (LEFT + RIGHT)[0])

    def test_a_method_that_is_not_there(self):
        answer, said = self.call("Nope", "--data-binary", f"@{self.body}")
        self.assertEqual(answer, b"")
        self.assertRegex(said, r"grpc-status: 12\b")

    def test_what_is_no_call(self):
        self.assertRegex(self.call("ModelInfer", "-X", "GET")[1], r"^http/2 405\b")
        answer = run("curl", "-sS", "--http2-prior-knowledge", "-o", os.devnull, "-w", "%{http_code}", "-d", "{}", f"http://{URL}/v2")
        self.assertEqual(answer, b"415")


@go_tools.needs_go
class Grpcurl(unittest.TestCase):
    def ask(self, *words, data=None):
        options = [] if data is None else ["-d", data]
        return run(go_tools.path("grpcurl"), "-plaintext", "-max-time", str(SECONDS), *options, URL, *words).decode()

    def test_list(self):
        services = self.ask("list").split()
        self.assertEqual([SERVICE, "grpc.health.v1.Health"], [one for one in (SERVICE, "grpc.health.v1.Health") if one in services])
        methods = self.ask("list", SERVICE).split()
        self.assertEqual(len(methods), len(service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods))

    def test_describe(self):
        self.assertIn("rpc ModelStreamInfer ( stream .inference.ModelInferRequest )", self.ask("describe", SERVICE))
        self.assertIn("message InferTensorContents", self.ask("describe", "inference.InferTensorContents"))
        self.assertIn("message ModelConfig", self.ask("describe", "inference.ModelConfig"))

    def test_call(self):
        answer = json.loads(self.ask(f"{SERVICE}/ModelInfer", data=MessageToJson(infer_request())))
        self.assertEqual(answer["id"], "tool")
        self.assertEqual(json.loads(self.ask(f"{SERVICE}/ServerReady")), {"ready": True})

    def test_stream(self):
        request = MessageToJson(infer_request())
        answers = self.ask(f"{SERVICE}/ModelStreamInfer", data=request * 3)
        self.assertEqual(answers.count('"inferResponse"'), 3)

    def test_health(self):
        self.assertEqual(json.loads(self.ask("grpc.health.v1.Health/Check")), {"status": "SERVING"})

    def test_a_mistake(self):
        with self.assertRaisesRegex(AssertionError, "(?s)Code: NotFound.*unknown model: 'nope' is not found"):
            self.ask(f"{SERVICE}/ModelInfer", data='{"model_name": "nope"}')


@unittest.skipUnless(shutil.which("h2load"), "h2load (Debian package nghttp2-client) is not installed")
class H2load(WithRequest):
    def inferences(self):
        with grpc.InferenceServerClient(URL) as client:
            found = client.get_inference_statistics("addsub_int32").model_stats[0].inference_stats
        return found.success.count, found.fail.count

    def test_every_call_succeeds(self):
        """h2load counts HTTP's 200 as success, so the model has to have counted as many."""
        for connections, calls in ((1, 1), (4, 32)):
            with self.subTest(connections=connections, calls=calls):
                before = self.inferences()
                many = ("-n", str(CALLS), "-c", str(connections), "-m", str(calls), "-d", self.body)
                said = run("h2load", *many, "-H", CONTENT_TYPE, "-H", TRAILERS, f"http://{URL}/{SERVICE}/ModelInfer").decode()
                self.assertRegex(said, rf"{CALLS} done, {CALLS} succeeded, 0 failed, 0 errored, 0 timeout")
                self.assertEqual(int(re.search(r"status codes: (\d+) 2xx", said)[1]), CALLS)
                self.assertEqual(self.inferences(), (before[0] + CALLS, before[1]))
