"""A network's frozen prefix, run once for each image and kept, or run again where keeping is not worth its bytes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from medtransfer.data.images.packed import Pixels
from medtransfer.features.cache import LIMIT_VARIABLE, Shelf, fits, limit, make_room
from medtransfer.features.cut import Division, divide
from medtransfer.features.graph import NotDivisibleError
from medtransfer.models.cuda_graphs import RecordedForward
from medtransfer.models.network import BATCH, Network, pad_batch, to_channels_first
from medtransfer.util.compute import Compute
from medtransfer.util.digests import module_digest
from medtransfer.util.files import sha256_of_json
from medtransfer.util.places import state_folder
from medtransfer.util.progress import one_ahead, one_behind

Rows = Callable[[np.ndarray], torch.Tensor]
"""Item numbers [n] to activations at the border, packed as uint8 [n, row_bytes]."""


class Embedder:
    """Gives the activations at a network's border for any images: the same bits kept or computed again.

    key: the hash of everything but the pixels that decides the bits: the body's weights and structure, the
    normalisation, the border, device, precision, threads, versions, and the code. keeps: whether activations are
    kept. seconds: what computing those has taken so far.
    """

    def __init__(self, network: Network, division: Division, compute: Compute) -> None:
        self._division, self._compute = division, compute
        self._root = state_folder() / "features"
        about = {"body": fingerprint(network), "border": division.name, **compute.describe()}
        self._about = about | {"code": module_digest("medtransfer.features.embedder")}
        self.key = sha256_of_json(self._about)
        self.seconds = 0.0
        self.keeps = True
        self._used: set[str] = set()
        self._recorded: RecordedForward | None = None

    @property
    def rest(self) -> nn.Module:
        """The network behind the border: packed activations to logits."""
        return self._division.rest

    @property
    def row_bytes(self) -> int:
        """The size of an image's activations."""
        return self._division.row_bytes

    def plan(self, images: int, tell: Callable[[str], None] = lambda _: None) -> None:
        """Decide whether the activations of so many images are kept; `tell` hears where they are not."""
        needed = images * self.row_bytes
        self.keeps = fits(self._root, needed)
        if not self.keeps:
            tell(
                f"what the frozen layers compute would take {needed / 1e9:.1f} GB, more than {LIMIT_VARIABLE} "
                f"({limit() / 1e9:g}) or the disk allows; they run again in each epoch"
            )

    def open(self, pixels: Pixels, items: np.ndarray) -> Rows:
        """Make the rows of `items` ready; give the function that reads any of them."""
        if not self.keeps:
            return lambda wanted: self._recompute(pixels, wanted)
        about = {"pixels": pixels.sha256, "images": pixels.count, **self._about}
        name = sha256_of_json(about)[:32]
        shelf = Shelf(self._root / name, about, pixels.count, self.row_bytes)
        self._used.add(name)
        if len(missing := shelf.missing(items)):
            make_room(self._root, len(missing) * self.row_bytes, self._used)
        started = time.perf_counter()
        rows = shelf.rows(items, BATCH, lambda batches: self._in_turn(pixels, batches))
        self.seconds += time.perf_counter() - started
        return lambda wanted: torch.from_numpy(rows[wanted])

    def activations(self, pixels: np.ndarray) -> torch.Tensor:
        """Compute the rows, uint8 [n, row_bytes], of packed pixels [n, size, size, channels], n at most 32."""
        inputs = pad_batch(to_channels_first(pixels)).to(self._compute.device)
        return self._prefix(inputs).cpu()[: len(pixels)]

    def _prefix(self, pixels: torch.Tensor) -> torch.Tensor:
        """Run the frozen prefix on 32 images; on a graphics card the next call writes over the rows."""
        with torch.inference_mode(), self._compute.autocast():
            if self._compute.device.type != "cuda":
                return self._division.prefix(pixels)
            if self._recorded is None:
                self._recorded = RecordedForward(self._division.prefix, pixels)
            return self._recorded(pixels)

    def _in_turn(self, pixels: Pixels, batches: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """Give the rows of each batch of items; a graphics card computes the next ones meanwhile."""
        if self._compute.device.type != "cuda":
            yield from (self.activations(pixels.read(items)).numpy() for items in batches)
            return

        def load(items: np.ndarray) -> tuple[torch.Tensor, int]:
            return pad_batch(to_channels_first(pixels.read(items))).pin_memory(), len(items)

        for rows, copied in one_behind(self._launch(*loaded) for loaded in one_ahead(load, batches)):
            copied.synchronize()
            yield rows.numpy()

    def _launch(self, pixels: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.cuda.Event]:
        """Have a graphics card compute and copy the rows of the first images; the event says when they are there."""
        found = self._prefix(pixels.to(self._compute.device, non_blocking=True))[:count]
        rows = torch.empty(found.shape, dtype=found.dtype, pin_memory=True).copy_(found, non_blocking=True)
        copied = torch.cuda.Event()
        copied.record()
        return rows, copied

    def features(self, rows: torch.Tensor) -> torch.Tensor:
        """Turn rows of a wholly frozen body into its features, float32 [n, width]."""
        return self._division.border[0].unpack(rows).float()

    def _recompute(self, pixels: Pixels, items: np.ndarray) -> torch.Tensor:
        starts = range(0, len(items), BATCH)
        return torch.cat([self.activations(pixels.read(items[start : start + BATCH])) for start in starts])


def embedder_of(
    network: Network, image_size: int, compute: Compute, tell: Callable[[str], None] = lambda _: None
) -> Embedder | None:
    """Make the embedder of a network on its device; None where nothing is frozen, or nothing worth keeping.

    `tell` hears why frozen layers run again in each epoch.
    """
    try:
        with compute.autocast():
            division = divide(network, image_size)
    except NotDivisibleError as reason:
        tell(f"the frozen layers run again in each epoch: {reason}")
        return None
    if division is not None:
        return Embedder(network, division, compute)
    if network.frozen:
        tell("the frozen layers run again in each epoch: reading back what they give would take longer")
    return None


def fingerprint(network: Network) -> str:
    """Hash what a network's frozen layers are: their structure, input and weights."""
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
