"""Certificates that openssl makes for the length of a test: of an authority, a server, a client, and a stranger."""

import os
import shutil
import subprocess

HAVE_OPENSSL = shutil.which("openssl") is not None


class Certificates:
    def __init__(self, folder):
        self.folder = folder
        self.sign("ca")
        self.sign("server", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", authority="ca")
        self.sign("client", "-addext", "subjectAltName=DNS:client", authority="ca")
        self.sign("stranger")

    def file(self, name):
        return os.path.join(self.folder, name)

    def sign(self, name, *more, authority=None):
        signer = [] if authority is None else ["-CA", self.file(f"{authority}.pem"), "-CAkey", self.file(f"{authority}.key")]
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        out = ["-keyout", self.file(f"{name}.key"), "-out", self.file(f"{name}.pem")]
        command = ["openssl", "req", "-x509", "-subj", f"/CN={name}", *curve, *out, *signer, *more]
        subprocess.run(command, check=True, capture_output=True)

    def http_flags(self, mutual):
        flags = [f"--http-tls-cert={self.file('server.pem')}", f"--http-tls-key={self.file('server.key')}"]
        return flags + ([f"--http-tls-ca={self.file('ca.pem')}"] if mutual else [])

    def grpc_flags(self, mutual):
        flags = ["--grpc-use-ssl=true", f"--grpc-server-cert={self.file('server.pem')}", f"--grpc-server-key={self.file('server.key')}"]
        return flags + (["--grpc-use-ssl-mutual=true", f"--grpc-root-cert={self.file('ca.pem')}"] if mutual else [])
