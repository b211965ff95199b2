"""What is left out of a set is counted and named, and names of labels are settled before anything sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medtransfer.data.prepare import prepare
from medtransfer.data.prepared import Prepared
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places

from .sets import SPLIT_SET, data_of, names_of, prepared_from, write_images

RANDOM = {"method": "random", "test": 0.25, "validation": 0.25}
FLAT = [f"{'cyst' if number % 2 else 'normal'}/patient{number:02}_0.png" for number in range(24)]


def counts(audit: dict[str, Any]) -> dict[str, int]:
    return {reason: found["images"] for reason, found in audit["dropped"].items()}


def page_of(raw: Path) -> str:
    return Places(raw.parent).audit_page.read_text(encoding="utf-8")


def test_a_set_of_which_nothing_is_left_out_says_nothing_of_it(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    _, audit = prepared_from(raw, data_of())
    assert (audit["left_out"], audit["dropped"]) == (0, {})
    assert "Images excluded" not in page_of(raw).replace("| Images excluded", "")


def test_unreadable_images_are_left_out_counted_and_named(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    plain, _ = prepared_from(raw, data_of())
    pixels = dict(zip(plain.table["path"], plain.images[:], strict=True))
    damaged = [SPLIT_SET[0], SPLIT_SET[17]]
    (raw / damaged[0]).write_bytes(b"no image")
    content = (raw / damaged[1]).read_bytes()
    (raw / damaged[1]).write_bytes(content[: len(content) // 2])
    prepared, audit = prepared_from(raw, data_of(unreadable="drop"))
    assert counts(audit) == {"unreadable, or with an unreadable mask": 2}
    assert audit["left_out"] == 2
    assert set(prepared.table["path"]) == set(SPLIT_SET) - set(damaged)
    for path, image in zip(prepared.table["path"], prepared.images, strict=True):
        np.testing.assert_array_equal(image, pixels[path])
    for path in damaged:
        assert f"- `{path}`" in page_of(raw)


def test_a_set_without_a_readable_image_is_an_error(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    for name in SPLIT_SET:
        (raw / name).write_bytes(b"no image")
    with pytest.raises(UserError) as raised:
        prepared_from(raw, data_of(unreadable="drop"))
    assert len(raised.value.problems) == len(SPLIT_SET)


def test_an_image_whose_mask_is_unreadable_is_left_out_and_one_whose_mask_is_unsuitable_is_an_error(
    tmp_path: Path,
) -> None:
    raw = write_images(tmp_path / "raw", *(f"images/{number:02}.png" for number in range(12)))
    for number in range(12):
        mask = np.zeros((20, 24), np.uint8)
        mask[: number + 1] = 255
        (raw / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(raw / f"masks/{number:02}.png")
    data = data_of(layout="auto", masks="auto", group=None, split=RANDOM, unreadable="drop")
    (raw / "masks/03.png").write_bytes(b"no mask")
    with pytest.raises(UserError) as raised:
        prepare(raw, data.model_copy(update={"unreadable": "fail"}), 1, Places(tmp_path), "segmentation", "masks")
    line, remedy = raised.value.problems
    assert line.startswith("masks/03.png: unreadable: ")
    assert remedy == "set data.unreadable: drop to leave them out: 1 of 12 images"
    (raw / "images/05.png").write_bytes(b"no image")
    places = Places(tmp_path)
    audit = prepare(raw, data, 1, places, "segmentation", "masks")
    assert counts(audit) == {"unreadable, or with an unreadable mask": 2}
    prepared = Prepared(places.prepared)
    assert prepared.masks is not None
    assert len(prepared.table) == len(prepared.masks) == len(prepared.images) == 10
    for path, mask in zip(prepared.table["path"], prepared.masks, strict=True):
        assert abs(mask.mean() * 20 - (int(path[-6:-4]) + 1)) <= 0.75
    Image.fromarray(np.full((20, 24), 100, np.uint8)).save(raw / "masks/04.png")
    with pytest.raises(UserError, match=r"^masks/04\.png: not a mask: values 100"):
        prepare(raw, data, 1, places, "segmentation", "masks")


def test_images_without_a_mask_are_counted(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *(f"images/{number:02}.png" for number in range(16)))
    (raw / "masks").mkdir()
    for number in range(11):
        Image.fromarray(np.tile(np.uint8([0, 255]), (20, 12))).save(raw / f"masks/{number:02}.png")
    data = data_of(layout="auto", masks={"folder": "masks", "missing": "drop"}, group=None, split=RANDOM)
    audit = prepare(raw, data, 1, Places(tmp_path), "segmentation", "masks")
    assert (counts(audit), audit["images"], audit["left_out"]) == ({"without a mask": 5}, 11, 5)


def test_excluded_files_are_not_read_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET, "train/montage/all.png")
    (raw / "train/montage/broken.png").write_bytes(b"no image")
    prepared, audit = prepared_from(raw, data_of(layout="auto", files={"exclude": ["*/montage/*"]}))
    assert prepared.classes == ["cyst", "normal"]
    assert counts(audit) == {"excluded by data.files": 2}
    assert "dropped  2 excluded by data.files\n" in capsys.readouterr().out


def test_rows_that_name_excluded_images_are_left_out(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *FLAT)
    lines = [f"{name.rsplit('/', 1)[1]},{name.split('/')[0]}" for name in FLAT]
    (raw / "labels.csv").write_text("\n".join(["file,class", *lines]), encoding="utf-8")
    layout = {"kind": "label_csv", "file": "labels.csv", "image": "file", "label": "class"}
    data = data_of(layout=layout, split=RANDOM, files={"exclude": ["*/patient0[0-3]*"]})
    prepared, audit = prepared_from(raw, data)
    assert (len(prepared.table), counts(audit)) == (20, {"excluded by data.files": 4})


def test_two_images_of_one_name_are_told_apart_by_excluding_one(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *FLAT)
    (raw / "again").mkdir()
    (raw / "again/patient00_0.png").write_bytes((raw / FLAT[0]).read_bytes())
    lines = [f"{name.rsplit('/', 1)[1]},{name.split('/')[0]}" for name in FLAT]
    (raw / "labels.csv").write_text("\n".join(["file,class", *lines]), encoding="utf-8")
    layout = {"kind": "label_csv", "file": "labels.csv", "image": "file", "label": "class"}
    prepared, _ = prepared_from(raw, data_of(layout=layout, split=RANDOM, files={"exclude": ["again/*"]}))
    assert sorted(prepared.table["path"]) == sorted(FLAT)


def test_names_after_aliases_are_what_everything_sees(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET, *names_of("train", range(20, 24)), "val/NORMAL/patient30_0.png")
    for name in names_of("train", range(20, 24)):
        (raw / name.replace("cyst", "unknown")).parent.mkdir(exist_ok=True)
        (raw / name).rename(raw / name.replace("cyst", "unknown"))
    with pytest.raises(UserError, match="one class has several names: normal and NORMAL; to make each one class"):
        prepared_from(raw, data_of(labels={"drop": ["unknown"]}))
    labels = {"aliases": {"NORMAL": "normal"}, "drop": ["unknown"]}
    prepared, audit = prepared_from(raw, data_of(labels=labels))
    assert prepared.classes == audit["classes"] == ["cyst", "normal"]
    assert counts(audit) == {"with a label that data.labels leaves out": 4}
    assert prepared.table.set_index("path")["label"]["val/NORMAL/patient30_0.png"] == "normal"


def test_a_class_of_one_published_split_is_asked_about_and_may_stay(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET, "train/rare/patient40_0.png")
    with pytest.raises(UserError, match=r"^data\.labels: 1 class of 3 in one published split only \(rare in train\)"):
        prepared_from(raw, data_of())
    prepared, _ = prepared_from(raw, data_of(labels={"aliases": {"rare": "rare"}}))
    assert prepared.classes == ["cyst", "normal", "rare"]
    prepared, _ = prepared_from(raw, data_of(labels={"drop": ["rare"]}))
    assert prepared.classes == ["cyst", "normal"]


@pytest.fixture
def contradictory(tmp_path: Path) -> tuple[Path, list[str]]:
    """Return a set in which one picture has two labels, once in another format, and the paths of both."""
    raw = write_images(tmp_path / "raw", *FLAT)
    same = [FLAT[1], "normal/patient90_0.bmp"]
    with Image.open(raw / same[0]) as image:
        image.save(raw / same[1])
    return raw, same


def test_contradictory_labels_are_reported_on_every_table(contradictory: tuple[Path, list[str]]) -> None:
    raw, same = contradictory
    prepared, audit = prepared_from(raw, data_of(layout="class_folders", split=RANDOM))
    sentence = f"1 image with several labels, in 2 of 25 files, such as {' and '.join(same)}"
    assert f"CONTRADICTORY LABELS: {sentence}" in prepared.about["warnings"]
    assert audit["exact_duplicates"]["contradictory"] == [same]


def test_contradictory_labels_are_left_out_or_fail_as_asked(contradictory: tuple[Path, list[str]]) -> None:
    raw, same = contradictory
    data = data_of(layout="class_folders", split=RANDOM, contradictions="drop")
    prepared, audit = prepared_from(raw, data)
    assert set(prepared.table["path"]) == set(FLAT) - set(same)
    assert len(prepared.images) == len(FLAT) - 1
    assert counts(audit) == {"copies of one image with contradictory labels": 2}
    assert not [line for line in prepared.about["warnings"] if line.startswith("CONTRADICTORY")]
    with pytest.raises(
        UserError, match=r"^data\.contradictions: fail, and there is 1 image with several labels, in 2 of"
    ):
        prepared_from(raw, data.model_copy(update={"contradictions": "fail"}))


def test_copies_of_an_image_with_different_masks_contradict(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *(f"images/{number:02}.png" for number in range(12)))
    (raw / "images/11.png").write_bytes((raw / "images/10.png").read_bytes())
    (raw / "masks").mkdir()
    for number in range(12):
        mask = np.zeros((20, 24), np.uint8)
        mask[: number + 1] = 255
        Image.fromarray(mask).save(raw / f"masks/{number:02}.png")
    data = data_of(layout="auto", masks="auto", group=None, split=RANDOM, contradictions="drop")
    audit = prepare(raw, data, 1, Places(tmp_path), "segmentation", "masks")
    assert audit["dropped"]["copies of one image with contradictory labels"]["paths"] == [
        "images/10.png",
        "images/11.png",
    ]
    assert len(Prepared(Places(tmp_path).prepared).masks or []) == 10


def test_images_beyond_the_training_images_wanted_are_counted(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    _, audit = prepared_from(raw, data_of(split={"method": "published", "train_images": 8}))
    assert counts(audit) == {"beyond data.split.train_images": 8}


def test_numbers_of_groups_across_classes_are_a_warning_and_are_counted(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *(f"{label}/{label} ({n}).png" for label in "ab" for n in range(12)))
    data = data_of(layout="class_folders", split=RANDOM, group={"pattern": r"\((\d+)\)"})
    prepared, audit = prepared_from(raw, data)
    assert (audit["group_keys"], audit["group_keys_across_classes"]) == (12, 12)
    assert [line.split(":")[0] for line in prepared.about["warnings"]] == ["GROUPS ACROSS CLASSES"]
    apart = [{"pattern": r"\((\d+)\)"}, {"column": "label"}]
    prepared, audit = prepared_from(raw, data_of(layout="class_folders", split=RANDOM, group=apart))
    assert (audit["group_keys"], audit["group_keys_across_classes"], prepared.about["warnings"]) == (24, 0, [])
