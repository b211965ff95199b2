"""`data.layout: auto` takes no reading that anything in the set speaks against; what it offers instead can be read."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from zipfile import ZipFile

import pytest

from medtransfer.data.layouts.copies import find_copies
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import Given, read_layout
from medtransfer.data.layouts.unused_masks import unused_masks
from medtransfer.data.targets import TARGETS
from medtransfer.util.errors import UserError

from .detection import AUTO, CLASSES, SPLITS, choices_of, detected, refusal, understood
from .test_tables import write_workbook

NAMES = [f"i{number}" for number in range(16)]
SIDES = "left/a.png left/b.png right/c.png right/d.png"
IMAGES = " ".join(f"{name}.png" for name in NAMES)


def table(*labels: object, head: str = "image,label", separator: str = ",") -> str:
    """Return a table of all images, whose labels are repeated until each has one."""
    rows = [f"{name}{separator}{labels[at % len(labels)]}" for at, name in enumerate(NAMES)]
    return "\n".join([head.replace(",", separator), *rows]) + "\n"


@pytest.mark.parametrize(
    ("images", "files", "reason"),
    [
        ("a/train-x/1.png a/test-x/2.png a/z/3.png", {}, "folders named like splits would be classes (test-x, tra"),
        ("my_train_1/a/1.png my_train_1/b/2.png my_test_2/a/3.png my_test_2/b/4.png", {}, "folders above the classes"),
        ("part_1/a.png part_2/b.png", {}, "2 folders differ only in a number (part_1 … part_2): they may be patients"),
        ("8863/1.png 8864/2.png", {}, "2 folders differ only in a number (8863 … 8864): they may be patients"),
        ("lung/aca/1.png lung/n/2.png colon/aca2/3.png colon/n2/4.png", {}, "subfolders may be the classes"),
        ("7/0/a.png 7/1/b.png 8/0/c.png 8/1/d.png 9/0/e.png", {}, "subfolders may be the classes (0, 1)"),
        (
            "train/arm/p1/s_pos/1.png train/leg/p2/s_neg/2.png test/arm/p3/s_neg/3.png",
            {},
            "subfolders may be the classes (s_neg, s_pos)",
        ),
        (f"{SPLITS} holdout/cyst/d.png", {}, "holdout holds images of the same classes, but is not named like a split"),
        ("a/1.png a/1.tif b/2.png b/2.tif", {}, "4 of 4 images differ only in their extension, such as a/1.png"),
        ("lung/0/1.png colon/1/2.png", {}, "subfolders may be the classes (0, 1)"),
        (CLASSES, {"cyst/v.nii.gz": ""}, "next to the images are 1 NIfTI volume (.nii.gz), which are not read, such"),
        (SIDES, {"t.csv": "n,smoker\na,1\nb,0\nc,1\nd,0\n"}, "column 'smoker'"),
        (SIDES, {"t.txt": "a p\nb n\nc p\nd n\n"}, "t.txt names 4 of these"),
        (CLASSES, {"t.csv": 'x,y\n"a,1\nb,2\nc,3,4,5\n'}, "t.csv names these images, but cannot be read as a table"),
        (f"{SPLITS} holdout/cyst/d.png my_eval/cyst/e.png", {}, "holdout, my_eval hold images of the same classes"),
        ("ill/ill_1.png ill/ill_2.png well/ill_3.png well/well_4.png", {}, "the file names of 1 image contain another"),
        ("a/1.png a/1_thumb.png b/2.png b/2_thumb.png", {}, "2 of 4 images have the name of another and _thumb"),
        ("PNG/a/1.png PNG/b/2.png TIF/a/1.tif TIF/b/2.tif", {}, "the set can be read in 2 ways"),
        ("ill/1.png well/2.png _unsorted/3.png", {}, "the labels of 1 image may mean that there is none (_unsorted)"),
        (IMAGES, {"t.csv": table("A", "B", "Unknown")}, "may mean that there is none (Unknown); to leave them out"),
        ("dev/1.png adult/2.png", {}, "no layout is detected for 2 images"),
        (IMAGES, {"t.csv": table("A", "B", "A|B")}, "some labels are several at once (A|B)"),
        (IMAGES, {"t.csv": table("['A']", "['B']", "\"['A', 'B']\"")}, "some labels are several at once (['A', 'B'])"),
        (IMAGES, {"t.csv": table("scab", "rust", "scab rust")}, "some labels are several at once (scab rust)"),
        (IMAGES, {"t.csv": table("ok", "n/a")}, "the labels of 8 images may mean that there is none (n/a)"),
        (IMAGES, {"t.csv": table("p,1", "q,2", "q,1", head="image,tissue,score")}, None),
    ],
)  # fmt: skip
def test_a_reading_with_an_objection_is_refused_and_every_choice_can_be_read(
    write_set, images: str, files: dict[str, str], reason: str | None
) -> None:
    root = write_set(images, files)
    line = refusal(root)
    assert reason is None or reason in line
    choices = choices_of(line)
    assert choices
    for layout in choices:
        assert read_layout(root, layout)["label"].nunique() > 1


def test_many_numbers_are_no_classes(write_set) -> None:
    names = [f"i{number}" for number in range(60)]
    rows = "".join(f"{name},{at % 30}\n" for at, name in enumerate(names))
    root = write_set(" ".join(f"{name}.png" for name in names), {"t.csv": f"image,label\n{rows}"})
    assert "the labels are 30 different numbers from 0 to 29" in refusal(root)
    ages = "".join(f"{name},{100 + at}\n" for at, name in enumerate(names))
    root = write_set("", {"t.csv": f"image,boneage\n{ages}"})
    assert (
        "; t.csv has 60 different numbers in 'boneage', a quantity and not a class (the study own_numbers predicts "
        in refusal(root)
    )


@pytest.mark.parametrize(
    ("images", "files"),
    [
        ("benign/s1/40X/b-40-1.png benign/s2/100X/b-100-1.png ill/s3/40X/m-40-1.png ill/s4/100X/m-100-1.png",
         {"t.csv": "name,mag\nb-40-1,40\nb-100-1,100\nm-40-1,40\nm-100-1,100\n"}),
        ("ill/patient01/a.png ill/patient02/b.png well/patient03/c.png well/patient04/d.png", {}),
        ("grade1/a.png grade2/b.png grade3/c.png", {}),
        ("0/a.png 1/b.png 2/c.png", {"t.csv": "name,age\na,40\nb,50\nc,60\n"}),
    ],
    ids=["a table that repeats the names", "patients below", "numbered classes", "ages"],
)  # fmt: skip
def test_folders_of_classes_are_read_where_nothing_speaks_against_them(
    write_set, images: str, files: dict[str, str]
) -> None:
    assert detected(write_set(images, files)) == "class_folders"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("preamble", ["", "exported on Monday\n\n"])
def test_a_table_is_read_in_any_common_encoding_and_below_a_preamble(write_set, encoding: str, preamble: str) -> None:
    root = write_set(IMAGES)
    (root / "t.csv").write_bytes((preamble + table("gutartig", "bösartig", separator=";")).encode(encoding))
    assert detected(root) == "{kind: label_csv, file: t.csv, image: image, label: label}"
    assert {label for _, label, _ in understood(root)} == {"bösartig", "gutartig"}


def test_a_workbook_that_names_images_is_a_table(write_set) -> None:
    root = write_set(SIDES)
    write_workbook(root / "t.xlsx", [["name", "grade"], ["a", "x"], ["b", "y"], ["c", "x"], ["d", "y"]])
    assert "{kind: label_csv, file: t.xlsx, image: name, label: grade} (classes x 2, y 2)" in refusal(root)
    write_workbook(root / "t.xlsx", [["name", "smoker"], ["a", 1], ["b", 0], ["c", 1], ["d", 0]])
    assert "t.xlsx names 4 of these images, and its column 'smoker' (0, 1) differs from the folders" in refusal(root)


def test_an_image_without_an_extension_is_read(write_set) -> None:
    assert [path for path, _, _ in understood(write_set(CLASSES, {"cyst/c": "GIF89a", "cyst/LICENSE": "free"}))] == [
        "cyst/a.png", "cyst/b.png", "cyst/c", "normal/c.png",
    ]  # fmt: skip


@pytest.mark.parametrize("names", ["Normal NORMAL", "viral_x viral-x", "0 0.0", "mild_ill MildIll"])
def test_one_class_under_two_names_is_an_error(write_set, names: str) -> None:
    first, second = names.split()
    root = write_set(IMAGES, {"t.csv": table(first, second, "other")})
    with pytest.raises(UserError, match="one class has several names") as raised:
        understood(root)
    assert "to make each one class: data.labels: {aliases: {" in str(raised.value)


def test_a_class_of_two_forms_of_unicode_is_one_class_under_two_names(write_set) -> None:
    forms = [unicodedata.normalize(form, "Zyste ä") for form in ("NFC", "NFD")]
    with pytest.raises(UserError, match="one class has several names"):
        understood(write_set(IMAGES, {"t.csv": table(*forms, "normal")}))


def test_a_class_that_another_split_names_at_length_is_refused(write_set) -> None:
    root = write_set("train/acinar_left/a.png train/normal/b.png test/acinar/c.png test/normal/d.png")
    with pytest.raises(UserError, match="acinar_left, in train, and acinar, in test, may be one class under two names"):
        understood(root)


@pytest.mark.parametrize("names", [("a.JPG", "a.jpg"), ("Mü.png", "Mü.png")], ids=["case", "Unicode"])
def test_an_image_is_found_by_another_case_of_its_extension_and_form_of_unicode(
    write_set, rows_of, names: tuple[str, str]
) -> None:
    files = {unicodedata.normalize("NFD", names[0]): "", "b.png": "", "t.csv": f"n,label\n{names[1]},x\nb,y\n"}
    rows = rows_of(write_set("", files), kind="label_csv", file="t.csv", image="n", label="label")
    assert sorted(label for _, label, _ in rows) == ["x", "y"]


def test_images_in_an_archive_are_no_part_of_the_set_unless_it_is_unpacked(write_set) -> None:
    root = write_set(CLASSES)
    with ZipFile(root / "more.zip", "w") as archive:
        archive.writestr("cyst/d.png", "")
    assert (
        'more.zip holds 1 image that are not read; unpack it, or leave it out: data.files: {exclude: ["more.zip"]}'
        in (refusal(root))
    )
    with ZipFile(root / "more.zip", "w") as archive:
        archive.writestr("__MACOSX/cyst/._a.png", "")
        archive.writestr("cyst/a.png", "")
    assert detected(root) == "class_folders"


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.json", '{"images": [], "annotations": []}'), ("a.xml", "<annotation/>"), ("i0.txt", "0 0.5 0.5 0.25 0.25\n")],
)
def test_boxes_are_named_as_what_they_are(write_set, name: str, content: str) -> None:
    line = refusal(write_set(IMAGES, {name: content}))
    assert f"1 {name[-5:] if name.endswith('json') else name[-4:]} file, such as {name}, has boxes or outlines" in line


def test_images_beside_the_folders_of_classes_can_be_left_out(write_set) -> None:
    images = " ".join(f"set/{label}/{number}.png" for label in "ab" for number in range(5))
    root = write_set(f"{images} sample.jpg set/preview.png")
    assert 'to leave them out: data.files: {exclude: ["sample.jpg", "set/preview.png"]}' in refusal(root)
    assert resolve_layout(root, AUTO, {"sample.jpg", "set/preview.png"}).root == "set"


@pytest.mark.parametrize("name", ["sample_submission.csv", "sampleSubmission.csv", "submission-v3.csv"])
def test_predictions_are_no_labels(write_set, name: str) -> None:
    line = refusal(write_set(IMAGES, {name: table("1", "0")}))
    assert "no layout fits the set as it is" in line


def test_images_in_two_formats_are_not_both_segmented(write_set) -> None:
    root = write_set("PNG/i/1.png PNG/i/2.png TIF/i/1.tif TIF/i/2.tif")
    with pytest.raises(
        UserError, match=r'to leave one of each out: data.files: \{exclude: \["\*.png"\]\} or'
    ) as raised:
        resolve_layout(root, AUTO, Given(target=TARGETS["masks"]))
    assert "such as PNG/i/1.png and TIF/i/1.tif;" in str(raised.value)


def test_columns_that_are_no_labels_are_not_offered(write_set) -> None:
    line = refusal(write_set(IMAGES, {"t.csv": table("1,F,1", "2,M,1", head="image,x,sex,Target")}))
    assert "no layout fits the set as it is; name images and labels in a CSV" in line
    folds = table("1,a", "2,b", "2,a", "1,b", head="image,kfold,tissue")
    assert detected(write_set("", {"t.csv": folds})) == "{kind: label_csv, file: t.csv, image: image, label: tissue}"


def test_names_that_end_in_a_number_are_no_formats_of_one_image(write_set) -> None:
    mark = "x" * 128 + "DICM"
    assert detected(write_set("", {f"{label}/1.2.840.{number}": mark for label in "ab" for number in (1, 2)})) == (
        "class_folders"
    )


def test_ages_are_no_names_of_numbered_images(write_set) -> None:
    rows = "".join(f"{number},{number + 1},{'xy'[number % 2]}\n" for number in range(8))
    root = write_set(" ".join(f"{number}.png" for number in range(1, 9)), {"t.csv": f",age,dx\n{rows}"})
    assert "no layout is detected for 8 images" in refusal(root)


def test_rows_that_say_the_same_count_once(write_set, rows_of) -> None:
    root = write_set("a.png b.png", {"t.csv": "n,label,box\na,x,1\na,x,2\nb,y,3\n"})
    assert len(rows_of(root, kind="label_csv", file="t.csv", image="n", label="label")) == 2


def test_no_replica_of_a_much_used_set_is_read_wrongly(shared: Path, tmp_path: Path) -> None:
    if not (shared / "zoo/zoo.py").exists():
        pytest.skip("the replicas are not here")
    sys.path.insert(0, str(shared / "zoo"))
    import zoo

    wrong, names = {}, [name for name, about in zoo.SETS.items() if about["target"] != "mask"]
    for name in names:
        root = tmp_path / name
        truth = zoo.make(name, root)
        copies = find_copies(root, ".")
        aside = frozenset((*copies, *unused_masks(root, ".", copies.keys())))
        try:
            found = read_layout(root, resolve_layout(root, AUTO, aside), aside)
        except UserError as error:
            assert choices_of(str(error)) or "own_numbers" in str(error), name
            for layout in choices_of(str(error)):
                assert read_layout(root, layout, aside)["label"].nunique() > 1
            continue
        if name == "medmnist_npz":  # its rows are no files
            wrong[name] = [] if list(truth["label"]) == list(found["label"]) else ["other labels"]
        else:
            wrong[name] = zoo.differences(root, truth, found[["path", "label", "split"]].assign(group=found["path"]))
    assert len(wrong) >= 13
    assert {name: found for name, found in wrong.items() if found} == {}


def test_most_images_may_be_elsewhere(write_set) -> None:
    root = write_set("fold/train/a/1.png fold/test/b/2.png all/A/1.png all/A/2.png all/B/3.png all/B/4.png")
    assert "4 images elsewhere would not be read, such as all/A/1.png" in refusal(root)


def test_a_remedy_for_one_of_several_columns_is_not_offered_for_all(write_set) -> None:
    rows = "".join(
        f"{name}.png,{a},{b}\n" for name, a, b in zip("123456", "uuuvvv", ["x", "x", "y", "y", "", ""], strict=True)
    )
    line = refusal(write_set(" ".join(f"i/{n}.png" for n in range(1, 7)), {"t.csv": f"image,state,region\n{rows}"}))
    assert "drop" not in line
    no_other = write_set("", {"u.csv": "image,diagnosis\n1.png,cancer\n2.png,\n3.png,\n4.png,cancer\n"})
    (no_other / "t.csv").unlink()
    assert "drop" not in refusal(no_other)


def test_folders_of_predictions_are_not_a_class_in_silence(write_set) -> None:
    root = write_set("yes/1.png yes/2.png no/3.png no/4.png pred/5.png", {"notes/a.json": "{}"})
    assert "may mean that there is none (pred)" in refusal(root)


def test_masks_whose_images_have_other_names_are_not_images_of_a_class(write_set) -> None:
    line = refusal(write_set("x/a.png x/b.png y/c.png x/1_mask.png y/2_mask.png"))
    assert "2 images named as masks, such as x/1_mask.png, would be images of a class; to leave them out: " in line
    assert 'data.files: {exclude: ["*_mask*"]}' in line
