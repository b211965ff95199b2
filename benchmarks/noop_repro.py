"""Time `dvc repro` on a study of 40 variants, with nothing to do and with a 41st variant to run.

    python benchmarks/noop_repro.py          # on an idle machine; writes benchmarks/results/noop_repro.md
    python benchmarks/noop_repro.py 6        # fewer variants, as a smoke test

One variant is trained; the others are copies of its files, committed to DVC. The stages of the 41st are also run on
their own: the rest of the time of `dvc repro` is DVC's overhead.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from parallel_repro import ENVIRONMENT, ROOT, project, run
from ruamel.yaml import YAML

from medtransfer.util.hardware import cpu_count, processor
from medtransfer.util.text import markdown_table

VARIANTS, REPEATS = 40, 5
FILES = ("metrics/cost/{}.json", "metrics/variants/{}.json", "predictions/{}.parquet", "plots/variants/{}.png")


def study(variants: int) -> dict[str, object]:
    """Return the default study with frozen variants that differ only in their weight decay."""
    params = YAML(typ="safe").load((ROOT / "studies/phantom.yaml").read_text(encoding="utf-8"))
    params["backbones"] = {"lite0": params["backbones"]["lite0"]}
    params["augmentation"] = {"none": params["augmentation"]["none"]}
    params["strategies"] = {"frozen": {"train": "head", "epochs": 20}}
    line = {"backbone": "lite0", "strategy": "frozen", "augmentation": "none"}
    params["variants"] = {f"v{number}": line | {"weight_decay": round(number * 1e-5, 5)} for number in range(variants)}
    params["explain"] = {"variants": []}
    params["training"] = {"seeds": [0, 1, 2]}
    return params


def copy_first(folder: Path, variants: int) -> None:
    """Copy the outputs of the first variant to all others and commit them to DVC."""
    for number in range(1, variants):
        shutil.copytree(folder / "models/v0", folder / f"models/v{number}")
        for path in FILES:
            shutil.copy(*(folder / path.format(f"v{each}") for each in (0, number)))
        for path in (folder / "models" / f"v{number}" / "card.json", folder / f"metrics/variants/v{number}.json"):
            path.write_text(path.read_text(encoding="utf-8").replace('"v0"', f'"v{number}"'), encoding="utf-8")
    stages = [f"{stage}@v{number}" for number in range(1, variants) for stage in ("train", "evaluate")]
    run(folder, "dvc", "commit", "--force", *stages)


def stages_run(folder: Path) -> list[str]:
    """Run `dvc repro` and return the names of the stages that it ran."""
    command = ["dvc", "repro"]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    return re.findall(r"Running stage '(.+?)'", done.stdout)


def measure(folder: Path, variants: int) -> list[list[str]]:
    """Return the table rows."""
    project(folder, study(variants), "baselines", "evaluate@v0")
    copy_first(folder, variants)
    assert stages_run(folder) == ["compare"]
    nothing = statistics.median(run(folder, "dvc", "repro") for _ in range(REPEATS))
    assert not (ran := stages_run(folder)), ran
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(study(variants + 1), file)
    added = run(folder, "dvc", "repro")
    stages = (["check"], ["train", f"v{variants}"], ["evaluate", f"v{variants}"], ["compare"])
    python = ("env", "PYTHONPATH=src", "python")
    alone = {stage: run(folder, *python, f"stages/{stage}.py", *names) for stage, *names in stages}
    rows = [["`dvc repro`, nothing to do", f"{nothing:.1f}"], ["`dvc repro`, one more variant", f"{added:.1f}"]]
    return [*rows, *([f"its stage `{name}` alone", f"{time:.1f}"] for name, time in alone.items())]


def main(variants: int) -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as scratch:
        table = markdown_table([f"{variants} variants", "seconds"], measure(Path(scratch) / "project", variants))
    text = "\n\n".join([table, f"{processor()}, {cpu_count()} CPU cores. `python benchmarks/noop_repro.py`"])
    print(text)
    if variants == VARIANTS:
        (ROOT / "benchmarks/results").mkdir(exist_ok=True)
        (ROOT / "benchmarks/results/noop_repro.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else VARIANTS)
