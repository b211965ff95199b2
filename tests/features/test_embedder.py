"""Activations of frozen layers, cached or recomputed: the same bits, under a key of everything that decides them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import COMPUTE, assembled

from medtransfer.data.images.packed import Pixels
from medtransfer.features import cut
from medtransfer.features.embedder import Embedder, embedder_of
from medtransfer.models.network import Network
from medtransfer.util.compute import Compute
from medtransfer.util.disk_cache import LIMIT_VARIABLE

SIZE, COUNT = 64, 70


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path / ".medtransfer" / "features"


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 1), np.uint8)


def pixels_of(images: np.ndarray, read: Callable[[np.ndarray], None] = lambda _: None) -> Pixels:
    def reader(items: np.ndarray) -> np.ndarray:
        read(items)
        return images[items]

    return Pixels("the images", len(images), SIZE * SIZE, reader)


def logits_of(network: Network, images: np.ndarray) -> torch.Tensor:
    return network(torch.from_numpy(images).permute(0, 3, 1, 2).to(COMPUTE.device)).cpu()


def network_of(train: Any = "head", name: str = "mobilenet_v3_small") -> Network:
    return assembled(name, "linear", SIZE, train)


def embedder(network: Network, compute: Compute = COMPUTE) -> Embedder:
    found = embedder_of(network, SIZE, compute)
    assert found is not None
    return found


@pytest.mark.parametrize("train", ["head", {"last": 3}])
def test_cached_and_recomputed_rows_are_the_same_bits_in_any_batch(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch, train: Any
) -> None:
    network, every = network_of(train), np.arange(COUNT)
    kept = embedder(network).open(pixels_of(images), every)
    monkeypatch.setenv(LIMIT_VARIABLE, "0")
    said: list[str] = []
    recomputing = embedder(network)
    recomputing.plan(COUNT, said.append)
    assert "recomputed in each epoch" in said[0]
    again = recomputing.open(pixels_of(images), every)
    for wanted in (every, np.array([69]), np.array([5, 5, 33, 2]), np.arange(31, 65)):
        assert torch.equal(kept(wanted), again(wanted))


def test_the_rest_of_the_network_computes_its_logits(images: np.ndarray) -> None:
    network = network_of({"last": 3})
    one = embedder(network)
    rows = one.open(pixels_of(images), np.arange(32))(np.arange(32))
    with torch.inference_mode():
        assert torch.equal(
            one.rest(rows.to(COMPUTE.device)).cpu(),
            network(torch.from_numpy(images[:32]).permute(0, 3, 1, 2).to(COMPUTE.device)).cpu(),
        )


def test_nothing_is_read_or_computed_twice(images: np.ndarray) -> None:
    read: list[int] = []
    for items in (np.arange(40), np.arange(COUNT)):
        embedder(network_of()).open(pixels_of(images, lambda found: read.extend(found.tolist())), items)
    assert sorted(read) == list(range(COUNT))


def test_heads_and_trained_last_layers_share_cached_features() -> None:
    assert embedder(network_of("head")).key == embedder(network_of("none")).key
    assert embedder(network_of({"last": 3})).key == embedder(network_of({"last": 3})).key


def test_everything_that_decides_the_bits_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [
        embedder(network_of()).key,
        embedder(network_of(name="resnet18")).key,
        embedder(network_of({"last": 3})).key,
        embedder(network_of({"last": 9})).key,
        embedder(network_of(), replace(COMPUTE, precision="bfloat16")).key,
    ]
    other = network_of()
    other.normalise.mean += 0.1
    keys.append(embedder(other).key)
    moved = network_of()
    next(moved.body.buffers())[0] += 1e-6
    keys.append(embedder(moved).key)
    from_file = network_of()
    from_file.weights_sha256 = "0" * 64
    keys.append(embedder(from_file).key)
    monkeypatch.setattr("medtransfer.features.embedder.module_digest", lambda *_: "other code")
    keys.append(embedder(network_of()).key)
    if COMPUTE.device.type == "cpu":
        monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
        keys.append(embedder(network_of()).key)
    assert len(set(keys)) == len(keys)


def test_other_pixels_have_their_own_rows(images: np.ndarray, state: Path) -> None:
    one, every = embedder(network_of()), np.arange(COUNT)
    rows = one.open(pixels_of(images), every)(every)
    mirrored = Pixels("mirrored", COUNT, SIZE * SIZE, lambda items: images[items, :, ::-1])
    assert not torch.equal(one.open(mirrored, every)(every), rows)
    assert len([path for path in state.iterdir() if path.is_dir()]) == 2


def test_a_network_that_trains_as_a_whole_has_no_embedder() -> None:
    said: list[str] = []
    assert embedder_of(network_of("all"), SIZE, COMPUTE, said.append) is None
    assert not said


def test_a_prefix_not_worth_caching_is_notified_in_one_line() -> None:
    said: list[str] = []
    assert embedder_of(network_of({"last": 3}, "cnn_small"), SIZE, COMPUTE, said.append) is None
    assert len(said) == 1
    assert "reading their activations" in said[0]


def test_cached_bfloat16_features_are_the_same_bits(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, "_folded", lambda prefix: prefix)  # other roundings
    compute = replace(COMPUTE, precision="bfloat16")
    network = network_of({"last": 3}, "resnet18")
    one = embedder(network, compute)
    rows = one.open(pixels_of(images), np.arange(32))(np.arange(32))
    with torch.inference_mode(), compute.autocast():
        assert torch.equal(
            one.rest(rows.to(COMPUTE.device)).cpu(),
            network(torch.from_numpy(images[:32]).permute(0, 3, 1, 2).to(COMPUTE.device)).cpu(),
        )
