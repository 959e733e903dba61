"""TLS and client certificates: tritonclient.http, tritonclient.grpc and curl with certificates that openssl made."""

import shutil
import subprocess
import tempfile
import unittest

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from geventhttpclient.response import HTTPConnectionClosed
from tritonclient.utils import InferenceServerException

import grpc_tensors
import test_infer
from certificates import HAVE_OPENSSL, Certificates
from grpc_tensors import LEFT, RIGHT
from server import running


@unittest.skipUnless(HAVE_OPENSSL, "openssl, which makes the certificates, is not installed")
class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="nereid-clients-")
        cls.addClassCleanup(folder.cleanup)
        made = Certificates(folder.name)
        cls.file = staticmethod(made.file)
        # Both doors of both have TLS; one door of each asks for the client's certificate.
        start = lambda *flags: cls.enterClassContext(running(*flags, models=["addsub_int32"]))
        cls.http_asks = start(*made.http_flags(mutual=True), *made.grpc_flags(mutual=False))
        cls.grpc_asks = start(*made.http_flags(mutual=False), *made.grpc_flags(mutual=True))

    def grpc_client(self, url, certificate=None):
        own = {} if certificate is None else {"private_key": self.file(f"{certificate}.key"), "certificate_chain": self.file(f"{certificate}.pem")}
        one = grpc.InferenceServerClient(url, ssl=True, root_certificates=self.file("ca.pem"), **own)
        self.addCleanup(one.close)
        return one

    def http_client(self, url, certificate=None):
        options = {"ca_certs": self.file("ca.pem")}
        if certificate is not None:
            options |= {"keyfile": self.file(f"{certificate}.key"), "certfile": self.file(f"{certificate}.pem")}
        one = http.InferenceServerClient(url, ssl=True, ssl_options=options, insecure=False)
        self.addCleanup(one.close)
        return one

    def check_infer_by_grpc(self, one):
        result = one.infer("addsub_int32", grpc_tensors.tensors(LEFT, RIGHT))
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), LEFT + RIGHT)

    def check_infer_by_http(self, one):
        result = one.infer("addsub_int32", test_infer.tensors(LEFT, RIGHT, "INT32"))
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), LEFT + RIGHT)

    def test_grpc_with_tls(self):
        self.check_infer_by_grpc(self.grpc_client(self.http_asks.grpc))

    def test_grpc_with_a_client_certificate(self):
        self.check_infer_by_grpc(self.grpc_client(self.grpc_asks.grpc, "client"))

    def test_grpc_without_a_certificate_that_is_asked_for(self):
        for certificate in (None, "stranger"):
            with self.subTest(certificate), self.assertRaises(InferenceServerException) as caught:
                self.grpc_client(self.grpc_asks.grpc, certificate).get_server_metadata(client_timeout=20)
            self.assertEqual(caught.exception.status(), "StatusCode.UNAVAILABLE")

    def test_grpc_of_a_server_that_is_not_trusted(self):
        with grpc.InferenceServerClient(self.http_asks.grpc, ssl=True, root_certificates=self.file("stranger.pem")) as one:
            with self.assertRaisesRegex(InferenceServerException, "UNAVAILABLE"):
                one.get_server_metadata(client_timeout=20)

    def test_https(self):
        self.check_infer_by_http(self.http_client(self.grpc_asks.http))

    def test_https_with_a_client_certificate(self):
        self.check_infer_by_http(self.http_client(self.http_asks.http, "client"))

    def test_https_without_a_certificate_that_is_asked_for(self):
        for certificate in (None, "stranger"):
            with self.subTest(certificate), self.assertRaises((OSError, HTTPConnectionClosed)):
                self.http_client(self.http_asks.http, certificate).is_server_live()

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_curl(self):
        own = ["--cert", self.file("client.pem"), "--key", self.file("client.key")]
        url = f"https://{self.http_asks.http}/v2/health/ready"
        done = subprocess.run(["curl", "-sf", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", self.file("ca.pem"), *own, url], capture_output=True)
        self.assertEqual(done.stdout, b"200")
