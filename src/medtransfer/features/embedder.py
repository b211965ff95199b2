"""The frozen prefix of a network: run once per image and cached, or again each time if there is no space."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from medtransfer.data.images.packed import Pixels
from medtransfer.features.cache import FeatureCache
from medtransfer.features.cut import CannotCutError, NetworkCut, cut_network
from medtransfer.models.cuda_graphs import RecordedForward
from medtransfer.models.network import BATCH, Network, pad_batch, to_channels_first
from medtransfer.util.compute import Compute
from medtransfer.util.digests import module_digest
from medtransfer.util.disk_cache import LIMIT_VARIABLE, evict, fits, limit
from medtransfer.util.files import sha256_of_json
from medtransfer.util.places import cache_folder
from medtransfer.util.progress import one_ahead, one_behind

Rows = Callable[[np.ndarray], torch.Tensor]
"""Map item numbers [n] to activations at the cut, packed as uint8 [n, row_bytes]."""


class Embedder:
    """The activations of a network's frozen prefix for any images: the same bits cached or recomputed.

    key: the hash of everything but the pixels that determines the bits: the body's weights and structure, the
    normalisation, the cut, device, precision, threads, versions, and the code. rest: the network after the cut, from
    packed activations to logits. row_bytes: the size of one image's activations. keeps: whether they are cached.
    seconds: the time spent so far on computing those.
    """

    def __init__(self, network: Network, cut: NetworkCut, compute: Compute) -> None:
        self._cut, self._compute = cut, compute
        self.rest: nn.Module = cut.rest
        self.row_bytes = cut.row_bytes
        self._root = cache_folder() / "features"
        about = {"body": fingerprint(network), "cut": cut.name, **compute.describe()}
        self._about = about | {"code": module_digest("medtransfer.features.embedder")}
        self.key = sha256_of_json(self._about)
        self.seconds = 0.0
        self.keeps = True
        self._used: set[str] = set()
        self._recorded: RecordedForward | None = None

    def plan(self, images: int, notify: Callable[[str], None] = lambda _: None) -> None:
        """Decide whether to cache the activations of `images` images; notify if they are not."""
        needed = images * self.row_bytes
        self.keeps = fits(self._root, needed)
        if not self.keeps:
            notify(
                f"frozen layers are recomputed in each epoch: their activations need {needed / 1e9:.1f} GB, more than "
                f"{LIMIT_VARIABLE} ({limit() / 1e9:g}) or the disk allows"
            )

    def open(self, pixels: Pixels, items: np.ndarray) -> Rows:
        """Make sure that the rows of `items` can be read; return the function that reads any of them."""
        if not self.keeps:

            def recompute(wanted: np.ndarray) -> torch.Tensor:
                parts = [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]
                return torch.cat([self.activations(pixels.read(part)) for part in parts])

            return recompute
        about = {"pixels": pixels.sha256, "images": pixels.count, **self._about}
        name = sha256_of_json(about)[:32]
        cache = FeatureCache(self._root / name, about, pixels.count, self.row_bytes)
        self._used.add(name)
        if len(missing := cache.missing(items)):
            evict(self._root, len(missing) * self.row_bytes, self._used)
        started = time.perf_counter()
        rows = cache.rows(items, BATCH, lambda batches: self._each(pixels, batches))
        self.seconds += time.perf_counter() - started
        return lambda wanted: torch.from_numpy(rows[wanted])

    def activations(self, pixels: np.ndarray) -> torch.Tensor:
        """Compute the rows, uint8 [n, row_bytes], of packed pixels [n, size, size, channels], n at most 32."""
        inputs = pad_batch(to_channels_first(pixels)).to(self._compute.device)
        return self._prefix(inputs).cpu()[: len(pixels)]

    def _prefix(self, pixels: torch.Tensor) -> torch.Tensor:
        """Run the frozen prefix on 32 images; on a GPU the next call overwrites the rows."""
        with torch.inference_mode(), self._compute.autocast():
            if self._compute.device.type != "cuda":
                return self._cut.prefix(pixels)
            if self._recorded is None:
                self._recorded = RecordedForward(self._cut.prefix, pixels)
            return self._recorded(pixels)

    def _each(self, pixels: Pixels, batches: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the rows of each batch of items; a GPU computes the next ones meanwhile."""
        if self._compute.device.type != "cuda":
            yield from (self.activations(pixels.read(items)).numpy() for items in batches)
            return

        def load(items: np.ndarray) -> tuple[torch.Tensor, int]:
            return pad_batch(to_channels_first(pixels.read(items))).pin_memory(), len(items)

        for rows, copied in one_behind(self._launch(*loaded) for loaded in one_ahead(load, batches)):
            copied.synchronize()
            yield rows.numpy()

    def _launch(self, pixels: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.cuda.Event]:
        """Start computing and copying the rows of the first `count` images on a GPU; return an event for their end."""
        found = self._prefix(pixels.to(self._compute.device, non_blocking=True))[:count]
        rows = torch.empty(found.shape, dtype=found.dtype, pin_memory=True).copy_(found, non_blocking=True)
        copied = torch.cuda.Event()
        copied.record()
        return rows, copied

    def features(self, rows: torch.Tensor) -> torch.Tensor:
        """Convert rows of a wholly frozen body to its features, float32 [n, width]."""
        return self._cut.specs[0].unpack(rows).float()


def embedder_of(
    network: Network, image_size: int, compute: Compute, notify: Callable[[str], None] = lambda _: None
) -> Embedder | None:
    """Build the embedder of a network on its device; return None if nothing is frozen, or worth caching.

    `notify` is called with the reason if frozen layers are recomputed in each epoch.
    """
    try:
        with compute.autocast():
            cut = cut_network(network, image_size)
    except CannotCutError as reason:
        notify(f"frozen layers are recomputed in each epoch: {reason}")
        return None
    if cut is not None:
        return Embedder(network, cut, compute)
    if network.frozen:
        notify("frozen layers are recomputed in each epoch: reading their activations from disk would take longer")
    return None


def fingerprint(network: Network) -> str:
    """Hash the frozen layers of a network: their structure, input and weights."""
    body = network.body
    options = [network.normalise.mean.flatten().tolist(), network.normalise.std.flatten().tolist()]
    total = hashlib.sha256(f"{_structure(body)}{options}{getattr(body, 'transform_input', False)}".encode())
    if network.weights_sha256 is not None:
        total.update(network.weights_sha256.encode())
        return total.hexdigest()
    for name, tensor in sorted(body.state_dict(keep_vars=True).items()):
        if not tensor.requires_grad:
            total.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
            total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


@lru_cache(maxsize=1)  # the runs of a variant share their body
def _structure(body: nn.Module) -> str:
    return str(body)
