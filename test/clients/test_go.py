"""google.golang.org/grpc: the tests in go/ against this server, and against one with TLS, pings and short lives of connections."""

import contextlib
import os
import re
import subprocess
import tempfile
import unittest

import go_tools
from certificates import HAVE_OPENSSL, Certificates
from server import running

GROUP = "Go"
SECONDS = 240
IMPATIENT = (
    "--grpc-keepalive-time=50",
    "--grpc-keepalive-timeout=5000",
    "--grpc-keepalive-permit-without-calls=true",
    "--grpc-max-connection-age=300",
    "--grpc-max-connection-age-grace=20000",
)


def load_tests(_loader, _tests, _pattern):
    missing = go_tools.reason_missing()
    if missing is not None:
        return unittest.TestSuite([go_tools.Skipped(GROUP, missing)])
    with contextlib.ExitStack() as stack:
        return go_tools.suite_of(outcomes({**os.environ, **secured(stack)}), GROUP)


def secured(stack):
    if not HAVE_OPENSSL:
        return {}
    made = Certificates(stack.enter_context(tempfile.TemporaryDirectory(prefix="nereid-clients-")))
    server = stack.enter_context(running(*made.grpc_flags(mutual=True), *IMPATIENT, models=["addsub_int32"]))
    return {"CLIENTS_TLS_URL": server.grpc, "CLIENTS_CERTIFICATES": made.folder}


def outcomes(environment):
    command = [go_tools.path("client.test"), "-test.v", f"-test.timeout={SECONDS}s"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    said = done.stdout + done.stderr
    found = re.findall(r"^--- (PASS|FAIL|SKIP): (\S+)", said, re.MULTILINE)
    listed = [(name, None if result == "PASS" else f"{result}\n{said[-8000:]}") for result, name in found if result != "SKIP"]
    if done.returncode == 0 and listed:
        return listed
    return [*listed, ("the program ends well", f"exit status {done.returncode}\n{said[-8000:]}")]
