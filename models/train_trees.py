"""Trains the sample forest of this repository with XGBoost and writes it where Triton looks for it.

    python -m venv .venv && .venv/bin/pip install -r models/requirements-trees.txt && .venv/bin/python models/train_trees.py

The data comes with scikit-learn and all seeds are fixed. Prints how it does on data it was not trained on, and writes some of
that data with XGBoost's own answers to test/fixtures/models.
"""

import json
import os

import numpy as np
import xgboost as xgb
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

SEED = 7
ROWS = 8
# Every tenth measurement is missing, in training and after.
MISSING = 0.1

MODELS = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(MODELS, "..", "test", "fixtures", "models")


def write(name, document):
    with open(os.path.join(FIXTURES, name), "w") as file:
        json.dump(document, file)
        file.write("\n")


def tumour():
    features, benign = load_breast_cancer(return_X_y=True)
    features = features.astype(np.float32)
    features[np.random.default_rng(SEED).random(features.shape) < MISSING] = np.nan
    train_x, test_x, train_y, test_y = train_test_split(features, 1 - benign, test_size=0.25, random_state=SEED, stratify=benign)
    settings = {"objective": "binary:logistic", "max_depth": 3, "eta": 0.2, "subsample": 0.8, "nthread": 1, "seed": SEED}
    booster = xgb.train(settings, xgb.DMatrix(train_x, train_y), num_boost_round=60)
    folder = os.path.join(MODELS, "tumour", "1")
    os.makedirs(folder, exist_ok=True)
    booster.save_model(os.path.join(folder, "xgboost.json"))
    predicted = booster.predict(xgb.DMatrix(test_x))
    right = np.mean((predicted > 0.5) == test_y)
    print(f"tumour       accuracy {right:.4f}, AUC {roc_auc_score(test_y, predicted):.4f} on {len(test_y)} tumours")
    whole = test_x[np.flatnonzero(~np.isnan(test_x).any(1) & (predicted > 0.5))[0]]
    tensor = {"name": "input__0", "datatype": "FP32", "shape": [1, 30], "data": [float(str(value)) for value in whole]}
    wanted = {"name": "output__0", "parameters": {"classification": 1}}
    write("tumour-request.json", {"inputs": [tensor], "outputs": [wanted]})
    # As many without holes as with some.
    order = np.argsort(np.isnan(test_x).any(1), kind="stable")
    asked = np.concatenate([order[: ROWS // 2], order[-ROWS // 2 :]])
    rows = [[None if np.isnan(value) else float(str(value)) for value in row] for row in test_x[asked]]
    write("tumour.json", {"rows": rows, "malignant": predicted[asked].astype(float).tolist()})


if __name__ == "__main__":
    tumour()
