"""What the server starts: `python main.py`, with the channel and the two memories as descriptors 3,
4 and 5.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

if __name__ == "__main__":
    # A model's own `main` or `nereid_worker` must not be shadowed: this folder is the last one
    # looked into.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != HERE]
    sys.path.append(HERE)
    from nereid_worker.process import run

    sys.exit(run())
