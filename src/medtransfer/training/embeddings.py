"""What a frozen body computes for an image view is computed once, kept, and shared by every variant."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from filelock import FileLock

from medtransfer.backbones.network import Network, to_channels_first
from medtransfer.compute import Compute
from medtransfer.dataset.prepared import Prepared
from medtransfer.files import atomic_file, write_json
from medtransfer.progress import progress
from medtransfer.training.examples import Batch
from medtransfer.training.prediction import BATCH, pad_batch

if TYPE_CHECKING:
    from medtransfer.augmentation.store import StoredViews

FLUSH_EVERY = 32


class FeatureStore:
    """Features of the items of one packed array under one frozen body, on disk, filled as they are asked for.

    The folder's name is the hash of everything that decides the numbers: the pixels, the body's tensors and
    structure, the normalisation, precision, device and torch version. Rows are marked as done after they are
    flushed, so that a killed process loses at most the rows since the last flush, and two processes that
    want the same features wait for each other rather than compute them twice.
    """

    def __init__(self, root: Path, network: Network, pixels_sha256: str, items: int, compute: Compute) -> None:
        key = {"pixels": pixels_sha256, "items": items, "body": body_hash(network), **compute.describe()}
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
        self._folder, self._network, self._compute = root / "features" / name, network, compute
        self._folder.mkdir(parents=True, exist_ok=True)
        self._items = items
        write_json(self._folder / "key.json", key)

    def get(self, wanted: np.ndarray, pixels_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Give the features float32 [len(wanted), width] of the items at `wanted`.

        `pixels_of` gives the packed pixels uint8 [n, size, size, channels] of items that are still missing.
        """
        with FileLock(self._folder / "lock"):
            done = self._open("done.npy", np.bool_, (self._items,))
            missing = np.unique(wanted[~done[wanted]])
            if len(missing):
                self._fill(missing, done, pixels_of)
        features = np.load(self._folder / "features.npy", mmap_mode="r")
        return np.asarray(features[wanted])

    def _fill(self, missing: np.ndarray, done: np.memmap, pixels_of: Callable[[np.ndarray], np.ndarray]) -> None:
        features: np.memmap | None = None
        pending: list[np.ndarray] = []
        with progress(total=len(missing), desc="features", unit="view") as bar:
            for start in range(0, len(missing), BATCH):
                items = missing[start : start + BATCH]
                computed = compute_features(self._network, pixels_of(items), self._compute)
                if features is None:
                    features = self._open("features.npy", np.float32, (self._items, computed.shape[1]))
                features[items] = computed
                pending.append(items)
                bar.update(len(items))
                if len(pending) == FLUSH_EVERY or start + BATCH >= len(missing):
                    features.flush()
                    done[np.concatenate(pending)] = True
                    done.flush()
                    pending.clear()

    def _open(self, name: str, kind: type, shape: tuple[int, ...]) -> np.memmap:
        path = self._folder / name
        if not path.exists():
            with atomic_file(path) as temporary:
                np.lib.format.open_memmap(temporary, "w+", kind, shape).flush()
        return np.load(path, mmap_mode="r+")


def compute_features(network: Network, pixels: np.ndarray, compute: Compute) -> np.ndarray:
    """Run the body on packed pixels [n, size, size, channels], n at most 32; give float32 [n, width]."""
    with torch.inference_mode(), compute.autocast():
        features = network.features(pad_batch(to_channels_first(pixels)).to(compute.device))
    return features.float().cpu().numpy()[: len(pixels)]


def body_hash(network: Network) -> str:
    """Hash the structure and every tensor of a network's normalisation and body."""
    total = hashlib.sha256(f"{network.normalise}{network.body}".encode())
    for part in (network.normalise, network.body):
        for name, tensor in sorted(part.state_dict().items()):
            total.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
            total.update(tensor.detach().cpu().numpy().tobytes())
    return total.hexdigest()


class FeatureViews:
    """Features of kept augmented views of training rows, with the views' labels: see `Examples`."""

    def __init__(self, views: StoredViews, rows: np.ndarray, store: FeatureStore) -> None:
        self._views, self._rows, self._store = views, rows, store
        count = views.count or 1
        items = views.items(np.repeat(rows, count), np.tile(np.arange(count), len(rows)))
        features = store.get(items, views.item_pixels)
        self._features = torch.from_numpy(features).view(len(rows), count, -1)

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        """Give the features of the view that `epoch` trains on."""
        view = self._views.view_of(epoch)
        labels = self._views.labels(self._rows[positions], view)
        return Batch(self._features[positions, view], torch.from_numpy(labels))

    def all_views(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the features [rows x views, width] and class numbers [rows x views] of every kept view."""
        count = self._features.shape[1]
        labels = torch.from_numpy(self._views.labels(self._rows, 0)).argmax(dim=1)
        return self._features.flatten(0, 1), labels.repeat_interleave(count)


class FeatureImages:
    """Features of prepared images as they are, with hard labels: see `Examples`."""

    def __init__(self, prepared: Prepared, rows: np.ndarray, store: FeatureStore) -> None:
        self._features = torch.from_numpy(store.get(rows, lambda items: prepared.images[items]))
        labels = prepared.table["label_index"].to_numpy()[rows]
        self._labels = torch.from_numpy(np.eye(len(prepared.classes), dtype=np.float32)[labels])

    def __len__(self) -> int:
        return len(self._labels)

    def batch(self, positions: np.ndarray, epoch: int) -> Batch:
        """Give the features and one-hot labels of the rows at `positions`."""
        return Batch(self._features[positions], self._labels[positions])
