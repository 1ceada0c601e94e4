"""T = tp/ts of a batch that is cut among two workers: how long `sealgate infer --sealed --shards 2` takes
over `--shards 1`, from the start of the command to its end, so keys, evidence and receipts are in both.

    python3 tests/benches/shards.py target/release [--width 2048] [--rows 32,256,1024] [--rounds 11]

A demo on a state folder of its own, with two replicas of a network 30-W-W-1 that stands in the place of
the demo's. Rounds alternate; what is printed are medians.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NAME = "breast-cancer"


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True).stdout


def prepare(sealgate, state, width):
    """A demo's state with the wide network in two replicas."""
    run(sealgate, "demo", "--prepare-only", "--state", state)
    file, out = state / "wide.safetensors", state / "wide"
    script = ROOT / "model-builder/tests/wide_model.py"
    file.write_bytes(run(sys.executable, script, 30, width, width, 1))
    run(sealgate, "model", "import", file, "--name", NAME, "--architecture", "relu, relu, sigmoid",
        "--out", out)
    (out / "model.safetensors").rename(state / f"models/{NAME}/1/model.safetensors")
    config = state / "gateway.toml"
    text = config.read_text()
    assert "[[models]]\n" in text
    config.write_text(text.replace("[[models]]\n", "[[models]]\nreplicas = 2\n"))


def started(sealgate, state):
    log = (state / "demo.log").open("w")
    command = [sealgate, "demo", "--listen", "127.0.0.1:0", "--state", state]
    demo = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    while not (state / "demo.json").is_file() or len(facts(state)["worker_pids"]) < 2:
        if demo.poll() is not None or time.monotonic() > deadline:
            raise SystemExit((state / "demo.log").read_text())
        time.sleep(0.1)
    return demo


def facts(state):
    return json.loads((state / "demo.json").read_text())


def main():
    options = argparse.ArgumentParser()
    options.add_argument("bin", type=Path)
    options.add_argument("--width", type=int, default=2048)
    options.add_argument("--rows", default="32,256,1024")
    options.add_argument("--rounds", type=int, default=11)
    told = options.parse_args()
    sealgate = told.bin.resolve() / "sealgate"
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "demo"
        prepare(sealgate, state, told.width)
        demo = started(sealgate, state)
        try:
            print(f"30-{told.width}-{told.width}-1, medians of {told.rounds} rounds")
            for count in map(int, told.rows.split(",")):
                measure(sealgate, state, count, told.rounds)
        finally:
            demo.terminate()
            demo.wait()


def measure(sealgate, state, count, rounds):
    draw = random.Random(count)
    rows = state / f"rows-{count}.json"
    rows.write_text(json.dumps([[draw.uniform(0, 1) for _ in range(30)] for _ in range(count)]))
    taken = {1: [], 2: []}
    for _ in range(rounds):
        for shards, times in taken.items():
            begun = time.perf_counter()
            run(sealgate, "infer", "--state", state, "--input", rows, "--sealed",
                "--shards", shards, "--json")
            times.append(time.perf_counter() - begun)
    whole, cut = (1000 * statistics.median(taken[shards]) for shards in (1, 2))
    print(f"{count:>6} rows  ts {whole:7.1f} ms  tp {cut:7.1f} ms  T = {cut / whole:.2f}", flush=True)


main()
