"""Writes the weights of a PyTorch Sequential of any width as safetensors, for `sealgate model import`.

    python3 wide_model.py 30 1024 1024 1 > wide.safetensors
    sealgate model import wide.safetensors --name wide --architecture "relu, relu, sigmoid" --out wide
    sealgate model split wide --parts 2 --out wide-split

The weights are noise of a size that keeps sums bounded: speed does not depend on what they are.
"""

import array
import json
import random
import struct
import sys

widths = [int(word) for word in sys.argv[1:]]
random.seed(1)
noise = [random.uniform(-1, 1) for _ in range(65_521)]
header, blobs, at = {}, [], 0
for layer, (inputs, units) in enumerate(zip(widths, widths[1:])):
    scale = (3 / inputs) ** 0.5
    scaled = array.array("f", (value * scale for value in noise))
    count = inputs * units
    weight = (scaled * (count // len(scaled) + 1))[:count]
    for name, shape, values in [
        ("weight", [units, inputs], weight),
        ("bias", [units], array.array("f", [0.1] * units)),
    ]:
        blob = values.tobytes()
        offsets = [at, at + len(blob)]
        header[f"{2 * layer}.{name}"] = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        blobs.append(blob)
        at += len(blob)
text = json.dumps(header).encode()
sys.stdout.buffer.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
