"""Measure the time and memory in which `data.layout: auto` reads large sets, without decoding a pixel.

    python benchmarks/reading_scale.py               # 2 minutes; writes benchmarks/results/reading_scale.md
    python benchmarks/reading_scale.py 1000 10000    # other numbers of images

The files hold a few bytes each: a set of folders of classes within splits, and one of numbered folders with a table of
as many rows of twelve columns, as NIH ChestX-ray14 publishes its 112,120 images. Reading is all that `prepare` does
before it decodes: looking for copies and masks, detecting the layout, reading it and describing it.
Times are CPU times, which do not depend on the load of the machine. Each set is read in its own process; memory is its
peak resident size (Linux only).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from medtransfer.data.layouts.copies import find_copies
from medtransfer.data.layouts.describe import Aside, describe_set
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import read_layout
from medtransfer.data.layouts.unused_masks import unused_masks
from medtransfer.study import Layout
from medtransfer.util.hardware import cpu_count, processor
from medtransfer.util.text import markdown_table

ROOT = Path(__file__).parents[1]
COUNTS = (10_000, 30_000, 112_120)
CLASSES = ("Atelectasis", "Cardiomegaly", "Effusion", "Hernia", "Infiltration", "Mass", "No Finding", "Nodule")
PER_FOLDER = 10_000
HEADER = "Image Index,Label,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,Width,Height,dx,dy,Note"


def write_folders(root: Path, count: int) -> None:
    """Write `count` files in folders of classes within `train`, `val` and `test`."""
    for split in ("train", "val", "test"):
        for name in CLASSES:
            (root / split / name).mkdir(parents=True)
    for number in range(count):
        split = ("train", "train", "train", "val", "test")[number % 5]
        (root / split / CLASSES[number % len(CLASSES)] / f"{number:08}_000.png").write_bytes(number.to_bytes(4))


def write_table(root: Path, count: int) -> None:
    """Write `count` files in numbered folders, and a table with a row for each."""
    rows = [HEADER]
    for number in range(count):
        folder = root / f"images_{1 + number // PER_FOLDER:03}" / "images"
        if number % PER_FOLDER == 0:
            folder.mkdir(parents=True)
        patient, visit = divmod(number, 4)
        (folder / f"{patient:08}_{visit:03}.png").write_bytes(number.to_bytes(4))
        label, sex, view = CLASSES[patient * visit % len(CLASSES)], "MF"[patient % 2], ("PA", "AP")[visit % 2]
        age = 20 + patient % 70
        rows.append(f"{patient:08}_{visit:03}.png,{label},{visit},{patient},{age},{sex},{view},2682,2749,0.143,0.143,")
    (root / "Data_Entry.csv").write_text("\n".join(rows) + "\n")


SETS = {"folders of classes within splits": write_folders, "numbered folders and a table": write_table}


def measure(root: Path) -> dict[str, float]:
    """Read a set as `prepare` does before it decodes; return CPU seconds, peak memory in MB, and the images read."""
    started = time.process_time()
    copies = find_copies(root, ".")
    masks = unused_masks(root, ".", copies.keys())
    aside = frozenset((*copies, *masks))
    layout = resolve_layout(root, Layout(kind="auto"), aside)
    table = read_layout(root, layout, aside)
    describe_set(root, layout, table, Aside(copies=copies, unused_masks=masks))
    peak = Path("/proc/self/status").read_text(encoding="utf-8").split("VmHWM:")[1].split()[0]
    return {"seconds": time.process_time() - started, "memory": int(peak) * 1024 / 1e6, "images": len(table)}


def measured_apart(name: str, count: int) -> dict[str, float]:
    """Write a set and measure it in a separate process."""
    with tempfile.TemporaryDirectory() as folder:
        SETS[name](Path(folder), count)
        command = [sys.executable, __file__, "--measure", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["images"] == count
    return found


def page(costs: dict[str, dict[int, dict[str, float]]]) -> str:
    """Format time and memory, one column per number of images."""
    counts = list(next(iter(costs.values())))

    def table(title: str, figure: str, digits: int) -> str:
        rows = [[name, *(f"{found[count][figure]:,.{digits}f}" for count in counts)] for name, found in costs.items()]
        return markdown_table([title, *(f"{count:,}" for count in counts)], rows)

    return "\n\n".join(
        [
            "# Reading a set by number of images",
            table("CPU seconds", "seconds", 1),
            table("Peak memory, MB", "memory", 0),
            f"{processor()}, {cpu_count()} CPU cores. `python benchmarks/reading_scale.py`",
        ]
    )


def main(counts: list[int]) -> None:
    """Measure each set with each number of images and write the page."""
    text = page({name: {count: measured_apart(name, count) for count in counts} for name in SETS})
    print(text)
    if tuple(counts) == COUNTS:
        (ROOT / "benchmarks/results/reading_scale.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]))))
    else:
        main([int(count) for count in sys.argv[1:]] or list(COUNTS))
