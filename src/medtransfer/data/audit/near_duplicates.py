"""Near duplicates: pairs of images that show one image, rotated, mirrored, cropped, rescaled, brightened or re-encoded.

Local features are compared, not whole images, because a hash of the whole does not survive a rotation or a crop.
RootSIFT (Lowe 2004; Arandjelović and Zisserman 2012) describes each image, VLAD (Jégou et al. 2010) summarises
it in one vector, whose nearest neighbours are the candidates; a candidate is a near duplicate if many keypoints
agree on one affine map (RANSAC, Fischler and Bolles 1981). No network and no weights are needed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import cv2
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from medtransfer.data.images.packed import Images
from medtransfer.util.places import state_folder
from medtransfer.util.progress import in_threads

SIZE, KEYPOINTS, CONTRAST = 128, 100, 0.02
WORDS, WORD_SAMPLE, DIMENSIONS, DIMENSION_SAMPLE = 64, 8000, 256, 1000
CANDIDATES = 5
BLOCK, MOST_SIMILARITIES = 256, 1 << 24
"""Vectors that are compared with all others at once, and the most similarities of them, which are in memory."""

LEAST_INLIERS = 35
"""Of about 100 keypoints. Two heads, or two chests, of different patients agree on at most 20, except one in 1,000."""

REPROJECTION = 2.0
"""Largest distance of a keypoint from its place, in pixels at the size of 128."""

LARGEST_SCALE = 3.0
"""Largest change of area between the two images; more is not detected at this size."""

KEYPOINT_BYTES = 2 * 4 + 128

_MIRROR = np.arange(128).reshape(4, 4, 8)[::-1, :, -np.arange(8) % 8].reshape(128)
"""The place of each number of a descriptor in that of the mirrored image: rows and directions are reversed."""


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Places [k, 2] in pixels at SIZE, and their SIFT descriptors, uint8 [k, 128]."""

    places: np.ndarray
    descriptors: np.ndarray

    def rooted(self, mirrored: bool = False) -> np.ndarray:
        """Return the RootSIFT descriptors float32 [k, 128] of the image or of its mirror image."""
        found = self.descriptors[:, _MIRROR] if mirrored else self.descriptors
        sums = np.maximum(found.sum(axis=1, keepdims=True, dtype=np.float32), 1e-9)
        return np.sqrt(found / sums, dtype=np.float32)


class StoredKeypoints:
    """The keypoints of many images in a file, of which only their places in the file are in memory.

    Those of 112,120 images are 1.5 GB. Threads may share it: reading leaves the position of the file unchanged.
    """

    def __init__(self, keypoints: Iterable[Keypoints], file: BinaryIO) -> None:
        ends = [0]
        for each in keypoints:
            file.write(each.places.tobytes() + each.descriptors.tobytes())
            ends.append(ends[-1] + len(each.places))
        file.flush()
        self._file, self._ends = file, np.array(ends)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> Keypoints:
        start, stop = map(int, self._ends[number : number + 2])
        found = os.pread(self._file.fileno(), (stop - start) * KEYPOINT_BYTES, start * KEYPOINT_BYTES)
        places = np.frombuffer(found, np.float32, (stop - start) * 2)
        descriptors = np.frombuffer(found, np.uint8, offset=places.nbytes)
        return Keypoints(places.reshape(-1, 2), descriptors.reshape(-1, 128))


def near_duplicate_pairs(images: Images, same: Sequence[object]) -> pd.DataFrame:
    """Find the near duplicates among packed images uint8 [n, size, size, channels].

    `same` has equal values for exact duplicates: only one of each set is compared. Returns one row per pair:
    first and second (row numbers, first < second), mirrored, and inliers, how many keypoints agree; in the
    order of the rows.
    """
    rows = np.sort(pd.Series(np.arange(len(images)), index=list(same)).groupby(level=0, sort=False).first())
    pairs: list[tuple[int, int, bool, int]] = []
    if len(rows) > 1:
        state_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=state_folder()) as file:
            with threadpool_limits(1):  # products of few rows: on a busy machine, threads would wait for each other
                keypoints = StoredKeypoints(_describe(images, rows), file)
                summaries = _summaries(keypoints)
            candidates = _candidates(*summaries)
            numbers = range(len(candidates))
            with threadpool_limits(1):
                found = list(
                    in_threads(lambda one: _inliers(keypoints, *candidates[one]), numbers, "near duplicates", "pair")
                )
            pairs = [
                (int(rows[one]), int(rows[other]), bool(mirror), inliers)
                for (one, other, mirror), inliers in zip(candidates, found, strict=True)
                if inliers >= LEAST_INLIERS
            ]
    return pd.DataFrame(pairs, columns=["first", "second", "mirrored", "inliers"])


def keypoints_of(pixels: np.ndarray) -> Keypoints:
    """Describe one packed image uint8 [size, size, channels]."""
    grey = pixels[..., 0] if pixels.shape[-1] == 1 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    smaller = cv2.INTER_AREA if len(grey) > SIZE else cv2.INTER_LINEAR
    grey = cv2.resize(np.ascontiguousarray(grey), (SIZE, SIZE), interpolation=smaller)
    sift = cv2.SIFT.create(nfeatures=KEYPOINTS, contrastThreshold=CONTRAST)
    found, descriptors = sift.detectAndCompute(grey, None)
    if not found:
        return Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    found, descriptors = found[:KEYPOINTS], descriptors[:KEYPOINTS]  # ties may add more
    return Keypoints(np.array([point.pt for point in found], np.float32), descriptors.astype(np.uint8))


def _describe(images: Images, rows: np.ndarray) -> Iterator[Keypoints]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the images are shared among the cores
    try:
        yield from in_threads(lambda row: keypoints_of(images[row]), rows.tolist(), "keypoints", "image")
    finally:
        cv2.setNumThreads(threads)


def _summaries(keypoints: StoredKeypoints) -> tuple[np.ndarray, np.ndarray]:
    """Return VLAD vectors [n, d] of unit length of the images and of their mirror images, on the same axes."""
    rng = np.random.default_rng(0)
    sample = rng.permutation(len(keypoints))[:DIMENSION_SAMPLE]
    described = np.concatenate([keypoints[number].rooted() for number in sample])
    described = rng.permutation(described)[:WORD_SAMPLE]
    if len(described) < WORDS:
        empty = np.zeros((len(keypoints), 1), np.float32)
        return empty, empty
    words = _words(described)
    axes = _axes(np.stack([_vlad(keypoints[number].rooted(), words) for number in sample]))
    plain, mirrored = np.empty((2, len(keypoints), axes.shape[1]), np.float32)
    for number in range(len(keypoints)):
        for mirror, vectors in enumerate((plain, mirrored)):
            vectors[number] = _unit(_vlad(keypoints[number].rooted(bool(mirror)), words) @ axes)
    return plain, mirrored


def _words(described: np.ndarray) -> np.ndarray:
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1e-4)
    _, _, centres = cv2.kmeans(described, WORDS, None, criteria, 1, cv2.KMEANS_PP_CENTERS)
    return np.asarray(centres)


def _vlad(descriptors: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Sum the differences of the descriptors from their nearest words, [words * 128], each sum of unit length."""
    distance = (words**2).sum(axis=1) - 2 * descriptors @ words.T
    member = np.zeros((len(words), len(descriptors)), np.float32)
    member[distance.argmin(axis=1), np.arange(len(descriptors))] = 1
    sums = member @ descriptors - member.sum(axis=1, keepdims=True) * words
    return _unit(_unit(sums).reshape(1, -1))[0]


def _axes(vectors: np.ndarray) -> np.ndarray:
    """Return the principal axes [d, at most DIMENSIONS] of vectors [n, d], by the Gram matrix because n is small."""
    values, weights = np.linalg.eigh(vectors @ vectors.T)
    kept = np.argsort(-values)[:DIMENSIONS]
    kept = kept[values[kept] > 1e-6 * values[kept[0]]]
    return np.asarray(vectors.T @ weights[:, kept] / np.sqrt(values[kept]))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


def _candidates(plain: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """Return the pairs to be verified [pairs, 3]: two numbers of images, the smaller first, and whether mirrored."""
    count = len(plain)
    codes = np.concatenate([_nearest(plain, plain) * 2, _nearest(plain, mirrored) * 2 + 1])
    pairs, mirror = np.divmod(np.unique(codes), 2)
    return np.stack([pairs // count, pairs % count, mirror], axis=1)


def _nearest(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return each vector's nearest among the others, as pairs: smaller number x vectors + larger number."""
    count, size = len(vectors), min(CANDIDATES, len(vectors) - 1)
    block = max(1, min(BLOCK, MOST_SIMILARITIES // count))
    found = []
    for start in range(0, count, block):
        distance = vectors[start : start + block] @ others.T
        np.negative(distance, out=distance)
        own = np.arange(start, start + len(distance))
        distance[own - start, own] = 2.0
        nearest = np.argpartition(distance, size - 1, axis=1)[:, :size]
        found.append((np.minimum(nearest, own[:, None]) * count + np.maximum(nearest, own[:, None])).ravel())
    return np.concatenate(found)


def _inliers(keypoints: StoredKeypoints, first: int, second: int, mirrored: bool) -> int:
    """Count the keypoints that agree on one affine map; 0 if no map of two copies of one image looks like it."""
    one, other = keypoints[first], keypoints[second]
    if min(len(one.places), len(other.places)) < LEAST_INLIERS:
        return 0
    source, target = _mutual_matches(one.rooted(mirrored), other.rooted())
    if len(source) < LEAST_INLIERS:
        return 0
    affine, agree = cv2.estimateAffine2D(
        one.places[source], other.places[target], method=cv2.RANSAC, ransacReprojThreshold=REPROJECTION, maxIters=500
    )
    if affine is None:
        return 0
    area = float(np.linalg.det(affine[:, :2])) * (-1 if mirrored else 1)
    return int(agree.sum()) if 1 / LARGEST_SCALE < area < LARGEST_SCALE else 0


def _mutual_matches(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the descriptors (unit vectors) that are each other's nearest."""
    similarity = one @ other.T
    nearest = similarity.argmax(axis=1)
    mutual = np.flatnonzero(similarity.argmax(axis=0)[nearest] == np.arange(len(one)))
    return mutual, nearest[mutual]
