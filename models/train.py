"""Trains the models of this repository and writes them where Triton looks for them.

    python -m venv .venv && .venv/bin/pip install -r models/requirements.txt && .venv/bin/python models/train.py

All data comes with scikit-learn and all seeds are fixed. Prints each model's accuracy on data it was not trained on, and
writes that data to test/fixtures/{digits,models} so that a server can be held to it.
"""

import json
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# A folder beside the models would be taken for a model.
sys.dont_write_bytecode = True
from train_digits import train_digits  # noqa: E402

SEED = 7
# As many as an auto-completed model takes at once.
ROWS = 4
# What ONNX Runtime of Triton 2.51 can read, and newer ones still can.
IR_VERSION = 8
OPSETS = {"": 17, "ai.onnx.ml": 3}

MODELS = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(MODELS, "..", "test", "fixtures")


def save(model, name, version=1):
    """Writes one version of a model and returns a session on it."""
    model.ir_version = IR_VERSION
    model.producer_name = "nereid models/train.py"
    # The converter makes up a name each time; the same training gives the same file.
    model.graph.name = name
    onnx.checker.check_model(model)
    folder = os.path.join(MODELS, name, str(version))
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "model.onnx")
    onnx.save(model, path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def write(path, text):
    path = os.path.join(FIXTURES, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w" if isinstance(text, str) else "wb") as file:
        file.write(text)


def expect(name, inputs, versions):
    """Some unseen rows and what each version says of them: test/fixtures/models/NAME.json."""
    plain = lambda tensors: {key: value.tolist() for key, value in tensors.items()}
    write(f"models/{name}.json", json.dumps({"inputs": plain(inputs), "versions": {v: plain(o) for v, o in versions.items()}}))


def run(session, inputs):
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def to_onnx(pipeline, columns):
    return convert_sklearn(
        pipeline,
        initial_types=[("features", FloatTensorType([None, columns]))],
        options={"zipmap": False},
        target_opset=OPSETS,
    )


def digits():
    data = load_digits()
    images = data.images.astype(np.float32).reshape(-1, 1, 8, 8)
    train_x, test_x, train_y, test_y = train_test_split(
        images, data.target, test_size=0.2, random_state=SEED, stratify=data.target
    )
    session = save(train_digits(train_x, train_y, SEED), "digits")
    scores = run(session, {"image": test_x})["scores"]
    print(f"digits       accuracy {np.mean(scores.argmax(1) == test_y):.4f} on {len(test_y)} images")
    write("digits/test-set.bin", test_x.astype(np.uint8).tobytes())
    write("digits/test-set-labels.bin", test_y.astype(np.uint8).tobytes())
    for digit in range(10):
        image = test_x[np.flatnonzero(test_y == digit)[0]]
        pixels = [int(pixel) for pixel in image.ravel()]
        tensor = {"name": "image", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": pixels}
        wanted = {"name": "scores", "parameters": {"classification": 3}}
        write(f"digits/{digit}.json", json.dumps({"inputs": [tensor], "outputs": [wanted]}) + "\n")


def iris():
    data = load_iris()
    names = data.target_names[data.target]
    train_x, test_x, train_y, test_y = train_test_split(
        data.data.astype(np.float32), names, test_size=0.3, random_state=SEED, stratify=names
    )
    forest = RandomForestClassifier(n_estimators=20, max_depth=4, random_state=SEED).fit(train_x, train_y)
    session = save(to_onnx(forest, 4), "iris")
    answer = run(session, {"features": test_x})
    print(f"iris         accuracy {np.mean(answer['label'] == test_y):.4f} on {len(test_y)} flowers")
    rows = {"features": test_x[:ROWS]}
    expect("iris", rows, {1: run(session, rows)})


def wine():
    """Three versions, each better than the one before: two measurements, all of them, a forest."""
    data = load_wine()
    train_x, test_x, train_y, test_y = train_test_split(
        data.data.astype(np.float32), data.target, test_size=0.3, random_state=SEED, stratify=data.target
    )
    # The first two columns: alcohol and malic acid.
    two = np.zeros((1, data.data.shape[1]), np.float32)
    two[0, :2] = 1
    scaled = lambda classifier: make_pipeline(StandardScaler(), classifier)
    pipelines = {
        1: scaled(LogisticRegression(random_state=SEED)),
        2: scaled(LogisticRegression(random_state=SEED)),
        3: RandomForestClassifier(n_estimators=30, max_depth=4, random_state=SEED),
    }
    rows = {"features": test_x[:ROWS]}
    versions = {}
    for version, pipeline in pipelines.items():
        keep = two if version == 1 else np.ones_like(two)
        model = to_onnx(pipeline.fit(train_x * keep, train_y), train_x.shape[1])
        if version == 1:
            mask_columns(model, two)
        session = save(model, "wine", version)
        label = run(session, {"features": test_x})["label"]
        print(f"wine {version}       accuracy {np.mean(label == test_y):.4f} on {len(test_y)} wines")
        versions[version] = run(session, rows)
    expect("wine", rows, versions)


def mask_columns(model, keep):
    """Multiplies the input by `keep`, as the training did."""
    graph = model.graph
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == "features":
                node.input[i] = "kept"
    graph.initializer.append(numpy_helper.from_array(keep, "keep"))
    graph.node.insert(0, helper.make_node("Mul", ["features", "keep"], ["kept"], name="keep_columns"))


def diabetes():
    """A regressor with two inputs: what a scale and a cuff tell, and what the blood tells."""
    data = load_diabetes(scaled=False)
    features = data.data.astype(np.float32)
    target = data.target.astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(features, target, test_size=0.25, random_state=SEED)
    mean, scale = train_x.mean(0), train_x.std(0)
    centre, spread = train_y.mean(), train_y.std()
    network = MLPRegressor(hidden_layer_sizes=(16,), alpha=3, solver="lbfgs", max_iter=2000, random_state=SEED)
    network.fit((train_x - mean) / scale, (train_y - centre) / spread)
    constants = {"mean": mean, "scale": scale, "centre": np.float32([centre]), "spread": np.float32([spread])}
    for layer, (weights, bias) in enumerate(zip(network.coefs_, network.intercepts_)):
        constants[f"w{layer}"], constants[f"b{layer}"] = weights, bias
    node = helper.make_node
    graph = helper.make_graph(
        [
            node("Concat", ["body", "serum"], ["all"], axis=1),
            node("Sub", ["all", "mean"], ["centred"]),
            node("Div", ["centred", "scale"], ["scaled"]),
            node("Gemm", ["scaled", "w0", "b0"], ["hidden"]),
            node("Relu", ["hidden"], ["active"]),
            node("Gemm", ["active", "w1", "b1"], ["standard"]),
            node("Mul", ["standard", "spread"], ["spread_out"]),
            node("Add", ["spread_out", "centre"], ["progression"]),
        ],
        "diabetes",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size]) for name, size in (("body", 4), ("serum", 6))],
        [helper.make_tensor_value_info("progression", TensorProto.FLOAT, ["N", 1])],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSETS[""])])
    session = save(model, "diabetes")
    split = lambda rows: {"body": rows[:, :4], "serum": rows[:, 4:]}
    predicted = run(session, split(test_x))["progression"].ravel()
    print(f"diabetes     R2 {r2_score(test_y, predicted):.4f} on {len(test_y)} patients")
    rows = split(test_x[:ROWS])
    expect("diabetes", rows, {1: run(session, rows)})


if __name__ == "__main__":
    digits()
    iris()
    wine()
    diabetes()
