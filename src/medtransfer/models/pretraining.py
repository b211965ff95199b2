"""`weights: simulated`: a short pretraining on simulated images, with a task of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.optim.swa_utils import update_bn

from fetal_phantom import pretraining_set
from medtransfer.data.images.packed import pixel_statistics
from medtransfer.models.families import ClassifierFamily
from medtransfer.models.network import Normalise, to_channels_first, to_channels_last
from medtransfer.models.weights import WeightsCard, save_state
from medtransfer.study import Pretraining
from medtransfer.util.compute import Compute, in_precision
from medtransfer.util.digests import module_digest
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_folder, sha256_of_json, write_json
from medtransfer.util.places import cache_folder
from medtransfer.util.progress import progress
from medtransfer.util.seeds import generator, seed_from

HELD_OUT = 0.1
STATISTICS = 1024
"""The number of images for the final statistics of batch norms."""


def shared_pretraining(model: str, spec: Pretraining, seed: int, compute: Compute, precision: str) -> Path:
    """Return the folder with the weights and the card of `pretrain`, which all studies of a user share."""
    about = {"model": model, "spec": spec.model_dump(), "seed": seed, "wanted": precision, **compute.describe()}
    about["code"] = module_digest("medtransfer.models.pretraining")
    folder = cache_folder() / "pretrained" / sha256_of_json(about)[:32]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            network, card = pretrain(model, spec, seed, compute, precision)
            with atomic_folder(folder) as temporary:
                save_state(network.state_dict(), temporary / "weights.safetensors")
                write_json(temporary / "card.json", card.model_dump(mode="json"))
    return folder


def pretrain(
    model: str, spec: Pretraining, seed: int, compute: Compute, precision: str = "float32"
) -> tuple[nn.Module, WeightsCard]:
    """Train a model to answer questions about the simulator's parameters from its images.

    The questions are the kind of tissue in the brain, whether there is a midline, and the width of the ventricles.
    Training uses binary cross-entropy over the questions, Adam, a one-cycle learning rate and random left-right flips,
    and ends with a new estimate of the statistics of batch norms. Returns the model and its card, which has the mean
    ROC-AUC over the questions on a held-out tenth. Raises `UserError` if the training diverges.
    """
    images, answers, _ = pretraining_set(spec.images, spec.size, seed)
    packed = images[..., None]
    held_out = max(int(HELD_OUT * len(images)), 1)
    learn, check = np.arange(held_out, len(images)), np.arange(held_out)
    mean, std = pixel_statistics(packed, learn)
    torch.manual_seed(seed_from("pretraining", seed))
    family = ClassifierFamily.of(model)
    network = family.build(model, spec.size, outputs=answers.shape[1])
    family.replace_auxiliary_heads(network, None)
    whole = nn.Sequential(Normalise(mean, std), network).to(compute.device)
    to_channels_last(whole)
    compute = in_precision(compute, precision, whole, 1, spec.size)
    with progress(spec.epochs * (len(learn) // spec.batch_size), f"weights {model}", "batch") as bar:
        for _ in _fit(whole, packed[learn], torch.from_numpy(answers[learn]), spec, seed, compute):
            bar.update()
    batches = (to_channels_first(packed[rows]) for rows in np.array_split(learn[:STATISTICS], STATISTICS // 64))
    update_bn(batches, whole, compute.device)
    logits = _logits(whole, packed[check], compute)
    if not np.isfinite(logits).all():
        raise UserError(
            f"{model}: pretraining on simulated images diverged at lr {spec.lr:g}; "
            "set a lower pretraining.lr of the backbone"
        )
    card = WeightsCard(
        model=model,
        source="simulated",
        reference=f"{len(learn)} simulated images, {spec.epochs} epochs, {answers.shape[1]} questions about them",
        sha256=None,
        mean=mean,
        std=std,
        held_out_roc_auc=_mean_area(logits, answers[check]),
    )
    return network.cpu(), card


def _fit(
    network: nn.Module, images: np.ndarray, answers: torch.Tensor, spec: Pretraining, seed: int, compute: Compute
) -> Iterator[None]:
    """Train for one step each time the iterator is advanced."""
    batches = len(images) // spec.batch_size
    optimizer = torch.optim.Adam(network.parameters(), lr=spec.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, spec.lr, total_steps=spec.epochs * batches, pct_start=0.2, cycle_momentum=False
    )
    network.train()
    for epoch in range(spec.epochs):
        rng = generator("pretraining order", seed, epoch)
        order = rng.permutation(len(images))
        for batch in order[: batches * spec.batch_size].reshape(batches, spec.batch_size):
            chosen, mirrored = images[batch], rng.random(len(batch)) < 0.5
            chosen[mirrored] = chosen[mirrored][:, :, ::-1]
            optimizer.zero_grad(set_to_none=True)
            with compute.autocast():
                logits = network(to_channels_first(chosen).to(compute.device))
            target = answers[batch].to(compute.device)
            nn.functional.binary_cross_entropy_with_logits(logits.float(), target).backward()
            optimizer.step()
            schedule.step()
            yield


def _logits(network: nn.Module, images: np.ndarray, compute: Compute) -> np.ndarray:
    """Return the logits [n, questions] of packed images in eval mode."""
    network.eval()
    logits = []
    with torch.inference_mode(), compute.autocast():
        for start in range(0, len(images), 64):
            logits.append(network(to_channels_first(images[start : start + 64]).to(compute.device)).float().cpu())
    return torch.cat(logits).numpy()


def _mean_area(logits: np.ndarray, answers: np.ndarray) -> float:
    """Return the mean ROC-AUC over the questions to which both answers occur."""
    asked = [number for number in range(answers.shape[1]) if 0 < answers[:, number].mean() < 1]
    return float(roc_auc_score(answers[:, asked], logits[:, asked]))
