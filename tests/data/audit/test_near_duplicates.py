"""Near duplicates: copies whose making is known, images that are no copies, and real sets whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from fetal_phantom import write_phantom
from medtransfer.data.audit import near_duplicates
from medtransfer.data.audit.near_duplicates import near_duplicate_pairs
from medtransfer.data.groups import join_groups

SIZE = 160


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Return one simulated image of each of 30 patients, uint8 [30, size, size, 1]."""
    folder = tmp_path_factory.mktemp("heads") / "raw"
    write_phantom(folder, patients=30, frames=1, size=SIZE, difficulty=0.5, split_by="patient", seed=3)
    files = sorted(path for split in ("train", "valid", "test") for path in (folder / split).glob("*.png"))
    return np.stack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in files])[..., None]


def rotated(image: np.ndarray, degrees: float = 12, scale: float = 1.0) -> np.ndarray:
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), degrees, scale)
    return cv2.warpAffine(image, turn, (SIZE, SIZE))


def encoded(image: np.ndarray) -> np.ndarray:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 50])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rotated": rotated,
    "turned by 90 degrees": lambda image: np.rot90(image).copy(),
    "mirrored": lambda image: image[:, ::-1].copy(),
    "upside down": lambda image: image[::-1].copy(),
    "mirrored and rotated": lambda image: rotated(image[:, ::-1].copy()),
    "cropped": lambda image: cv2.resize(image[16:-16, 16:-16], (SIZE, SIZE)),
    "brighter": lambda image: np.clip(image.astype(int) * 1.2 + 20, 0, 255).astype(np.uint8),
    "encoded again": encoded,
    "rescaled": lambda image: cv2.resize(cv2.resize(image, (112, 112)), (SIZE, SIZE)),
}


@pytest.mark.parametrize("change", COPIES)
def test_only_copies_are_found(heads: np.ndarray, change: str) -> None:
    count = 12
    copies = np.stack([COPIES[change](image[..., 0])[..., None] for image in heads[:count]])
    images = np.concatenate([heads, copies])
    pairs = near_duplicate_pairs(images, range(len(images)))
    expected = {(number, len(heads) + number) for number in range(count)}
    found = set(zip(pairs["first"], pairs["second"], strict=True))
    assert found <= expected
    assert len(found) >= 0.9 * count
    assert set(pairs["mirrored"]) <= {change in ("mirrored", "upside down", "mirrored and rotated")}


def test_images_of_different_patients_are_not_duplicates(heads: np.ndarray) -> None:
    assert near_duplicate_pairs(heads, range(len(heads))).empty


def test_only_one_of_each_set_of_exact_duplicates_is_compared(heads: np.ndarray) -> None:
    images = np.concatenate([heads[:10], heads[:2], rotated(heads[0, ..., 0])[None, ..., None]])
    same = [*range(10), 0, 1, "rotated"]
    pairs = near_duplicate_pairs(images, same)
    assert pairs[["first", "second"]].to_numpy().tolist() == [[0, 12]]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_or_blank_images_have_no_pairs(count: int) -> None:
    assert near_duplicate_pairs(np.zeros((count, 32, 32, 3), np.uint8), range(count)).empty


def test_the_result_is_the_same_twice_also_if_fewer_are_compared_at_once(
    heads: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.concatenate([heads, heads[:, :, ::-1]])
    first = near_duplicate_pairs(images, range(len(images)))
    monkeypatch.setattr(near_duplicates, "MOST_SIMILARITIES", 7 * len(images))
    pd.testing.assert_frame_equal(first, near_duplicate_pairs(images, range(len(images))))


def test_images_are_compared_in_parallel_by_calls_of_one_thread(
    heads: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calls are small: on a busy machine, threads of their own took six times the processor time."""
    threads: set[int] = set()
    compare = near_duplicates._mutual_matches

    def observed(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        threads.update(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")
        return compare(one, other)

    monkeypatch.setattr(near_duplicates, "_mutual_matches", observed)
    with threadpool_limits(2):
        near_duplicate_pairs(heads, range(len(heads)))
        assert threads == {1}
        assert {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"} != {1}


def test_stored_keypoints_are_those_of_each_image(heads: np.ndarray, tmp_path: Path) -> None:
    images = [*heads[:3], np.zeros_like(heads[0]), heads[3]]  # without any on a blank image
    with (tmp_path / "keypoints").open("w+b") as file:
        stored = near_duplicates.StoredKeypoints(map(near_duplicates.keypoints_of, images), file)
        assert len(stored) == len(images)
        for number in (4, 3, 0):
            alone = near_duplicates.keypoints_of(images[number])
            np.testing.assert_array_equal(stored[number].places, alone.places)
            np.testing.assert_array_equal(stored[number].descriptors, alone.descriptors)


def test_groups_that_share_a_pair_are_joined_along_chains() -> None:
    keys = pd.Series(list("abcdde"))
    pairs = pd.DataFrame({"first": [0, 2], "second": [2, 4]})
    assert join_groups(keys, pairs).tolist() == ["a", "b", "a", "a", "a", "e"]
    assert join_groups(keys, pairs[:0]).tolist() == list("abcdde")


def test_copies_of_one_source_are_found_in_a_real_set_without_its_names(shared: Path) -> None:
    truth = pd.read_csv(shared / "data" / "fetal_head_groups.csv")
    names = (truth["split"] + "/" + truth["filename"]).tolist()
    greys = [cv2.imread(str(shared / "data" / "fetal_head" / name), cv2.IMREAD_GRAYSCALE) for name in names]
    images = np.stack([cv2.resize(grey, (224, 224), interpolation=cv2.INTER_AREA) for grey in greys])[..., None]
    pairs = near_duplicate_pairs(images, range(len(images)))
    source = truth["group_near_dup_merged"].to_numpy()
    wrong = source[pairs["first"].to_numpy()] != source[pairs["second"].to_numpy()]
    group = join_groups(pd.Series([str(number) for number in range(len(truth))]), pairs)
    train = (truth["split"] == "train").to_numpy()
    flagged = group[~train].isin(group[train])
    assert wrong.mean() <= 0.05
    assert flagged.mean() >= 0.88
