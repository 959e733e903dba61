"""h2spec, which knows HTTP/2 alone, against the gRPC port: each of its cases counts."""

import os
import subprocess
import tempfile
import unittest
from xml.etree import ElementTree

import go_tools

GROUP = "h2spec"
CASES = 146
SECONDS = 300


def load_tests(_loader, _tests, _pattern):
    missing = go_tools.reason_missing()
    if missing is not None:
        return unittest.TestSuite([go_tools.Skipped(GROUP, missing)])
    return go_tools.suite_of(outcomes(), GROUP)


def outcomes():
    host, port = os.environ["CLIENTS_GRPC_URL"].rsplit(":", 1)
    with tempfile.TemporaryDirectory(prefix="nereid-clients-") as folder:
        report = os.path.join(folder, "report.xml")
        command = [go_tools.path("h2spec"), "--strict", "-h", host, "-p", port, "-j", report]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        cases = list(ElementTree.parse(report).iter("testcase"))
    found = [(f"{case.get('package')} {case.get('classname')}", failure(case)) for case in cases]
    count = None if len(found) == CASES else f"{len(found)} cases ran, not {CASES}"
    exit_status = None if done.returncode == 0 else done.stdout[-4000:] + done.stderr
    return [*found, ("all cases ran", count), ("it says so too", exit_status)]


def failure(case):
    wrong = [one for one in case if one.tag in ("failure", "error", "skipped")]
    return "\n".join(f"{one.tag}: {one.text}" for one in wrong) or None
