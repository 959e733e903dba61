"""Trains forests with the libraries themselves and writes down what they predict.

    python test/core/trees/train.py small test/fixtures/trees    # the fixtures: a few trees each
    python test/core/trees/train.py large FOLDER                 # what trees.test.ts compares where Python is

Each case is a model file and CASE.json: its format, rows of input (null = missing), what predict says of them, and what FIL is
told. Needs xgboost, lightgbm, treelite and scikit-learn.
"""

import json
import os
import sys

import lightgbm as lgb
import numpy as np
import treelite
import xgboost as xgb
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)

SMALL = sys.argv[1] == "small"
FOLDER = sys.argv[2]
RNG = np.random.default_rng(7)
QUIET = {"verbose": -1, "num_threads": 1, "seed": 7, "deterministic": True}


def size(small, large):
    return small if SMALL else large


def keep(case, fmt, rows, expected, **options):
    rows = np.asarray(rows, dtype=np.float32)[: size(12, 300)]
    expected = np.asarray(expected, dtype=np.float64)[: size(12, 300)]
    rounded = [[None if np.isnan(x) else float(str(x)) for x in row] for row in rows]
    note = {"format": fmt, "input": rounded, "expected": expected.reshape(len(rows), -1).tolist(), **options}
    with open(os.path.join(FOLDER, f"{case}.json"), "w") as file:
        json.dump(note, file)
        file.write("\n")


def path(case, extension):
    return os.path.join(FOLDER, f"{case}.{extension}")


def holes(rows, share=0.15):
    rows = np.array(rows, dtype=np.float32)
    rows[RNG.random(rows.shape) < share] = np.nan
    return rows


def mixed(count=600):
    """Two numbers and two columns of categories, with holes; half of what the categories say is not in the training data."""
    rows = RNG.normal(size=(count, 4)).astype(np.float32)
    rows[:, 2] = RNG.integers(0, 40, count)
    rows[:, 3] = RNG.integers(0, 5, count)
    label = ((rows[:, 2] % 3 == 0) ^ (rows[:, 0] > 0.3) ^ (rows[:, 3] == 2)).astype(int)
    seen = holes(rows)
    asked = seen.copy()
    asked[::3, 2] = RNG.integers(-3, 90, len(asked[::3]))
    asked[1::5, 3] += 0.5
    asked[2::7, 2] = -0.5
    return seen, label, asked


# ---- XGBoost


def boost(case, params, data, asked, rounds, extension="json", **options):
    booster = xgb.train({"max_depth": 3, "nthread": 1, "seed": 7, **params}, data, rounds)
    booster.save_model(path(case, "model.json" if extension == "json" else extension))
    expected = booster.predict(xgb.DMatrix(asked, feature_types=data.feature_types, enable_categorical=True))
    keep(case, "xgboost_json" if extension == "json" else "xgboost_ubj", asked, expected, predict_proba=True, **options)


def xgboost_cases():
    x, y = load_breast_cancer(return_X_y=True)
    few = size(x[:, :6], x)
    boost("xgb-binary", {"objective": "binary:logistic"}, xgb.DMatrix(holes(few), y), holes(few), size(4, 200))
    boost("xgb-logitraw", {"objective": "binary:logitraw"}, xgb.DMatrix(few, y), few, size(3, 30))
    boost("xgb-hinge", {"objective": "binary:hinge"}, xgb.DMatrix(few, y), few, size(3, 30))
    x, y = load_iris(return_X_y=True)
    order = RNG.permutation(len(x))
    x, y = x[order], y[order]
    boost("xgb-softprob", {"objective": "multi:softprob", "num_class": 3}, xgb.DMatrix(x, y), holes(x), size(2, 100), "ubj")
    boost("xgb-dart", {"objective": "multi:softprob", "num_class": 3, "booster": "dart", "rate_drop": 0.5}, xgb.DMatrix(x, y), x, size(3, 40), "ubj")
    boost("xgb-parallel", {"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 3, "subsample": 0.6}, xgb.DMatrix(x, y), x, size(1, 20))
    x, y = load_diabetes(return_X_y=True)
    boost("xgb-regression", {"objective": "reg:squarederror"}, xgb.DMatrix(x, y), x, size(3, 1000), "ubj")
    boost("xgb-depth", {"objective": "reg:squarederror", "max_depth": size(4, 14)}, xgb.DMatrix(x, y), x, size(1, 50))
    for objective in ("count:poisson", "reg:gamma", "reg:tweedie", "reg:absoluteerror", "reg:pseudohubererror"):
        boost("xgb-" + objective.split(":")[1], {"objective": objective}, xgb.DMatrix(x, y / 50), x, size(2, 50), "ubj")
    both = np.stack([y, x[:, 0] * 100], 1)
    for strategy in ("one_output_per_tree", "multi_output_tree"):
        boost("xgb-" + strategy.split("_")[0], {"multi_strategy": strategy, "tree_method": "hist"}, xgb.DMatrix(x, both), x, size(2, 40), "ubj")
    query = xgb.DMatrix(x, (y / 60).astype(int))
    query.set_group([len(x) // 2, len(x) - len(x) // 2])
    boost("xgb-rank", {"objective": "rank:ndcg"}, query, x, size(2, 50))
    seen, label, asked = mixed()
    for name, limit in (("xgb-categories", 1), ("xgb-onehot", 100)):
        data = xgb.DMatrix(seen, label, feature_types=["q", "q", "c", "c"], enable_categorical=True)
        # XGBoost refuses categories below zero, so they are missing here.
        rows = np.where(asked < 0, np.nan, asked)
        rows[:, :2] = asked[:, :2]
        boost(name, {"objective": "binary:logistic", "max_cat_to_onehot": limit}, data, rows, size(3, 60), "ubj")


# ---- LightGBM


def light(case, params, data, asked, rounds, **options):
    booster = lgb.train({"num_leaves": size(6, 31), "min_data_in_leaf": 5, **QUIET, **params}, data, rounds)
    text = booster.model_to_string()
    # What was set in training fills half of a small file.
    with open(path(case, "txt"), "w") as file:
        file.write(text[: text.index("\nparameters:")] + "\n")
    keep(case, "lightgbm", asked, booster.predict(np.asarray(asked, dtype=np.float32)), predict_proba=True, **options)


def lightgbm_cases():
    x, y = load_breast_cancer(return_X_y=True)
    few = size(x[:, :6], x).astype(np.float32)
    light("lgb-binary", {"objective": "binary", "sigmoid": 1.5}, lgb.Dataset(holes(few), y), holes(few), size(4, 200))
    light("lgb-none", {"objective": "binary", "use_missing": False}, lgb.Dataset(few, y), holes(few), size(2, 50))
    light("lgb-dart", {"objective": "cross_entropy", "boosting": "dart"}, lgb.Dataset(few, y), few, size(3, 60))
    light("lgb-lambda", {"objective": "cross_entropy_lambda"}, lgb.Dataset(few, y), few, size(2, 40))
    light("lgb-forest", {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, lgb.Dataset(few, y), few, size(3, 1000))
    sparse = np.where(RNG.random(few.shape) < 0.4, 0, few).astype(np.float32)
    light("lgb-zero", {"objective": "binary", "zero_as_missing": True}, lgb.Dataset(sparse, y), holes(sparse), size(3, 80))
    x, y = load_iris(return_X_y=True)
    order = RNG.permutation(len(x))
    x, y = x[order], y[order]
    light("lgb-multiclass", {"objective": "multiclass", "num_class": 3}, lgb.Dataset(x, y), holes(x), size(2, 100))
    light("lgb-ova", {"objective": "multiclassova", "num_class": 3}, lgb.Dataset(x, y), x, size(2, 60))
    x, y = load_diabetes(return_X_y=True)
    light("lgb-regression", {"objective": "regression"}, lgb.Dataset(x, y), x.astype(np.float32), size(3, 500))
    light("lgb-sqrt", {"objective": "regression", "reg_sqrt": True}, lgb.Dataset(x, y), x, size(3, 60))
    for objective in ("poisson", "tweedie", "gamma", "huber", "quantile"):
        light("lgb-" + objective, {"objective": objective}, lgb.Dataset(x, y), x, size(2, 40))
    light("lgb-rank", {"objective": "lambdarank"}, lgb.Dataset(x, (y / 60).astype(int), group=[len(x) // 2, len(x) - len(x) // 2]), x, size(2, 60))
    seen, label, asked = mixed()
    light("lgb-categories", {"objective": "binary", "min_data_per_group": 5, "cat_smooth": 1}, lgb.Dataset(seen, label, categorical_feature=[2, 3]), asked, size(3, 60))


# ---- scikit-learn, through Treelite


def checkpoint(case, model, asked, expected, **options):
    model.serialize(path(case, "tl"))
    keep(case, "treelite_checkpoint", asked, expected, predict_proba=True, **options)


def treelite_cases():
    load = treelite.sklearn.import_model
    limits = {"random_state": 7, "max_leaf_nodes": size(6, None)}
    x, y = load_breast_cancer(return_X_y=True)
    x = size(x[:, :6], x).astype(np.float32)
    forest = RandomForestClassifier(size(3, 200), **limits).fit(x, y)
    checkpoint("tl-forest", load(forest), x, forest.predict_proba(x))
    boosted = GradientBoostingClassifier(n_estimators=size(4, 60), **limits).fit(x, y)
    checkpoint("tl-boosting", load(boosted), x, boosted.predict_proba(x)[:, 1])
    x, y = load_digits(return_X_y=True)
    x, y = (x[:, 16:24], y) if SMALL else (x, y)
    x = x.astype(np.float32)
    forest = RandomForestClassifier(size(2, 100), **limits).fit(x, y)
    checkpoint("tl-digits", load(forest), x, forest.predict_proba(x))
    x, y = load_diabetes(return_X_y=True)
    x = x.astype(np.float32)
    forest = RandomForestRegressor(size(3, 1000), **limits).fit(x, y)
    checkpoint("tl-regression", load(forest), x, forest.predict(x))
    forest = ExtraTreesRegressor(size(2, 100), **limits).fit(x, np.stack([y, x[:, 0]], 1))
    checkpoint("tl-targets", load(forest), x, forest.predict(x))
    forest = IsolationForest(n_estimators=size(3, 100), max_samples=32, random_state=7).fit(x)
    model = load(forest)
    checkpoint("tl-isolation", model, x, treelite.gtil.predict(model, x.astype(np.float64)))
    for case in ("xgb-categories", "lgb-categories", "lgb-multiclass"):
        rows = np.array(json.load(open(path(case, "json")))["input"], dtype=np.float64)
        if case.startswith("xgb"):
            model = treelite.frontend.load_xgboost_model(path(case, "ubj"), format_choice="ubjson")
            rows = rows.astype(np.float32)
        else:
            model = treelite.frontend.load_lightgbm_model(path(case, "txt"))
        checkpoint("tl-" + case, model, rows, treelite.gtil.predict(model, rows))


os.makedirs(FOLDER, exist_ok=True)
xgboost_cases()
lightgbm_cases()
treelite_cases()
