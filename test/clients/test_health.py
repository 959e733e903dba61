"""gRPC's own health service, through grpcio-health-checking."""

import unittest

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from grpc_tensors import URL

SERVING = health_pb2.HealthCheckResponse.SERVING


class Health(unittest.TestCase):
    def setUp(self):
        channel = grpc.insecure_channel(URL)
        self.addCleanup(channel.close)
        self.stub = health_pb2_grpc.HealthStub(channel)

    def test_whatever_service_is_asked_for_is_serving(self):
        """As of Triton: the server is ready as a whole."""
        for service in ("", "inference.GRPCInferenceService"):
            with self.subTest(service):
                answer = self.stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=20)
                self.assertEqual(answer.status, SERVING)

    def test_watching_is_not_implemented(self):
        with self.assertRaises(grpc.RpcError) as caught:
            next(self.stub.Watch(health_pb2.HealthCheckRequest(), timeout=20))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
