"""The Python of the README, as it stands there."""

import os
import re
import subprocess
import sys
import unittest

from server import ROOT, running

SECONDS = 60


class Readme(unittest.TestCase):
    def test_every_block_of_python_runs_and_prints(self):
        with open(os.path.join(ROOT, "README.md")) as file:
            blocks = re.findall(r"^```python\n(.*?)^```$", file.read(), re.M | re.S)
        self.assertGreater(len(blocks), 0)
        with running(models=["digits"], source=os.path.join(ROOT, "models")) as server:
            for block in blocks:
                code = block.replace("localhost:8000", server.http).replace("localhost:8001", server.grpc)
                with self.subTest(code):
                    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertNotEqual(done.stdout, "")
                    self.assertNotIn("Exception", done.stdout)
