"""A SavedModel with two signatures, and a frozen graph."""

import numpy as np
import tensorflow as tf
from cases import Cases

cases = Cases()


class Model(tf.Module):
    def __init__(self):
        self.weights = tf.Variable(tf.random.stateless_normal([4, 3], seed=(1, 2)))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="rows")])
    def score(self, rows):
        return {"scores": rows @ self.weights, "best": tf.argmax(rows @ self.weights, axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="texts")])
    def upper(self, texts):
        return {"loud": tf.strings.upper(texts, encoding="utf-8")}


model = Model()
signatures = {"serving_default": model.score, "upper": model.upper}
rows = np.random.default_rng(1).random((6, 4), dtype=np.float32)


def save(name, config=None):
    tf.saved_model.save(model, str(cases.folder(name, config) / "model.savedmodel"), signatures=signatures)


def choose(signature):
    return f"""platform: "tensorflow_savedmodel"
    parameters {{ key: "TF_SIGNATURE_DEF" value {{ string_value: "{signature}" }} }}
    parameters {{ key: "TF_NUM_INTRA_THREADS" value {{ string_value: "1" }} }}"""


save("scores")
for part in (rows[:1], rows[1:3], rows[3:]):
    made = model.score(part)
    cases.ask("scores", {"rows": part}, {"scores": made["scores"], "best": made["best"][:, None]})

save("upper", choose("upper"))
cases.ask("upper", {"texts": [["ab"], ["ü"]]}, {"loud": [["AB"], ["Ü"]]})
save("missing", choose("lower"))
save(
    "misnamed",
    """platform: "tensorflow_savedmodel" max_batch_size: 4
    input { name: "lines" data_type: TYPE_FP32 dims: [4] } output { name: "scores" data_type: TYPE_FP32 dims: [3] }""",
)

graph = tf.Graph()
with graph.as_default():
    given = tf.compat.v1.placeholder(tf.float32, [None, 2], name="given")
    tf.identity(given * 2, name="twice")
config = """platform: "tensorflow_graphdef" max_batch_size: 4
input { name: "given" data_type: TYPE_FP32 dims: [2] } output { name: "twice" data_type: TYPE_FP32 dims: [2] }"""
(cases.folder("frozen", config) / "model.graphdef").write_bytes(graph.as_graph_def().SerializeToString())
cases.ask("frozen", {"given": rows[:3, :2]}, {"twice": 2 * rows[:3, :2]})
cases.write()
