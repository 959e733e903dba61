"""The built server as these tests start it: all doors on free ports of 127.0.0.1, the recorded repository and `repeat`."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import typing

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
REPOSITORY = os.path.join(ROOT, "test", "fixtures", "recorded", "repository")
REPEAT = os.path.join(ROOT, "models", "repeat")
MAIN = os.environ.get("CLIENTS_SERVER") or os.path.join(ROOT, "dist", "server", "main.js")
STARTED = "Started Metrics Service"
START_SECONDS = 60
STOP_SECONDS = 30
# A machine that has other things to do makes the event loop late; what is refused then has tests of its own.
PATIENT = "--overload-lag-ms=0"


class Server(typing.NamedTuple):
    http: str
    grpc: str


def free_ports(count):
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def wait_until_started(log, process):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}")
        with open(log) as file:
            if STARTED in file.read():
                return
        time.sleep(0.05)
    raise SystemExit(f"the server had not started after {START_SECONDS} s")


@contextlib.contextmanager
def running(*flags, models=None, source=REPOSITORY):
    """A server with these flags too; `models` are the names of the models of `source` that it needs, None = all and explicit control."""
    with tempfile.TemporaryDirectory(prefix="nereid-clients-") as folder:
        repository = os.path.join(folder, "repository")
        for name in models or os.listdir(source):
            shutil.copytree(os.path.join(source, name), os.path.join(repository, name))
        shutil.copytree(REPEAT, os.path.join(repository, "repeat"))
        http, grpc, metrics = free_ports(3)
        command = ["node", MAIN, f"--model-repository={repository}", "--http-address=127.0.0.1", "--grpc-address=127.0.0.1"]
        command += [f"--http-port={http}", f"--grpc-port={grpc}", f"--metrics-port={metrics}", PATIENT, *flags]
        if models is None:
            command += ["--model-control-mode=explicit", "--load-model=*", "--allow-client-shm=true"]
        log = os.path.join(folder, "log")
        with open(log, "w") as file:
            process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)
        try:
            wait_until_started(log, process)
            yield Server(f"127.0.0.1:{http}", f"127.0.0.1:{grpc}")
        except BaseException:
            with open(log) as file:
                sys.stderr.write(file.read()[-4000:])
            raise
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
