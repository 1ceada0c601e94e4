"""Fresh models of scikit-learn: an imported artifact against onnxruntime, on the same rows.

    models.py SEALGATE FOLDER [SEED]
"""

import json
import secrets
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

warnings.filterwarnings("ignore")
ACTIVATIONS = ["relu", "tanh", "logistic", "identity"]


def models(random):
    """Name, fitted pipeline, its rows, and whether the answers are a list of dictionaries."""
    for activation in ACTIVATIONS:
        kind = {
            "activation": activation,
            "hidden_layer_sizes": tuple(random.integers(1, 40, random.integers(1, 4)).tolist()),
            "max_iter": 30,
            "random_state": int(random.integers(1 << 31)),
        }
        scaler = [StandardScaler, MinMaxScaler][random.integers(2)]
        for name, data in [("two classes", load_breast_cancer()), ("three classes", load_iris())]:
            pipeline = make_pipeline(scaler(), MLPClassifier(**kind)).fit(data.data, data.target)
            yield f"{name}, {activation}", pipeline, data.data, bool(random.integers(2))
        data = load_diabetes()
        pipeline = make_pipeline(scaler(), MLPRegressor(**kind)).fit(data.data, data.target)
        yield f"regression, {activation}", pipeline, data.data, None
    for name, data in [("two classes", load_breast_cancer()), ("three classes", load_iris())]:
        pipeline = make_pipeline(scaler(), LogisticRegression()).fit(data.data, data.target)
        yield f"{name}, linear", pipeline, data.data, bool(random.integers(2))
    data = load_diabetes()
    pipeline = make_pipeline(scaler(), LinearRegression()).fit(data.data, data.target)
    yield "regression, linear", pipeline, data.data, None


def answers(file, rows):
    """What onnxruntime answers: the last output, probabilities behind labels."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    last = session.run(None, {"X": rows})[-1]
    if isinstance(last, list):
        return [list(row.values()) for row in last]
    return last.reshape(len(rows), -1).tolist()


def main():
    sealgate, folder = sys.argv[1], Path(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else secrets.randbits(31)
    print(f"models of seed {seed}")
    file, check = folder / "model.onnx", folder / "check.json"
    for name, pipeline, rows, zipmap in models(np.random.default_rng(seed)):
        rows = rows.astype(np.float32)
        options = {} if zipmap is None else {"options": {id(pipeline): {"zipmap": zipmap}}}
        file.write_bytes(to_onnx(pipeline, rows[:1], **options).SerializeToString())
        check.write_text(json.dumps({"inputs": rows.tolist(), "outputs": answers(file, rows)}))
        command = [sealgate, "model", "import", file, "--name", "fresh", "--out", folder / "out"]
        ran = subprocess.run([*command, "--check", check, "--json"], capture_output=True, text=True)
        if ran.returncode:
            sys.exit(f"{name}: {ran.stderr}")
        checked = json.loads(ran.stdout)["checked"]
        print(f"{name}: {checked['rows']} rows, largest difference {checked['largest_difference']:.1e}")


if __name__ == "__main__":
    main()
