"""Starts the built server on the recorded repository, runs every test beside this file and prints `N passed, N failed`."""

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
REPOSITORY = os.path.join(ROOT, "test", "fixtures", "recorded", "repository")
SERVER = os.path.join(ROOT, "dist", "server", "main.js")
START_SECONDS = 60
STOP_SECONDS = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(url, server):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit(f"the server ended with {server.returncode}")
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://{url}/v2/health/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        time.sleep(0.05)
    raise SystemExit(f"the server was not ready after {START_SECONDS} s")


@contextlib.contextmanager
def built_server():
    """The server on a copy of the repository, without what is not served yet: ensembles, sequences."""
    with tempfile.TemporaryDirectory(prefix="nereid-clients-") as folder:
        repository = os.path.join(folder, "repository")
        shutil.copytree(REPOSITORY, repository, ignore=shutil.ignore_patterns("ens_*", "seq_*"))
        port, metrics = free_port(), free_port()
        log = open(os.path.join(folder, "log"), "w+")
        command = ["node", SERVER, f"--model-repository={repository}", "--http-address=127.0.0.1"]
        command += [f"--http-port={port}", f"--metrics-port={metrics}", "--allow-grpc=false"]
        command += ["--model-control-mode=explicit", "--load-model=*", "--allow-client-shm=true"]
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until_ready(f"127.0.0.1:{port}", server)
            yield f"127.0.0.1:{port}"
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read()[-4000:])
            raise
        finally:
            server.terminate()
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--url", help="HOST:PORT of a running server with the recorded repository")
    options.add_argument("--only", default="test_*.py", help="pattern of test files")
    chosen = options.parse_args()
    with contextlib.ExitStack() as stack:
        os.environ["CLIENTS_URL"] = chosen.url or stack.enter_context(built_server())
        suite = unittest.TestLoader().discover(HERE, pattern=chosen.only)
        result = unittest.TextTestRunner(verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    skipped = len(result.skipped)
    passed = result.testsRun - failed - skipped
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed or passed == 0 else 0)


if __name__ == "__main__":
    main()
