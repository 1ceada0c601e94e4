"""Cuts a table into rows to train on and rows that training has not seen, each class in the same share.

    python3 held_out.py model-builder/data/wdbc.csv --target diagnosis --out wdbc
    python3 held_out.py --pixels --target class --out pixels

writes DIR/train.csv and DIR/held-out.csv, a third of the rows. The second form makes its table first: 900
rows of 28 x 28 made-up pixels in two classes, faint patterns under noise. The same call gives the same
files. What to do with them stands in docs/models.md, "Fewer bits".
"""

import argparse
import csv
import random
from pathlib import Path

SEED = 7
ROWS, PIXELS = 900, 28 * 28


def pixels(target):
    """Two patterns that differ by little, noise around them, values from 0 to 1."""
    draw = random.Random(SEED)
    patterns = [[0.5 + draw.gauss(0, 0.012) for _ in range(PIXELS)] for _ in range(2)]
    header = [f"p{pixel}" for pixel in range(PIXELS)] + [target]
    rows = []
    for row in range(ROWS):
        values = (draw.gauss(pixel, 0.15) for pixel in patterns[row % 2])
        rows.append([f"{min(max(value, 0), 1):.3f}" for value in values] + [str(row % 2)])
    return header, rows


def table(path):
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def cut(header, rows, target):
    """A third of each class held out."""
    draw, at = random.Random(SEED), header.index(target)
    train, held_out = [], []
    for name in sorted({row[at] for row in rows}):
        of_class = [row for row in rows if row[at] == name]
        draw.shuffle(of_class)
        third = len(of_class) // 3
        held_out += of_class[:third]
        train += of_class[third:]
    return train, held_out


def main():
    options = argparse.ArgumentParser()
    options.add_argument("table", nargs="?", type=Path)
    options.add_argument("--pixels", action="store_true")
    options.add_argument("--target", required=True)
    options.add_argument("--out", type=Path, required=True)
    told = options.parse_args()
    if told.pixels == (told.table is not None):
        options.error("either a table or `--pixels`")
    header, rows = pixels(told.target) if told.pixels else table(told.table)
    told.out.mkdir(parents=True, exist_ok=True)
    for name, part in zip(("train", "held-out"), cut(header, rows, told.target)):
        with open(told.out / f"{name}.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *part])


main()
