"""Estimators of scikit-learn, trained on its own data."""

import statistics

import joblib
import numpy as np
import skops.io
from cases import Cases
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

cases = Cases()


def save(name, estimator, config=None):
    skops.io.dump(estimator, cases.folder(name, config) / "model.skops")


rows, labels = load_breast_cancer(return_X_y=True)
cancer = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)
save("cancer", cancer)
for first in range(0, 20, 4):
    some = rows[first : first + 4]
    answers = {
        "predict": cancer.predict(some)[:, None],
        "predict_proba": cancer.predict_proba(some),
    }
    cases.ask("cancer", {"input": some}, answers)

rows, labels = load_iris(return_X_y=True)
names = load_iris().target_names[labels]
iris = RandomForestClassifier(30, random_state=0).fit(rows, names)
save(
    "iris",
    iris,
    'backend: "sklearn" parameters { key: "trusted_types" value { string_value: "sklearn.tree._tree.Tree" } }',
)
cases.ask(
    "iris",
    {"input": rows[::9]},
    {"predict": iris.predict(rows[::9])[:, None], "predict_proba": iris.predict_proba(rows[::9])},
)

pca = PCA(2).fit(rows)
save("pca", pca)
cases.ask("pca", {"input": rows[:5]}, {"transform": pca.transform(rows[:5])})

groups = KMeans(3, random_state=0, n_init=3).fit(rows)
save(
    "groups",
    groups,
    'backend: "sklearn" parameters { key: "method" value { string_value: "predict,transform" } }',
)
cases.ask(
    "groups",
    {"input": rows[:5]},
    {"predict": groups.predict(rows[:5])[:, None], "transform": groups.transform(rows[:5])},
)

rows, targets = load_diabetes(return_X_y=True)
ridge = Ridge().fit(rows, np.stack([targets, -targets], axis=1))
save(
    "progress",
    ridge,
    """backend: "sklearn" max_batch_size: 8
    input { name: "rows" data_type: TYPE_FP32 dims: [10] } output { name: "both" data_type: TYPE_FP32 dims: [2] }""",
)
some = rows[:3].astype(np.float32)
cases.ask("progress", {"rows": some}, {"both": ridge.predict(some).astype(np.float32)})

# A user who writes the input alone, and leaves batching off.
whole = 'backend: "sklearn" input { name: "rows" data_type: TYPE_FP64 dims: [-1, 10] }'
single = Ridge().fit(rows, targets)
save("whole", single, whole)
cases.ask("whole", {"rows": rows[:3]}, {"predict": single.predict(rows[:3])[:, None]})

texts = ["good fine day", "bad awful day", "nice good fun", "terrible bad news"]
mood = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["glad", "sad", "glad", "sad"])
save("mood", mood)
asked = ["good news", "awful", "fun day"]
cases.ask(
    "mood",
    {"input": [[text] for text in asked]},
    {"predict": mood.predict(asked)[:, None], "predict_proba": mood.predict_proba(asked)},
)

table = np.array([["red", 1.0], ["blue", 2.0], ["red", 3.0], ["blue", 4.5]], dtype=object)
price = make_pipeline(ColumnTransformer([("colour", OneHotEncoder(), [0])], remainder="passthrough"), Ridge())
price.fit(table, [1.0, 2.0, 3.0, 4.0])
save(
    "price",
    price,
    """backend: "sklearn" max_batch_size: 8
    input { name: "colour" data_type: TYPE_STRING dims: [1] } input { name: "size" data_type: TYPE_FP64 dims: [1] }
    output { name: "predict" data_type: TYPE_FP64 dims: [1] }""",
)
cases.ask(
    "price",
    {"colour": table[:, :1], "size": table[:, 1:].astype(float)},
    {"predict": price.predict(table)[:, None]},
)

joblib.dump(cancer, cases.folder("pickled") / "model.joblib")
save("strange", FunctionTransformer(statistics.fmean))
cases.write()
