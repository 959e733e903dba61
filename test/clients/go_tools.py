"""Programs written in Go that setup-go.sh built."""

import functools
import os
import unittest

FOLDER = os.path.join(os.environ["CLIENTS_DIR"], "go")


def path(name):
    return os.path.join(FOLDER, "bin", name)


def reason_missing():
    """Why they are not there; None = they are."""
    if os.path.exists(os.path.join(FOLDER, "done")):
        return None
    try:
        with open(os.path.join(FOLDER, "missing")) as file:
            return file.read().strip()
    except FileNotFoundError:
        return "setup-go.sh has not run"


def needs_go(test):
    missing = reason_missing()
    return test if missing is None else unittest.skip(missing)(test)


def suite_of(outcomes, group):
    """One test for each `(name, failure)`; `failure` is None or a text."""
    return unittest.TestSuite(Outcome(group, name, failure) for name, failure in outcomes)


class Outcome(unittest.TestCase):
    """What a program said of one of its own tests."""

    def __init__(self, group, name, failure):
        super().__init__("runTest")
        self.name = f"{group}: {name}"
        self.failure = failure

    def runTest(self):
        if self.failure is not None:
            self.fail(self.failure)

    def __str__(self):
        return self.name


class Skipped(unittest.TestCase):
    def __init__(self, group, reason):
        super().__init__("runTest")
        self.group = group
        self.reason = reason

    def runTest(self):
        self.skipTest(self.reason)

    def __str__(self):
        return self.group
