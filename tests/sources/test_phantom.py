"""The simulated data set against what is known about it: its geometry, its statistics, its file format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtransfer.sources.phantom import CLASSES, pretraining_set, write_phantom
from medtransfer.sources.phantom.acquisition import Acquisition, acquire, draw_acquisition
from medtransfer.sources.phantom.anatomy import CLASS_SHARES, FALX_POINTS, classify, draw_head
from medtransfer.sources.phantom.challenge import VENTRICULOMEGALY_MM, Challenge
from medtransfer.sources.phantom.frames import Frame, render
from medtransfer.sources.phantom.geometry import (
    Ellipse,
    Placement,
    Wobble,
    closed,
    polygon_area,
    polygon_mask,
)
from medtransfer.sources.phantom.painting import paint
from medtransfer.sources.phantom.patients import Patient, draw_patient
from medtransfer.sources.phantom.scenarios import QUESTIONS, draw_scenario
from medtransfer.sources.phantom.scene import Reflector, Region, Scene
from medtransfer.sources.phantom.sector import SECTORS, Sector, polar_grid
from medtransfer.sources.phantom.speckle import resolution_cells, speckle
from medtransfer.sources.phantom.splits import SPLITS, stratified_splits
from medtransfer.sources.phantom.tissue import BRAIN, FLUID, UTERUS
from medtransfer.sources.phantom.ventricles import LateralVentricles

SETTINGS = {"patients": 40, "frames": 3, "size": 64, "difficulty": 0.3, "seed": 7}
difficulties = st.floats(0.0, 1.0)
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("phantom")
    write_phantom(path, **SETTINGS, split_by="patient")
    return path


@pytest.fixture(scope="module")
def anatomy(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "anatomy.csv")


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def image_bytes(folder: Path) -> dict[str, bytes]:
    """Images and masks by name, whatever split they are in."""
    named = {}
    for split in SPLITS:
        for kind, place in (("image", folder / split), ("mask", folder / "masks" / split)):
            named |= {f"{kind} {path.name}": path.read_bytes() for path in place.glob("*.png")}
    return named


# The files


def test_one_hot_tables_are_valid(folder: Path, anatomy: pd.DataFrame) -> None:
    labels = anatomy.set_index("filename")["class"]
    for split in SPLITS:
        table = pd.read_csv(folder / split / "_classes.csv")
        assert list(table.columns) == ["filename", *CLASSES]
        hot = table[list(CLASSES)].to_numpy()
        assert np.isin(hot, (0, 1)).all()
        assert (hot.sum(axis=1) == 1).all()
        assert sorted(table["filename"]) == sorted(path.name for path in (folder / split).glob("*.png"))
        named = [CLASSES[column] for column in hot.argmax(axis=1)]
        assert named == labels[table["filename"]].tolist()


def test_images_and_masks_are_grey_squares_of_the_size(folder: Path, anatomy: pd.DataFrame) -> None:
    for row in anatomy.itertuples():
        image = read(folder / row.split / row.filename)
        mask = read(folder / "masks" / row.split / row.filename)
        assert image.shape == mask.shape == (64, 64)
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 255}
    assert "simulat" in (folder / "README.txt").read_text(encoding="utf-8").lower()


def test_every_patient_has_two_to_three_frames_of_one_head(anatomy: pd.DataFrame) -> None:
    frames = anatomy.groupby("patient")
    assert frames.ngroups == SETTINGS["patients"]
    assert frames.size().between(2, 3).all()
    assert set(frames.size()) == {2, 3}
    for column in ("class", "biparietal_diameter_mm", "cephalic_index"):
        assert (frames[column].nunique() == 1).all()
    assert (frames["head_angle_degrees"].nunique() > 1).all()


def test_a_single_frame_where_one_is_asked_for(tmp_path: Path) -> None:
    write_phantom(tmp_path, **(SETTINGS | {"patients": 12, "frames": 1}), split_by="patient")
    assert len(pd.read_csv(tmp_path / "anatomy.csv")) == 12


# Reproducibility


def test_same_arguments_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path, **SETTINGS, split_by="patient")
    assert all_bytes(tmp_path) == all_bytes(folder)


def test_another_seed_gives_other_images(folder: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path, **(SETTINGS | {"seed": 8, "patients": 10}), split_by="patient")
    first = image_bytes(folder)
    assert all(first.get(name) != image for name, image in image_bytes(tmp_path).items() if "image" in name)


def test_images_do_not_depend_on_the_number_of_patients(folder: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path, **(SETTINGS | {"patients": 15}), split_by="image")
    fewer, more = image_bytes(tmp_path), image_bytes(folder)
    assert len(fewer) >= 60
    assert all(more[name] == content for name, content in fewer.items())


# The splits


def test_patients_stay_in_one_split(anatomy: pd.DataFrame) -> None:
    assert (anatomy.groupby("patient")["split"].nunique() == 1).all()


def test_splitting_by_image_leaks_patients(tmp_path: Path) -> None:
    write_phantom(tmp_path, **(SETTINGS | {"size": 32}), split_by="image")
    table = pd.read_csv(tmp_path / "anatomy.csv")
    assert (table.groupby("patient")["split"].nunique() > 1).mean() > 0.3


def test_each_class_stands_in_each_split(anatomy: pd.DataFrame) -> None:
    counts = anatomy.groupby(["class", "split"])["patient"].nunique().unstack(fill_value=0)
    assert set(counts.index) == set(CLASSES)
    assert (counts[list(SPLITS)] >= 1).all(axis=None)


@given(st.lists(st.sampled_from(CLASSES), max_size=120), seeds)
def test_splits_are_stratified(labels: list[str], seed: int) -> None:
    units = dict(enumerate(labels))
    splits = stratified_splits(units, np.random.default_rng(seed))
    assert splits.keys() == units.keys()
    for label in set(labels):
        chosen = [splits[unit] for unit, its_label in units.items() if its_label == label]
        if len(chosen) >= 3:
            assert set(chosen) == set(SPLITS)
        for split, share in zip(SPLITS, (0.6, 0.2, 0.2), strict=True):
            assert abs(chosen.count(split) - share * len(chosen)) <= 1.0


# The anatomy


def test_labels_follow_from_the_anatomy(anatomy: pd.DataFrame) -> None:
    width = anatomy["atrial_width_mm"]
    assert (width.isna() == (anatomy["class"] == "holoprosencephaly")).all()
    assert ((width >= VENTRICULOMEGALY_MM) == (anatomy["class"] == "ventriculomegaly")).all()
    assert ((anatomy["lesion_area_mm2"] > 0) == (anatomy["class"] != "normal")).all()
    assert (anatomy["apparent_atrial_width_mm"].dropna() <= width.dropna()).all()


@given(st.sampled_from(CLASSES), difficulties, seeds)
def test_a_head_drawn_with_a_condition_is_classified_as_such(condition: str, difficulty: float, seed: int) -> None:
    head = draw_head(np.random.default_rng(seed), condition, Challenge.of(difficulty))
    assert classify(head) == condition
    assert 65.0 <= head.biparietal_diameter_mm <= 95.0
    assert 0.70 <= head.cephalic_index <= 0.86


@given(st.tuples(difficulties, difficulties).map(sorted))
def test_a_higher_difficulty_is_harder(pair: list[float]) -> None:
    easier, harder = (Challenge.of(difficulty) for difficulty in pair)
    gap = [each.enlarged_atrium_mm.low - each.normal_atrium_mm.high for each in (easier, harder)]
    assert gap[0] >= gap[1] > 0.0
    assert easier.normal_atrium_mm.high < VENTRICULOMEGALY_MM < easier.enlarged_atrium_mm.low
    assert easier.lesion_radius.low >= harder.lesion_radius.low
    assert easier.mass_contrast_db.low >= harder.mass_contrast_db.low
    assert easier.cyst_contrast_db.high <= harder.cyst_contrast_db.high
    assert easier.shadow_chance <= harder.shadow_chance


@given(st.floats(4.0, 20.0), st.floats(0.2, 0.7))
def test_the_widest_place_of_a_ventricle_is_its_atrium(width: float, body: float) -> None:
    ventricles = LateralVentricles((width, 0.9 * width), body, choroid_fill=0.5)
    for outline, expected in zip(ventricles.outlines((50.0, 38.0), 1.0), ventricles.atria_mm, strict=True):
        left, right = outline[: len(outline) // 2], outline[len(outline) // 2 :][::-1]
        assert np.hypot(*(left - right).T).max() == pytest.approx(expected)


def test_classes_are_as_frequent_as_planned() -> None:
    challenge = Challenge.of(0.5)
    labels = [draw_patient(3, index, 2, challenge).label for index in range(300)]
    for name, share in zip(CLASSES, CLASS_SHARES, strict=True):
        assert labels.count(name) / 300 == pytest.approx(share, abs=0.02)
    assert max(CLASSES, key=labels.count) == "normal"


# The masks and the geometry


def test_mask_areas_match_the_anatomy(folder: Path, anatomy: pd.DataFrame) -> None:
    for row in anatomy.itertuples():
        mask = read(folder / "masks" / row.split / row.filename)
        measured = np.count_nonzero(mask) * row.pixel_spacing_mm**2
        # A pixel more or less along a fifth of the outline, which is what a grid of pixels can be off by.
        outline = 2.0 * np.sqrt(np.pi * row.lesion_area_mm2)
        assert measured == pytest.approx(row.lesion_area_mm2, abs=0.2 * outline * row.pixel_spacing_mm)


def test_mask_areas_are_unbiased(folder: Path, anatomy: pd.DataFrame) -> None:
    pixels = [np.count_nonzero(read(folder / "masks" / row.split / row.filename)) for row in anatomy.itertuples()]
    measured = (np.array(pixels) * anatomy["pixel_spacing_mm"] ** 2).sum()
    assert measured == pytest.approx(anatomy["lesion_area_mm2"].sum(), rel=0.01)


def test_lesions_lie_in_the_head_and_in_the_sector() -> None:
    for patient, frame in frames_of("cyst", "mass", "ventriculomegaly", "holoprosencephaly", difficulty=0.5):
        skull = patient.head.skull.points(96)
        field_mm = frame.pixel_spacing_mm * 64
        inside = polygon_mask(frame.view.placement(field_mm).apply(skull) / frame.pixel_spacing_mm, 64)
        assert not (frame.mask & ~inside).any()
        assert not (frame.mask & ~polar_grid(frame.view.sector, 64).inside).any()


@given(st.floats(4.0, 25.0), st.floats(0.5, 1.0), st.floats(0.0, 3.0), seeds)
def test_polygon_mask_has_the_area_of_the_polygon(radius: float, ratio: float, angle: float, seed: int) -> None:
    wobble = Wobble.draw(np.random.default_rng(seed), 0.1, 4)
    outline = Ellipse((32.3, 31.6), (radius, radius * ratio), angle, wobble).points(96)
    assert polygon_mask(outline, 64).sum() == pytest.approx(polygon_area(outline), abs=1.5 * radius)


@given(st.floats(-3.0, 3.0), st.sampled_from([(1, 1), (-1, 1), (1, -1)]))
def test_a_placement_keeps_distances(angle: float, mirror: tuple[int, int]) -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0], [-2.0, 7.0]])
    moved = Placement(angle, (5.0, -2.0), mirror).apply(points)
    before, after = (np.hypot(*np.diff(each, axis=0).T) for each in (points, moved))
    assert after == pytest.approx(before)
    assert moved[0] == pytest.approx([5.0, -2.0])


def test_area_of_a_circle() -> None:
    assert polygon_area(Ellipse((3.0, -4.0), (2.0, 2.0)).points(400)) == pytest.approx(4.0 * np.pi, rel=1e-3)


# The acoustics


def frames_of(*labels: str, difficulty: float) -> Iterator[tuple[Patient, Frame]]:
    challenge = Challenge.of(difficulty)
    for index in range(60):
        patient = draw_patient(21, index, 2, challenge)
        if patient.label in labels:
            yield patient, render(patient, 1, 64, 21, challenge)


def contrast(image: np.ndarray, mask: np.ndarray) -> float:
    """Grey inside a lesion less that of the tissue around it, apart from the pixels at its edge."""
    core = cv2.erode(mask.astype(np.uint8), np.ones((3, 3))) > 0
    near, far = (cv2.dilate(mask.astype(np.uint8), np.ones((width, width))) > 0 for width in (5, 11))
    return float(np.mean(image[core]) - np.median(image[far & ~near]))


@pytest.mark.parametrize(("label", "sign"), [("cyst", -1), ("mass", 1)])
def test_cysts_are_dark_and_masses_are_bright(label: str, sign: int) -> None:
    contrasts = [contrast(frame.image, frame.mask) for _, frame in frames_of(label, difficulty=0.2)]
    assert len(contrasts) >= 8
    assert np.mean(np.sign(contrasts) == sign) >= 0.85
    assert sign * np.mean(contrasts) > 10.0


@pytest.mark.parametrize("grain", [0.9, 1.5, 2.0])
def test_speckle_is_fully_developed(grain: float) -> None:
    grid = polar_grid(SECTORS[0], 256)
    ones = np.ones((grid.rows, grid.columns), np.float32)
    cells = resolution_cells(grid, grain, focus=0.5)
    frames = [speckle(ones, np.zeros_like(ones), cells, np.random.default_rng(seed)) for seed in range(8)]
    echoes = np.concatenate(frames, axis=1)
    # The ratio of a Rayleigh distribution, sqrt(pi / (4 - pi)).
    assert echoes.mean() / echoes.std() == pytest.approx(1.913, abs=0.04)
    for part in np.array_split(echoes, 4):
        assert np.mean(part**2) == pytest.approx(1.0, abs=0.08)


def test_speckle_is_coarser_away_from_the_focus() -> None:
    grid = polar_grid(SECTORS[0], 256)
    ones = np.ones((grid.rows, grid.columns), np.float32)
    cells = resolution_cells(grid, 1.5, focus=0.25)
    echoes = speckle(ones, np.zeros_like(ones), cells, np.random.default_rng(1))
    at_focus, far = echoes[60:120] - echoes.mean(), echoes[-60:] - echoes.mean()
    kept = [np.mean(part[:, 2:] * part[:, :-2]) / part.var() for part in (at_focus, far)]
    assert kept[0] < kept[1] - 0.1


@pytest.mark.parametrize("sector", SECTORS)
def test_outside_the_sector_is_exactly_black(sector: Sector) -> None:
    rng = np.random.default_rng(2)
    bright = Scene(120.0, UTERUS.shifted(15.0), ())
    image = acquire(bright, polar_grid(sector, 96), plain_acquisition(), rng)
    y, x = (np.mgrid[:96, :96] + 0.5) / 96
    radius, angle = np.hypot(x - 0.5, y + sector.apex), np.arctan2(x - 0.5, y + sector.apex)
    outside = (radius < sector.near) | (radius > sector.far) | (np.abs(angle) > sector.half_angle)
    assert outside.any()
    assert (image[outside] == 0).all()
    assert (image[~outside] > 0).mean() > 0.95


def test_tissue_behind_fluid_is_enhanced() -> None:
    pocket = Region(Ellipse((60.0, 50.0), (12.0, 12.0)).points(), FLUID)
    grid = polar_grid(SECTORS[0], 96)
    image = acquire(Scene(120.0, BRAIN, (pocket,)), grid, plain_acquisition(), np.random.default_rng(3))
    behind, beside = image[54:66, 43:53], image[54:66, 20:32]
    assert behind.mean() > beside.mean() + 10.0


def test_a_reflector_is_brightest_at_a_right_angle_to_the_beam() -> None:
    ring = Reflector(closed(Ellipse((60.0, 65.0), (25.0, 25.0)).points(64)), 2.0, 10.0)
    grid = polar_grid(SECTORS[0], 96)
    layers = paint(Scene(120.0, BRAIN, (ring,)), grid)
    column = layers.mirror[:, grid.columns // 2].max()
    row = grid.polar(np.array([[0.5, 65.0 / 120.0]]))[0, 1]
    assert column == pytest.approx(10.0, rel=0.15)
    assert layers.mirror[round(row)].max() < 0.2 * column


def plain_acquisition() -> Acquisition:
    return draw_acquisition(np.random.default_rng(0), Challenge.of(0.0))


# No shortcut, and the arguments


def test_brightness_does_not_tell_the_class(anatomy: pd.DataFrame, folder: Path) -> None:
    means = np.array([read(folder / row.split / row.filename).mean() for row in anatomy.itertuples()])
    between = np.std([means[anatomy["class"] == name].mean() for name in CLASSES])
    assert between < 0.75 * means.std()


@pytest.mark.parametrize(
    "wrong",
    [
        {"patients": 0},
        {"frames": 0},
        {"size": 16},
        {"difficulty": -0.1},
        {"difficulty": 1.1},
        {"difficulty": float("nan")},
        {"seed": -1},
        {"split_by": "class"},
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        write_phantom(tmp_path, **({**SETTINGS, "split_by": "patient"} | wrong))
    assert not list(tmp_path.iterdir())


def test_an_existing_set_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(FileExistsError):
        write_phantom(folder, **SETTINGS, split_by="patient")


# The pretraining set


def test_pretraining_questions_are_answered_with_yes_and_with_no() -> None:
    images, answers, questions = pretraining_set(300, 32, 0)
    assert images.shape == (300, 32, 32)
    assert images.dtype == np.uint8
    assert answers.shape == (300, len(questions))
    assert answers.dtype == np.float32
    assert len(set(questions)) == len(questions)
    assert set(np.unique(answers)) == {0.0, 1.0}
    assert ((answers.mean(axis=0) > 0.03) & (answers.mean(axis=0) < 0.97)).all()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 2**40))
def test_a_smaller_pretraining_set_is_the_start_of_a_larger_one(first: int, more: int, seed: int) -> None:
    small, large = pretraining_set(first, 32, seed), pretraining_set(first + more, 32, seed)
    assert np.array_equal(small[0], large[0][:first])
    assert np.array_equal(small[1], large[1][:first])
    assert small[2] == large[2]


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_pretraining_answers_describe_the_scene(seed: int) -> None:
    scenario = draw_scenario(np.random.default_rng(seed))
    answers = dict(zip(QUESTIONS, scenario.answers, strict=True))
    lines = [
        element
        for element in scenario.scene.elements
        if isinstance(element, Reflector) and len(element.path) == FALX_POINTS
    ]
    assert answers["midline"] == any(np.any(np.asarray(line.strength) > 0) for line in lines)
    assert sum(answer for question, answer in answers.items() if question.endswith("inclusion")) <= 1
    widths = [answer for question, answer in answers.items() if question.startswith("atrium over")]
    assert widths == sorted(widths, reverse=True)  # over 12 mm is over 9 mm as well


def test_pretraining_targets_do_not_depend_on_the_size() -> None:
    assert np.array_equal(pretraining_set(8, 32, 4)[1], pretraining_set(8, 64, 4)[1])


@pytest.mark.parametrize("wrong", [{"count": -1}, {"size": 8}, {"seed": -2}])
def test_wrong_pretraining_arguments_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        pretraining_set(**({"count": 2, "size": 32, "seed": 0} | wrong))
