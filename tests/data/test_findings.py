"""Several findings of an image: how cells, marks and rows are read, what is asked, and what prepare makes of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from data.sets import data_of, write_images
from ruamel.yaml import YAML

from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import Given, read_layout
from medtransfer.data.prepare import prepare, read_set
from medtransfer.data.prepared import Prepared
from medtransfer.data.targets import TARGETS
from medtransfer.study import Labels, Layout
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places

CELLS = {"kind": "label_csv", "file": "t.csv", "image": "image", "label": "label"}


def set_of(raw: Path, cells: list[str], header: str = "image,label", **names: str) -> Path:
    """Write one image for each cell (several cells of one image are rows of it) and their table."""
    images = [names.get(f"of{number}", f"{number}.png") for number in range(len(cells))]
    write_images(raw, *dict.fromkeys(images))
    lines = [
        f'{image},"{cell}"' if header.endswith("label") else f"{image},{cell}"
        for image, cell in zip(images, cells, strict=True)
    ]
    (raw / "t.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return raw


def read(raw: Path, layout: dict[str, Any] = CELLS, **labels: Any) -> list[str]:
    given = Given(labels=Labels.model_validate(labels), target=TARGETS["findings"])
    return list(read_layout(raw, Layout.model_validate(layout), given)["label"])


def offers(problem: str) -> list[dict[str, Any]]:
    found = re.findall(r"data\.labels: (\{(?:[^{}]|\{[^{}]*\})*\})", problem)
    return [YAML(typ="safe").load(text) for text in found]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["Mass|Edema", "No Finding", "Edema"], ["Edema|Mass", "no finding", "Edema"]),
        (["Mass; Edema", "normal", "Edema"], ["Edema|Mass", "no finding", "Edema"]),
        (["['N', 'D']", "['N']", "['O']"], ["D|N", "N", "O"]),
        (["[N, D]", "[]", "[O]"], None),
        (["[1, 0]", "[0, 1]"], None),
    ],
)
def test_cells_are_split(tmp_path: Path, cells: list[str], expected: list[str] | None) -> None:
    raw = set_of(tmp_path, cells)
    if expected is None:
        with pytest.raises(UserError, match=r"not a list of names|empty label"):
            read(raw)
    else:
        assert read(raw) == expected


def test_a_separator_that_may_be_part_of_a_name_is_asked_for_and_each_offer_works(tmp_path: Path) -> None:
    raw = set_of(tmp_path, ["Mass/Nodule", "Edema, Mass", "Edema"])
    with pytest.raises(UserError) as error:
        read(raw)
    found = offers(str(error.value))
    assert [offer["separator"] for offer in found] == [",", "/", ""]
    assert read(raw, **found[0]) == ["Mass/Nodule", "Edema|Mass", "Edema"]
    assert read(raw, **found[1]) == ["Mass|Nodule", "Edema, Mass", "Edema"]


def test_one_row_for_each_finding_and_none_beside_a_finding_is_an_error(tmp_path: Path) -> None:
    same = {"of0": "a.png", "of1": "a.png", "of2": "b.png"}
    assert read(set_of(tmp_path / "one", ["Mass", "Edema", "No finding"], **same)) == ["Edema|Mass", "no finding"]
    raw = set_of(tmp_path / "two", ["Mass", "No finding", "Edema"], **same)
    with pytest.raises(UserError, match=r"a.png: has 'No finding' and a finding") as error:
        read(raw)
    (offer,) = offers(str(error.value))
    with pytest.raises(UserError, match="exclusive classes"):
        read(raw, **offer)


def test_marks_may_be_several_or_none_uncertain_or_empty_and_what_is_unclear_is_asked(tmp_path: Path) -> None:
    raw = set_of(tmp_path, ["1,1,0", "0,0,0", "-1,0,1", ",1.0,0"], "image,Mass,Edema,Nodule")
    layout = {"kind": "one_hot_csv", "file": "t.csv", "image": "image", "classes": ["Mass", "Edema", "Nodule"]}
    with pytest.raises(UserError) as error:
        read(raw, layout)
    found = offers(str(error.value))
    assert found == [{"uncertain": "ignore"}, {"uncertain": "positive"}, {"uncertain": "negative"}, {"empty": "ignore"},
                     {"empty": "negative"}]  # fmt: skip
    known = ["Edema|Mass", "no finding"]
    assert read(raw, layout, uncertain="ignore", empty="ignore") == [*known, "Nodule|?Mass", "Edema|?Mass"]
    assert read(raw, layout, uncertain="positive", empty="negative") == [*known, "Mass|Nodule", "Edema"]
    assert read(raw, layout, uncertain="negative", empty="negative", drop=["Edema"]) == [
        "Mass",
        *known[1:],
        "Nodule",
        "no finding",
    ]


def test_names_are_aliased_dropped_and_looked_at(tmp_path: Path) -> None:
    raw = set_of(tmp_path, ["Mass|edema", "Edema|N", "N", "Mass"])
    with pytest.raises(UserError, match="one class has several names"):
        read(raw, drop=["N"])
    assert read(raw, aliases={"edema": "Edema"}, drop=["N"]) == ["Edema|Mass", "Edema", "no finding", "Mass"]
    with pytest.raises(UserError, match=r"data.labels.drop: no finding 'Masss'; did you mean 'Mass'"):
        read(raw, aliases={"edema": "Edema"}, drop=["Masss"])


def test_an_empty_cell_is_none_or_left_out_if_so_said(tmp_path: Path) -> None:
    raw = set_of(tmp_path, ["Mass|Edema", "", "Edema"])
    with pytest.raises(UserError, match="1 image has an empty label"):
        read(raw)
    assert read(raw, none=[""]) == ["Edema|Mass", "no finding", "Edema"]
    assert read(raw, drop=[""]) == ["Edema|Mass", "Edema"]


def test_auto_asks_and_each_offer_can_be_read(tmp_path: Path) -> None:
    raw = set_of(tmp_path, ["Mass|Edema,1,0", "Mass,1,1", "No Finding,0,1", "Edema,0,0"] * 2, "image,Finding,a,b")
    with pytest.raises(UserError, match="the findings are not detected") as error:
        resolve_layout(raw, Layout(kind="auto"), Given(target=TARGETS["findings"]))
    found = [YAML(typ="safe").load(text) for text in re.findall(r"\{kind: [^}]*\}", str(error.value))]
    assert [layout["kind"] for layout in found] == ["one_hot_csv", "label_csv"]
    assert "Edema 4, Mass 4, no finding 2" in str(error.value)
    for layout in found:
        read(raw, layout)


def prepared_of(folder: Path, cells: list[str], **fields: Any) -> Prepared:
    raw, places = set_of(folder / "raw", cells), Places(folder)
    data = data_of(layout=CELLS, group=None, split={"method": "random"}, **fields)
    prepare(raw, data, 0, places, "multilabel", "findings")
    return Prepared(places.prepared)


def test_prepare_counts_and_splits_by_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = ["A|B", "A", "No Finding", "B|C", "C", "A|B|C"] * 20
    prepared = prepared_of(tmp_path, cells)
    values, table = prepared.values, prepared.table
    assert prepared.outputs == ["A", "B", "C"]
    assert not prepared.classes
    expected = [[letter in cells[int(Path(path).stem)] for letter in "ABC"] for path in table["path"]]
    np.testing.assert_array_equal(values, np.array(expected, np.float32))
    shares = pd.DataFrame(values).groupby(table["split"].to_numpy()).mean()
    assert (abs(shares - values.mean(axis=0)) < 0.06).all(axis=None)
    audit = json.loads(Places(tmp_path).audit.read_text(encoding="utf-8"))
    assert audit["class_counts"] == {"A": 60, "B": 60, "C": 60, "no finding": 20}
    assert set(audit["appearance"]["class"]) == {"A", "B", "C", "no finding"}
    assert re.search(r"findings +A +60\n +B +60\n +C +60\n +no finding +20", capsys.readouterr().out)


def test_a_finding_too_rare_for_the_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'Z' has 2 images, too few for 3 parts; .*drop: \[Z\]"):
        prepared_of(tmp_path, ["A|B", "A", "No Finding", "B"] * 9 + ["A|Z", "Z"])


def test_images_that_lose_all_their_findings_are_counted_and_named(tmp_path: Path) -> None:
    cells = ["Mass", "Edema", "Mass, Edema", "Hernia", "Hernia, Mass", "Normal"] * 10
    prepared_of(tmp_path, cells, labels={"drop": ["Hernia"], "separator": ","})
    audit = json.loads(Places(tmp_path).audit.read_text(encoding="utf-8"))
    (found,) = audit["emptied"].values()
    assert found["images"] == 10
    assert "3.png" in found["paths"]
    assert audit["left_out"] == 0
    page = Places(tmp_path).audit_page.read_text(encoding="utf-8")
    assert "## Images that count as without a finding" in page
    assert "`3.png`" in page


@pytest.mark.parametrize("apart", [True, False], ids=["a folder for each split", "one folder"])
def test_tables_of_marks_one_for_each_split_are_offered_and_read_as_one(tmp_path: Path, apart: bool) -> None:
    folders = {split: f"images/{split if apart else 'all'}" for split in ("training", "test")}
    rows = {"training": ["1,1,0,0", "2,0,1,1", "3,1,1,0"], "test": ["4,1,0,0", "5,0,1,0", "6,0,0,0"]}
    if apart:  # as published: each split counts its images from 1
        rows["test"] = ["1,1,0,0", "2,0,1,0", "3,0,0,0"]
    for split, lines in rows.items():
        write_images(tmp_path, *(f"{folders[split]}/{line[0]}.png" for line in lines))
        text = "\n".join(["ID,DR,MH,ODC", *lines]) + "\n"
        (tmp_path / f"{split} labels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="the findings are not detected") as error:
        resolve_layout(tmp_path, Layout(kind="auto"), Given(target=TARGETS["findings"]))
    (text,) = re.findall(r"data\.layout: (\{kind: .*\}) \(findings DR 3, MH 3", str(error.value))
    layout = Layout.model_validate(YAML(typ="safe").load(text))
    table = read_layout(tmp_path, layout, Given(target=TARGETS["findings"]))
    found = dict(zip(table["path"], zip(table["label"], table["split"], strict=True), strict=True))
    names = (
        {"1": "DR", "2": "MH|ODC", "3": "DR|MH"},
        dict(zip([line[0] for line in rows["test"]], ["DR", "MH", "no finding"], strict=True)),
    )
    assert found == {
        f"{folders[folder]}/{number}.png": (label, split)
        for (folder, split), labels in zip({"training": "train", "test": "test"}.items(), names, strict=True)
        for number, label in labels.items()
    }
    given = {"layout": layout.model_dump(exclude_defaults=True), "group": None, "split": {"method": "published"}}
    reading = read_set(tmp_path, data_of(**given), TARGETS["findings"])
    assert set(reading.rows["split"]) == {"train", "test"}


def test_auto_asks_what_marks_mean_until_it_offers_the_layout(tmp_path: Path) -> None:
    raw = set_of(tmp_path, ["1,1,0", "0,0,0", "-1,0,1", ",1.0,0"], "image,Mass,Edema,Nodule")
    said: dict[str, Any] = {}
    for _ in range(3):
        with pytest.raises(UserError, match="the findings are not detected") as error:
            given = Given(labels=Labels.model_validate(said), target=TARGETS["findings"])
            resolve_layout(raw, Layout(kind="auto"), given)
        assert "no layout fits" not in str(error.value)
        if not (found := offers(str(error.value))):
            break
        assert str(error.value).endswith("the layouts that then fit are listed next")
        said = found[-1]
    assert said == {"uncertain": "ignore", "empty": "negative"} or said == {
        "uncertain": "negative",
        "empty": "negative",
    }
    assert "name one: data.layout: {kind: one_hot_csv, file: t.csv" in str(error.value)


def test_tables_of_marks_that_differ_need_the_names_of_the_columns(tmp_path: Path) -> None:
    write_images(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "train.csv").write_text("ID,DR,MH\n1,1,0\n2,1,1\n", encoding="utf-8")
    (tmp_path / "test.csv").write_text("ID,DR,MH,RS\n3,0,1,1\n", encoding="utf-8")
    layout = {"kind": "one_hot_csv", "file": {"train": "train.csv", "test": "test.csv"}}
    with pytest.raises(
        UserError, match=r"train.csv, test.csv: the tables differ in their columns; name data.layout.cl"
    ):
        read(tmp_path, layout)
    assert read(tmp_path, layout | {"classes": ["DR", "MH"]}) == ["DR", "DR|MH", "MH"]
