"""A forward pass here, in ONNX Runtime and in LiteRT: same weights, same rows, one thread each, in
alternating rounds.

    python3 -m venv /tmp/venv
    /tmp/venv/bin/pip install onnx onnxruntime ai-edge-litert safetensors numpy
    cargo bench -p sealgate-model --no-run
    /tmp/venv/bin/python model/benches/compare.py target/release/deps/fused-*

Each runtime is called as its users call it, which for the other two is from Python; what that call
costs is measured on a network that does nothing and printed beside, so that the reader can take it
off. The answers are compared before anything is timed.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
import onnxruntime
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open

NETWORKS = [30, 784]
BATCHES = [1, 8, 32, 256]
ROUNDS = 15


def main():
    bench = sys.argv[1]
    with tempfile.TemporaryDirectory() as directory:
        here = Here(bench, directory)
        print(f"{'network':<14}{'rows':>5}{'here us':>10}{'onnxruntime':>13}{'ratio':>7}"
              f"{'litert':>10}{'ratio':>7}")
        empty = identity()
        for features in NETWORKS:
            layers = read(Path(directory) / f"{features}.safetensors")
            model = onnxruntime_of(layers)
            for batch in BATCHES:
                litert = LiteRt(layers, batch)
                rows = noise(features, batch)
                expected = reference(layers, rows)
                for run in (model, litert):
                    worst = np.abs(run(rows) - expected).max()
                    assert worst < 1e-5, worst
                passes = 4000 // (batch + 3)
                times = {"here": [], "onnx": [], "litert": [], "empty": []}
                for _ in range(ROUNDS):
                    times["here"].append(here.time(features, batch, passes))
                    times["onnx"].append(timed(lambda: model(rows), passes))
                    times["litert"].append(timed(lambda: litert(rows), passes))
                    times["empty"].append(timed(lambda: empty(rows), passes))
                middle = {name: statistics.median(values) for name, values in times.items()}
                print(f"{features}-128-64-1".ljust(14) + f"{batch:>5}{middle['here']:>10.2f}"
                      f"{middle['onnx']:>13.2f}{middle['onnx'] / middle['here']:>7.2f}"
                      f"{middle['litert']:>10.2f}{middle['litert'] / middle['here']:>7.2f}"
                      f"   (an empty ONNX network: {middle['empty']:.2f})", flush=True)


class Here:
    """The benchmark program, asked over its standard input."""

    def __init__(self, program, directory):
        self.process = subprocess.Popen([program, "--answer", directory], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline().strip() == "ready"

    def time(self, features, batch, passes):
        self.process.stdin.write(f"{features} {batch} {passes}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def read(path):
    """Weights and biases, the standardisation folded into the first layer."""
    with safe_open(path, "np") as file:
        manifest = json.loads(file.metadata()["sealgate.manifest"])
        layers = [(file.get_tensor(f"layers.{n}.weight"), file.get_tensor(f"layers.{n}.bias"))
                  for n in range(len(manifest["architecture"]))]
    fit = manifest["standardisation"]
    weight, bias = (values.astype(np.float64) for values in layers[0])
    weight = weight / np.array(fit["std"])[:, None]
    bias = bias - np.array(fit["mean"]) @ weight
    return [(weight.astype(np.float32), bias.astype(np.float32))] + layers[1:]


def noise(features, batch):
    return (np.random.default_rng(7).random((batch, features), np.float32) * 20 - 10)


def reference(layers, values):
    for n, (weight, bias) in enumerate(layers):
        values = values.astype(np.float64) @ weight + bias
        last = n + 1 == len(layers)
        values = 1 / (1 + np.exp(-values)) if last else np.maximum(values, 0)
    return values


def timed(run, passes):
    started = time.perf_counter()
    for _ in range(passes):
        run()
    return (time.perf_counter() - started) * 1e6 / passes


def onnxruntime_of(layers):
    nodes, initialisers, name = [], [], "x"
    for n, (weight, bias) in enumerate(layers):
        initialisers += [numpy_helper.from_array(weight, f"w{n}"),
                         numpy_helper.from_array(bias, f"b{n}")]
        last = n + 1 == len(layers)
        nodes.append(helper.make_node("Gemm", [name, f"w{n}", f"b{n}"], [f"g{n}"]))
        nodes.append(helper.make_node("Sigmoid" if last else "Relu", [f"g{n}"], [f"a{n}"]))
        name = f"a{n}"
    return session(nodes, initialisers, layers[0][0].shape[0], name, 1)


def identity():
    width = NETWORKS[0]
    run = session([helper.make_node("Identity", ["x"], ["y"])], [], width, "y", width)
    row = noise(width, 1)
    return lambda _: run(row)


def session(nodes, initialisers, inputs, output, outputs):
    graph = helper.make_graph(
        nodes, "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, inputs])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, outputs])], initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    loaded = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                          providers=["CPUExecutionProvider"])
    return lambda rows: loaded.run(None, {"x": rows})[0]


class LiteRt:
    """An interpreter for one size of batch; rows are written in place, as its users do."""

    def __init__(self, layers, batch):
        self.interpreter = Interpreter(model_content=flatbuffer(layers, batch), num_threads=1)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]["index"]
        self.output = self.interpreter.get_output_details()[0]["index"]

    def __call__(self, rows):
        self.interpreter.set_tensor(self.input, rows)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output)


def flatbuffer(layers, batch):
    model = tfl.ModelT()
    model.version = 3
    graph = tfl.SubGraphT()
    graph.tensors, graph.operators = [], []
    model.buffers = [tfl.BufferT()]

    def tensor(shape, values=None):
        made = tfl.TensorT()
        made.shape, made.type = list(shape), tfl.TensorType.FLOAT32
        made.name = f"t{len(graph.tensors)}"
        if values is not None:
            buffer = tfl.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            made.buffer = len(model.buffers)
            model.buffers.append(buffer)
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    def operator(code, inputs, output, kind=None, options=None):
        made = tfl.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = code, inputs, [output]
        if options is not None:
            made.builtinOptionsType, made.builtinOptions = kind, options
        graph.operators.append(made)

    codes = [tfl.BuiltinOperator.FULLY_CONNECTED, tfl.BuiltinOperator.LOGISTIC]
    model.operatorCodes = []
    for code in codes:
        made = tfl.OperatorCodeT()
        made.builtinCode = made.deprecatedBuiltinCode = code
        made.version = 1
        model.operatorCodes.append(made)
    values = tensor([batch, layers[0][0].shape[0]])
    graph.inputs = [values]
    for n, (weight, bias) in enumerate(layers):
        options = tfl.FullyConnectedOptionsT()
        last = n + 1 == len(layers)
        options.fusedActivationFunction = (tfl.ActivationFunctionType.NONE if last
                                           else tfl.ActivationFunctionType.RELU)
        sums = tensor([batch, weight.shape[1]])
        operator(0, [values, tensor(weight.T.shape, weight.T), tensor(bias.shape, bias)], sums,
                 tfl.BuiltinOptions.FullyConnectedOptions, options)
        values = sums
    answer = tensor([batch, 1])
    operator(1, [values], answer)
    graph.outputs = [answer]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


main()
