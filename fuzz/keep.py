"""Which inputs to keep: of those that libFuzzer merged, the few that reach the most.

    keep.py CONTROL COUNT FOLDER

CONTROL is the file of `-merge_control_file`: the number of inputs, how many of them stand, their
paths, then lines `FT number feature..` with the features that each reaches. The inputs are chosen
one by one, each time the one that adds the most for its size, and copied into FOLDER by their own
names.
"""

import math
import shutil
import sys
from pathlib import Path


def chosen(paths, features, count):
    reached, kept = set(), []
    while features and len(kept) < count:
        weight = lambda at: len(features[at] - reached) / math.sqrt(100 + paths[at].stat().st_size)
        best = max(features, key=lambda at: (weight(at), paths[at].name))
        if not features[best] - reached:
            break
        reached |= features.pop(best)
        kept.append(paths[best])
    return kept, len(reached)


def main():
    control, count, folder = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    lines = control.read_text().splitlines()
    paths = [Path(line) for line in lines[2 : 2 + int(lines[0])]]
    fields = [line.split() for line in lines[2 + len(paths) :] if line.startswith("FT ")]
    features = {int(number): set(found) for _, number, *found in fields}
    every = set().union(*features.values())
    kept, reached = chosen(paths, features, count)
    for path in kept:
        shutil.copyfile(path, folder / path.name)
    print(f"{len(kept)} of {len(paths)} inputs, {reached} of {len(every)} features")


main()
