"""Trains the forests of trees.ts and times the libraries' own predict on them, with one thread.

    python test/bench/trees.py FOLDER    # writes models and rows, prints one JSON line for each forest
"""

import json
import os
import sys
import time

import lightgbm as lgb
import numpy as np
import xgboost as xgb

FOLDER = sys.argv[1]
FEATURES = 32
ROWS = 1000
TRAINING_ROWS = 5000
# Trees and depth.
FORESTS = [(100, 6), (500, 8), (1000, 6)]
SECONDS = 0.6


def best(run):
    """Microseconds of the fastest run: what others do on the machine only ever adds."""
    run()
    fastest, end = np.inf, time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        begin = time.perf_counter()
        run()
        fastest = min(fastest, time.perf_counter() - begin)
    return fastest * 1e6


def told(library, trees, depth, file, kind, predict, x):
    expected = os.path.join(FOLDER, file + ".expected")
    np.asarray(predict(x), np.float32).tofile(expected)
    note = {"library": library, "trees": trees, "depth": depth, "file": file, "format": kind}
    print(json.dumps({**note, "one": best(lambda: predict(x[:1])), "all": best(lambda: predict(x))}), flush=True)


rng = np.random.default_rng(7)
x = rng.normal(size=(TRAINING_ROWS, FEATURES)).astype(np.float32)
y = x[:, 0] * x[:, 1] + np.sin(3 * x[:, 2]) + rng.normal(size=TRAINING_ROWS) * 0.3 > 0
x[:ROWS].tofile(os.path.join(FOLDER, "rows"))
for trees, depth in FORESTS:
    settings = {"max_depth": depth, "objective": "binary:logistic", "nthread": 1, "eta": 0.05, "min_child_weight": 0}
    booster = xgb.train(settings, xgb.DMatrix(x, y, nthread=1), trees)
    booster.save_model(os.path.join(FOLDER, f"{trees}.ubj"))
    told("XGBoost", trees, depth, f"{trees}.ubj", "xgboost_ubj", booster.inplace_predict, x[:ROWS])
    settings = {"objective": "binary", "num_leaves": 2**depth - 1, "num_threads": 1, "verbose": -1, "min_data_in_leaf": 5}
    booster = lgb.train(settings, lgb.Dataset(x, y), trees)
    booster.save_model(os.path.join(FOLDER, f"{trees}.txt"))
    told("LightGBM", trees, depth, f"{trees}.txt", "lightgbm", lambda rows: booster.predict(rows, num_threads=1), x[:ROWS])
