"""Starts the built server on the recorded repository, runs every test beside this file and prints `N passed, N failed`."""

import argparse
import contextlib
import os
import sys
import unittest

from server import HERE, Server, running


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--url", help="HOST:PORT of HTTP of a running server with the recorded repository and repeat")
    options.add_argument("--grpc-url", help="HOST:PORT of its gRPC")
    options.add_argument("--only", default="test_*.py", help="pattern of test files")
    chosen = options.parse_args()
    with contextlib.ExitStack() as stack:
        given = chosen.url is not None
        server = Server(chosen.url, chosen.grpc_url or "") if given else stack.enter_context(running())
        os.environ["CLIENTS_URL"], os.environ["CLIENTS_GRPC_URL"] = server
        suite = unittest.TestLoader().discover(HERE, pattern=chosen.only)
        result = unittest.TextTestRunner(verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    skipped = len(result.skipped)
    passed = result.testsRun - failed - skipped
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed or passed == 0 else 0)


if __name__ == "__main__":
    main()
