"""Masks are found in all places and paired with the right images."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from ruamel.yaml import YAML

from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.named_masks import class_of_mask, find_masks
from medtransfer.data.layouts.read import Given, as_yaml, read_layout
from medtransfer.data.targets import TARGETS
from medtransfer.study import Layout, MaskFiles
from medtransfer.study.masks import MaskPlace
from medtransfer.util.errors import UserError

from .detection import AUTO, refusal

UNNAMED = "); to pack them with their images: data.masks: auto; to leave them out: data.files: {exclude: ["
BESIDE = [
    ("images/a.png images/b.png masks/a.png masks/b.png", "2 of 4 images are masks of others (masks/a.png of images/a"),
    ("set-masked/images/a.jpg set-masked/masks/a.png", "1 of 2 images are masks of others (set-masked/masks/a.png"),
    ("train/a.png train_masks/a_mask.png", "1 of 2 images are masks of others (train_masks/a_mask.png of train/a"),
    ("train/images/a.png train/Ground_Truth/a.png", "1 of 2 images are masks of others (train/Ground_Truth/a.png"),
    ("cyst/a.png cyst/masks/a.png normal/b.png normal/masks/b.png", "2 of 4 images are masks of others (cyst/masks"),
    ("cyst/a.png cyst/a_mask.png cyst/a_mask_1.png normal/b.png", "2 of 4 images are masks of others (cyst/a_mask"),
    ("x/000_HC.png x/000_HC_Annotation.png y/1.png", "1 of 3 images are masks of others (x/000_HC_Annotation.png"),
]


@pytest.mark.parametrize(("images", "found"), BESIDE)
def test_masks_that_the_params_do_not_mention_are_refused_in_one_line(write_set, images: str, found: str) -> None:
    line = refusal(write_set(images))
    assert line.startswith(f"RAW: {found}")
    assert UNNAMED in line


def test_a_csv_with_a_column_of_masks_is_refused(write_set) -> None:
    table = "image,mask\nx/a.png,y/k.png\nx/b.png,y/l.png\n"
    root = write_set("x/a.png x/b.png y/k.png y/l.png", {"pairs.csv": table})
    assert refusal(root) == "pairs.csv: column 'mask' names masks: name their folder or suffix in data.masks"


def pairs_of(root: Path, base: str = ".", **masks: Any) -> list[str]:
    """Return `image < mask` for each mask."""
    found = find_masks(root, base, MaskFiles(**masks))
    return [f"{image} < {mask}" for image, of_it in found.items() for mask in of_it]


@pytest.mark.parametrize(
    ("images", "masks", "pairs"),
    [
        ("images/a.png masks/a.png", {}, "images/a.png < masks/a.png"),
        ("images/a.jpg masks/a_mask.png", {}, "images/a.jpg < masks/a_mask.png"),
        ("x/a.png x/a_mask.png x/a_mask_1.png", {}, "x/a.png < x/a_mask.png, x/a.png < x/a_mask_1.png"),
        ("images/a.png truth1/a.png", {"folder": "truth1"}, "images/a.png < truth1/a.png"),
        ("a.png Lungs/a.png", {"folder": "lungs"}, "a.png < Lungs/a.png"),
        (
            "img/a.png out/man/a.png out/auto/a.png",
            {"folder": "out"},
            "img/a.png < out/auto/a.png, img/a.png < out/man/a.png",
        ),
        (
            "train/a.png test/a.png masks/train/a.png masks/test/a.png",
            {"folder": "masks"},
            "test/a.png < masks/test/a.png, train/a.png < masks/train/a.png",
        ),
        (
            "train/x/a.png train/y/a.png test/x/a.png test/y/a.png",
            {"folder": "y"},
            "test/x/a.png < test/y/a.png, train/x/a.png < train/y/a.png",
        ),
        (
            "train/a.png test/a.png masks/train/a.png masks/test/a.png",
            {},
            "test/a.png < masks/test/a.png, train/a.png < masks/train/a.png",
        ),
        (
            "c/a.png c/a-roi.png c/b.png c/b-roi2.png",
            {"suffix": "-roi"},
            "c/a.png < c/a-roi.png, c/b.png < c/b-roi2.png",
        ),
        (
            "x/C_1.png x/M_1.png m/C_1_mask.png m/M_1.png",
            {"folder": "m", "suffix": "_mask"},
            "x/C_1.png < m/C_1_mask.png, x/M_1.png < m/M_1.png",
        ),
        ("images/1.jpg masks/1_m.png", {}, "images/1.jpg < masks/1_m.png"),
        ("a-image/1.jpg b-image/1.jpg b-mask/1.png", {}, "b-image/1.jpg < b-mask/1.png"),
        ("images/bus_01-l.png masks/mask_01-l.png", {}, "images/bus_01-l.png < masks/mask_01-l.png"),
        ("x/a_1.png x/a_1_gt_2_hard.png", {}, "x/a_1.png < x/a_1_gt_2_hard.png"),
        ("x/a.png x/a_expert1_seg.png x/a_no_mask.png", {}, "x/a.png < x/a_expert1_seg.png"),
        ("images/a.png masks/a_mask_v2.png", {}, "images/a.png < masks/a_mask_v2.png"),
        (
            "i/a.png masks/a_1.png masks/a_2.png",
            {"folder": "masks"},
            "i/a.png < masks/a_1.png, i/a.png < masks/a_2.png",
        ),
        ("x/i/a.png x/lung_masks/a.png x/seg/a.png", {"folder": "seg", "missing": "drop"}, "x/i/a.png < x/seg/a.png"),
        ("images/a.png ManualMask/a.png", {}, "images/a.png < ManualMask/a.png"),
        ("tr/images/21_tr.tif tr/manual/21_manual1.gif", {}, "tr/images/21_tr.tif < tr/manual/21_manual1.gif"),
        (
            "tr/images/21_tr.tif tr/manual/21_manual1.gif tr/mask/21_tr_mask.gif",
            {"folder": "manual"},
            "tr/images/21_tr.tif < tr/manual/21_manual1.gif",
        ),
        ("x-seg/CXR/1.png x-seg/masks/1.png", {}, "x-seg/CXR/1.png < x-seg/masks/1.png"),
        ("REFUGE/Images/1.jpg REFUGE/gts/1.bmp", {}, "REFUGE/Images/1.jpg < REFUGE/gts/1.bmp"),
        (
            "p1/x.png p1/masks/7.png p1/masks/8.png p2/y.png p2/masks/9.png",
            {},
            "p1/x.png < p1/masks/7.png, p1/x.png < p1/masks/8.png, p2/y.png < p2/masks/9.png",
        ),
        (
            "p1/i/x.png p1/m/7.png p2/i/y.png p2/m/9.png",
            {"folder": "m"},
            "p1/i/x.png < p1/m/7.png, p2/i/y.png < p2/m/9.png",
        ),
        (
            "CXR/1.png ManualMask/leftMask/1.png ManualMask/rightMask/1.png",
            {"folder": "ManualMask"},
            "CXR/1.png < ManualMask/leftMask/1.png, CXR/1.png < ManualMask/rightMask/1.png",
        ),
        (
            "x-seg/CXR/1.png x-seg/CXR/2.png x-seg/masks/1.png data/x-seg/CXR/1.png data/x-seg/CXR/2.png "
            "data/x-seg/masks/1.png",
            {},
            "data/x-seg/CXR/1.png < data/x-seg/masks/1.png, x-seg/CXR/1.png < x-seg/masks/1.png",
        ),
        (
            "data/x/a.png data/m/a.png x/a.png m/a.png",
            {"folder": "m"},
            "data/x/a.png < data/m/a.png, x/a.png < m/a.png",
        ),
    ],
)
def test_every_mask_finds_its_image(write_set, images: str, masks: dict[str, str], pairs: str) -> None:
    assert ", ".join(pairs_of(write_set(images), **masks)) == pairs


def test_masks_of_two_kinds_in_one_folder_may_be_classes_or_merged(write_set) -> None:
    root = write_set("CXR/1.png ManualMask/leftMask/1.png ManualMask/rightMask/1.png")
    with pytest.raises(UserError) as raised:
        pairs_of(root)
    assert str(raised.value).endswith(
        'choose one: data.files: {exclude: ["*rightMask/*"]} or {exclude: ["*leftMask/*"]}; or, if they '
        "are different classes: data.masks: {classes: {leftMask: {folder: leftMask}, rightMask: {folder: rightMask}}}; "
        "or, to merge them: data.masks: {folder: ManualMask}"
    )


@pytest.mark.parametrize(
    ("names", "choices"),
    [
        (
            "masks/1_reader1.png masks/1_reader2.png",
            "data.masks: {suffix: _reader1, missing: drop} or data.masks: {suffix: _reader2",
        ),
        (
            "masks/1_seg_50.png masks/1_seg_75.png",
            "data.masks: {suffix: _seg_50, missing: drop} or data.masks: {suffix: _seg_75",
        ),
        ("masks/A/1.png masks/B/1.png", "data.masks: {folder: A, missing: drop} or data.masks: {folder: B"),
        ("x/1_mask_R1.png x/1_mask_R2.png", 'data.files: {exclude: ["*_mask_R2*"]} or {exclude: ["*_mask_R1*"]}'),
    ],
)
def test_masks_by_several_readers_are_not_merged_unasked(write_set, names: str, choices: str) -> None:
    root = write_set(f"x/1.png {names}")
    with pytest.raises(UserError, match="masks of several kinds for 1 image") as raised:
        pairs_of(root)
    assert f"choose one: {choices}" in str(raised.value)


def test_images_below_a_folder_that_sounds_like_masks_are_not_masks_without_images(write_set) -> None:
    with pytest.raises(UserError, match=r"no masks .* among the 1 images .* 1 \.xml file, such as MoNuSeg/a"):
        pairs_of(write_set("MoNuSeg/i/a.png", {"MoNuSeg/a.xml": "<annotation>"}))


def test_a_class_that_is_called_contour_has_no_masks(write_set) -> None:
    root = write_set("contour/contour_0.png contour/contour_1.png plain/plain_0.png plain/plain_1.png")
    assert as_yaml(resolve_layout(root, AUTO)) == "class_folders"


def test_masks_of_classes_are_recognised_whatever_follows_the_word(write_set) -> None:
    root = write_set("cyst/a.png cyst/a_mask_final.png normal/b.png normal/b_gt_1_hard.png")
    assert "2 of 4 images are masks of others (cyst/a_mask_final.png of cyst/a.png)" in refusal(root)


def test_folders_of_namesakes_and_outlines_are_named_if_there_are_no_masks(write_set) -> None:
    with pytest.raises(UserError, match=r"select them by data.masks: \{folder: out\}$"):
        pairs_of(write_set("images/1.png images/2.png out/1.png out/2.png"))
    with pytest.raises(UserError, match=r"; 1 .csv file, such as rle.csv, has boxes or outlines of objects"):
        pairs_of(write_set("b/1.png", {"rle.csv": "ImageId, EncodedPixels\n1,3 4\n"}), base=".", suffix="_m")


@pytest.mark.parametrize(
    ("images", "masks", "problem"),
    [
        ("x/a.png masks/b.png", {"folder": "masks"}, "masks/b.png: a mask without an image; data.masks.missing: drop"),
        ("x/a.png y/a.png m/a.png", {"folder": "m"}, "m/a.png: a mask of x/a.png or y/a.png; name data.layout.root"),
        ("x/a.png x/b.png", {"folder": "m"}, "data.masks.folder: no masks were found among the 2 images of RAW"),
        ("x/a.png x/b.png", {"suffix": "_m"}, "data.masks.suffix: no masks were found among the 2 images of RAW"),
        (
            "i/a.png mask/a.png manual/a.png",
            {},
            "data.masks: auto: masks of several kinds for 1 image (i/a.png: manual/a.png, mask/a.png); merging them "
            'would mix their meanings; choose one: data.files: {exclude: ["*mask/*"]} or {exclude: ["*manual/*"]}',
        ),
        (
            "i/a.png i/a_seg.png roi/7.png",
            {},
            "data.masks: auto: 1 file in mask folders without an image, such as roi/7.png; select the masks ",
        ),
        ("x/a.png x/b.png", {}, "data.masks.auto: no masks were found among the 2 images of RAW"),
    ],
)
def test_missing_masks_and_masks_of_several_images_are_errors(
    write_set, images: str, masks: dict[str, str], problem: str
) -> None:
    root = write_set(images)
    with pytest.raises(UserError) as raised:
        pairs_of(root, **masks)
    (line,) = raised.value.problems
    assert line.replace(str(root), "RAW").startswith(problem)


def test_the_number_of_an_image_is_no_part_of_the_suffix_of_its_mask(write_set) -> None:
    root = write_set("", dict.fromkeys(("c/c (1).png", "c/c (1)_mask.png", "c/c (2).png", "c/c (2)_mask_1.png"), ""))
    assert pairs_of(root) == ["c/c (1).png < c/c (1)_mask.png", "c/c (2).png < c/c (2)_mask_1.png"]


def test_a_mask_without_an_image_is_ignored_if_missing_is_drop(write_set) -> None:
    root = write_set("x/a.png masks/a.png masks/b.png")
    assert pairs_of(root, folder="masks", missing="drop") == ["x/a.png < masks/a.png"]


def test_only_masks_below_the_root_are_found(write_set) -> None:
    root = write_set("one/images/a.png one/masks/a.png two/images/a.png two/masks/a.png")
    assert pairs_of(root, "two", folder="masks") == ["two/images/a.png < two/masks/a.png"]


@pytest.mark.parametrize(
    ("images", "files", "layout"),
    [
        ("cyst/a.png cyst/a_mask.png normal/b.png normal/b_mask.png", {}, "class_folders"),
        (
            "train/a.png train/a_mask.png train/b.png",
            {"train/_classes.csv": "f,x,y\na.png,1,0\nb.png,0,1\n"},
            "one_hot_csv",
        ),
        (
            "i/a.png i/b.png i/b_mask.png",
            {"l.csv": "image,label\na,x\nb,y\n"},
            "{kind: label_csv, file: l.csv, image: image, label: label}",
        ),
    ],
)
def test_classes_are_read_without_their_masks(write_set, images: str, files: dict[str, str], layout: str) -> None:
    root = write_set(images, files)
    masks = [mask for of_it in find_masks(root, ".", MaskFiles()).values() for mask in of_it]
    found = resolve_layout(root, AUTO, masks)
    assert as_yaml(found) == layout
    table = read_layout(root, found, masks)
    assert list(table["path"]) == [image for image in images.split() if "mask" not in image]


def test_images_without_labels_are_read_with_their_splits(write_set) -> None:
    root = write_set("set/train/images/a.png set/valid/images/b.png set/test/images/c.png set/test/masks/c.png")
    layout = resolve_layout(root, Layout(kind="auto", root="set"), Given(target=TARGETS["masks"]))
    table = read_layout(root, layout, Given(frozenset(["set/test/masks/c.png"]), target=TARGETS["masks"]))
    assert as_yaml(layout) == "{kind: images, root: set}"
    assert [tuple(row) for row in table[["path", "split"]].itertuples(index=False)] == [
        ("set/test/images/c.png", "test"),
        ("set/train/images/a.png", "train"),
        ("set/valid/images/b.png", "val"),
    ]
    assert table["label"].nunique() == 1


def test_real_masks_are_refused_and_found(shared: Path) -> None:
    root = shared / "data" / "fetal_head_masks"
    assert refusal(root).startswith("RAW: 999 of 1998 images are masks of others")
    pairs = pairs_of(root)
    assert len(pairs) == 999
    assert pairs == pairs_of(root, folder="masks")
    assert pairs[0] == "images/100_2HC.jpg < masks/100_2HC.png"


PLACES = {"classes": {"lung": {"folder": "lung masks"}, "infection": {"folder": "infection masks"}}}


def test_masks_of_each_class_are_in_a_place_of_their_own(write_set) -> None:
    names = [f"{split}/{kind}/{number}.png" for split in ("train", "test") for number in (1, 2)
             for kind in ("images", "lung masks", "infection masks")]  # fmt: skip
    root = write_set("", dict.fromkeys(names, ""))
    assert pairs_of(root, **PLACES) == [
        f"{split}/images/{number}.png < {split}/{kind} masks/{number}.png"
        for split in ("test", "train")
        for number in (1, 2)
        for kind in ("infection", "lung")
    ]
    spec = MaskFiles(**PLACES)
    assert class_of_mask(PurePosixPath("train/lung masks/1.png"), spec) == 1
    assert class_of_mask(PurePosixPath("train/infection masks/1.png"), spec) == 2


def test_masks_of_each_class_may_have_a_suffix_of_their_own(write_set) -> None:
    places = {"classes": {"disc": {"suffix": "_disc"}, "cup": {"suffix": "_cup"}}}
    root = write_set("x/a.png x/a_disc.png x/a_cup.png x/b.png x/b_disc.png")
    assert pairs_of(root, **places) == ["x/a.png < x/a_cup.png", "x/a.png < x/a_disc.png", "x/b.png < x/b_disc.png"]


def test_classes_may_share_a_folder_if_their_suffixes_differ(write_set) -> None:
    places = {name: {"folder": "masks", "suffix": f"_{name}"} for name in ("disc", "cup")}
    root = write_set("x/a.png masks/a_disc.png masks/a_cup.png")
    assert pairs_of(root, classes=places) == ["x/a.png < masks/a_cup.png", "x/a.png < masks/a_disc.png"]
    assert class_of_mask(PurePosixPath("masks/a_cup.png"), MaskFiles(classes=places)) == 2


def test_a_place_without_masks_and_a_mask_of_two_classes_are_errors(write_set) -> None:
    root = write_set("images/a.png lungs/a.png lungs/a_inf.png")
    with pytest.raises(UserError, match=r"^data\.masks\.classes\.heart: no masks were found"):
        pairs_of(root, classes={"lung": {"folder": "lungs"}, "heart": {"folder": "heart"}})
    with pytest.raises(UserError, match=r"^lungs/a_inf\.png: a mask of several classes by its name"):
        pairs_of(root, classes={"lung": {"folder": "lungs"}, "infection": {"suffix": "_inf"}})


@pytest.mark.parametrize("lacking", [False, True])
def test_masks_of_several_kinds_are_offered_as_classes_of_their_own(write_set, lacking: bool) -> None:
    names = [f"{folder}/{number}.png" for number in (1, 2, 3) for folder in ("images", "lung masks", "infection masks")]
    root = write_set("", dict.fromkeys(names[: -1 if lacking else None], ""))
    with pytest.raises(UserError) as raised:
        pairs_of(root)
    offered = raised.value.problems[0].split("different classes: data.masks: ")[1]
    spec = MaskFiles.model_validate(YAML(typ="safe").load(offered))
    assert spec.places == {
        "infection masks": MaskPlace(folder="infection masks"),
        "lung masks": MaskPlace(folder="lung masks"),
    }
    assert spec.missing == ("drop" if lacking else "fail")
    assert len(find_masks(root, ".", spec)) == 3
