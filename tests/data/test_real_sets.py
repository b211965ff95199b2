"""Real sets with known contents: what the audit finds, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medtransfer.data.audit.leakage import find_crossing
from medtransfer.data.groups import group_keys
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import Given, read_rows
from medtransfer.study import Data, Split
from medtransfer.study.loading import read_yaml

AS_PUBLISHED = Split(method="published", validation=0.001)
MOST_PROCESSOR_SECONDS, MOST_MEMORY = 120, 2_000_000_000
"""A minute on two cores, and 2 GB."""

PREPARE = """
import json, resource, sys, time
from pathlib import Path
from medtransfer.data.prepare import prepare
from medtransfer.study import Data
from medtransfer.util.places import Places

folder = Path(sys.argv[2])
prepare(Path(sys.argv[1]), Data.model_validate_json(sys.argv[3]), 0, Places(folder))
used = resource.getrusage(resource.RUSAGE_SELF)
status = Path("/proc/self/status")  # ru_maxrss counts what the parent had when it started this process
if status.exists():
    peak = 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
else:
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
(folder / "cost.json").write_text(json.dumps({"seconds": used.ru_utime + used.ru_stime, "peak": peak}))
"""


def data_of(root: Path, study: str, **changes: Any) -> Data:
    """Return the section `data` of a study, for a folder of the same set in any layout."""
    section = read_yaml(root / "studies" / f"{study}.yaml")["data"]
    return Data.model_validate(section | {"source": "folder", "folder": ".", "layout": "auto"} | changes)


def keyed(folder: Path, data: Data) -> Any:
    """Read the file names of a set; return its rows with the group keys as their groups."""
    rows = read_rows(folder, resolve_layout(folder, data.layout), Given())
    return rows.table.assign(group=group_keys(folder, rows, data.group))


def audited(folder: Path, data: Data, target: Path) -> dict[str, Any]:
    """Prepare a set in its own process, within a minute on two cores and 2 GB; return its audit."""
    command = [sys.executable, "-c", PREPARE, str(folder), str(target), data.model_dump_json()]
    subprocess.run(command, check=True, capture_output=True)
    cost = json.loads((target / "cost.json").read_text())
    assert cost["seconds"] < MOST_PROCESSOR_SECONDS
    assert cost["peak"] < MOST_MEMORY
    return json.loads((target / "metrics/data.json").read_text(encoding="utf-8"))


def test_no_patient_of_the_chest_x_rays_is_in_two_splits(root: Path, shared: Path) -> None:
    table = keyed(shared / "data/chest_xray", data_of(root, "chest_xray"))
    assert table["split"].value_counts().to_dict() == {"train": 5216, "val": 16, "test": 624}
    crossing = find_crossing(table, AS_PUBLISHED)
    assert (crossing.groups, crossing.test_total, crossing.validation_total) == (0, 624, 16)
    numbers = table["path"].str.extract(r"(person\d+)_", expand=False)
    assert find_crossing(table.assign(group=numbers.fillna(table["group"])), AS_PUBLISHED).groups > 0


def test_every_test_image_of_the_fetal_heads_has_a_sibling_in_train(root: Path, shared: Path) -> None:
    table = keyed(shared / "data/fetal_head", data_of(root, "fetal_head"))
    assert table["group"].nunique() == 106
    crossing = find_crossing(table, AS_PUBLISHED)
    assert (crossing.test, crossing.test_total) == (139, 139)
    assert (crossing.validation, crossing.validation_total) == (278, 278)


def test_the_brain_images_have_duplicates_and_a_shortcut(root: Path, shared: Path, tmp_path: Path) -> None:
    audit = audited(shared / "data/brain_mri", data_of(root, "stroke_mri"), tmp_path)
    assert audit["class_counts"] == {"no": 98, "yes": 155}
    assert (audit["exact_duplicates"]["sets"], audit["exact_duplicates"]["files_too_many"]) == (22, 25)
    assert (audit["image_sizes"], len(audit["modes"])) == (184, 4)
    assert audit["shortcuts"]["class"]["strong"]
    assert [line.split(":")[0] for line in audit["warnings"]] == ["NO GROUP KEY", "SHORTCUT"]


@pytest.mark.slow
@pytest.mark.parametrize("grouped", [True, False], ids=["with patients", "by pixels alone"])
def test_the_chest_x_rays_have_thirty_sets_of_duplicates_and_no_leak(
    root: Path, shared: Path, tmp_path: Path, grouped: bool
) -> None:
    changes = {} if grouped else {"group": None}
    audit = audited(shared / "data/chest_xray", data_of(root, "chest_xray", **changes), tmp_path)
    exact = audit["exact_duplicates"]
    assert (exact["sets"], exact["sets_across_splits"], exact["contradictory_sets"]) == (30, 0, 0)
    assert audit["crossing"]["groups"] == 0
    assert not any(shortcut["strong"] for shortcut in audit["shortcuts"].values())


@pytest.mark.slow
def test_the_leak_of_the_fetal_heads_is_found_without_their_names(root: Path, shared: Path, tmp_path: Path) -> None:
    audit = audited(shared / "data/fetal_head", data_of(root, "fetal_head", group=None), tmp_path)
    crossing = audit["crossing"]
    flagged = crossing["test"] + crossing["validation"]
    assert flagged >= 0.88 * (crossing["test_total"] + crossing["validation_total"])
    assert audit["classes_missing"] == {"test": ["holoprosencephaly", "intracranial tumor"]}
    assert {"NO GROUP KEY", "LEAKAGE"} <= {line.split(":")[0] for line in audit["warnings"]}
    assert any("suggest 106 groups (augmented copies)" in line for line in audit["warnings"])
