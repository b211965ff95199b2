"""Bootstrap resamples of the test set by groups.

One draw serves all variants and metrics, so that differences between variants are paired (Efron and Tibshirani 1993).
Groups are resampled because images of a patient are not independent (Field and Welsh 2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BLOCK = 2048
"""The number of resamples that are processed together; arrays of images x resamples have to fit in memory."""


@dataclass(frozen=True, eq=False)
class Resamples:
    """The count of each group of the test set in each resample.

    group: int [images], the number of each image's group. counts: [resamples, groups], whole numbers as floats, whose
    precision is that of all results.
    """

    group: np.ndarray
    counts: np.ndarray

    @property
    def groups(self) -> int:
        """The number of groups."""
        return int(self.counts.shape[1])

    @cached_property
    def blocks(self) -> list[np.ndarray]:
        """The counts [groups, resamples] in blocks of resamples, as the smallest integers that can count all images."""
        whole = np.result_type(np.uint16, np.min_scalar_type(int(self.images.max())))
        starts = range(0, len(self.counts), BLOCK)
        return [np.ascontiguousarray(self.counts[start : start + BLOCK].T, whole) for start in starts]

    @cached_property
    def images(self) -> np.ndarray:
        """The number of images in each resample: [resamples, 1]."""
        return self.totals(np.ones((len(self.group), 1), np.float32))

    def totals(self, values: np.ndarray) -> np.ndarray:
        """Sum values [images, columns] over the images of each resample: [resamples, columns]."""
        return self.counts @ (self._members @ values.astype(self.counts.dtype))

    def means(self, values: np.ndarray) -> np.ndarray:
        """Average values [images, columns] over the images of each resample: [resamples, columns]."""
        return self.totals(values) / self.images

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Average values [images], nan where not defined, over the images of each resample: [resamples]."""
        return self.means_of_known(values[:, None])[:, 0]

    def means_of_known(self, values: np.ndarray) -> np.ndarray:
        """Average values [images, columns] without nan over the images of each resample; nan if it has none."""
        known = np.isfinite(values)
        if known.all():
            return self.means(values)
        with np.errstate(invalid="ignore"):
            return self.totals(np.where(known, values, 0.0)) / self.totals(known)

    def counter(self, images: np.ndarray, ends: np.ndarray) -> csr_array:
        """Return the matrix [places, groups] that, times a block, counts the images of each place.

        images: the numbers of the images, ordered by place. ends: [places], the position at which each place ends.
        """
        from scipy.sparse import csr_array

        ones = np.ones(len(images), self.blocks[0].dtype)
        bounds = np.concatenate([[0], ends])
        return csr_array((ones, self.group[images], bounds), shape=(len(ends), self.groups))

    def tally(self, place: np.ndarray, places: int) -> np.ndarray:
        """Count the images of each place in each resample: int [resamples, places].

        place: [images], from 0; images with `places` or more are not counted.
        """
        images = np.argsort(place, kind="stable")
        counter = self.counter(images, np.searchsorted(place[images], np.arange(places), "right"))
        return np.concatenate([counter @ block for block in self.blocks], axis=1).T

    @cached_property
    def _members(self) -> csr_array:
        """The membership of images [columns] in groups [rows]."""
        from scipy.sparse import csr_array

        images = np.arange(len(self.group))
        ones = np.ones(len(images), self.counts.dtype)
        return csr_array((ones, (self.group, images)), shape=(self.groups, len(images)))


def the_sample(groups: np.ndarray) -> Resamples:
    """Return the test set as its own only resample, in double precision; `groups`: a name for each image."""
    group, number = _numbered(groups)
    return Resamples(group, np.ones((1, number)))


def draw(groups: np.ndarray, resamples: int, rng: np.random.Generator) -> Resamples:
    """Draw resamples of as many groups as there are, with replacement; `groups`: a name for each image.

    Single precision is exact for counts of up to 16 million images, and twice as fast.
    """
    group, number = _numbered(groups)
    drawn = rng.multinomial(number, np.full(number, 1 / number), size=resamples)
    return Resamples(group, drawn.astype(np.float32))


def leave_each_out(groups: np.ndarray) -> Resamples:
    """Return one resample for each group, which has all others, in double precision; see `intervals.jackknife`."""
    group, number = _numbered(groups)
    return Resamples(group, 1 - np.eye(number))


def _numbered(groups: np.ndarray) -> tuple[np.ndarray, int]:
    names, group = np.unique(groups, return_inverse=True)
    return group, len(names)
