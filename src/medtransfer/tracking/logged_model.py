"""A trained run as an MLflow model: an exported graph, which needs torch alone and loads without running any pickle."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

EXAMPLES = 2
"""A batch of one would be taken for a constant."""


def log_model(mlflow_run: str, folder: Path, run: tuple[int, int]) -> None:
    """Log one run, (fold, seed), of a trained variant to an MLflow run, as the artifact `model`.

    It maps uint8 pixels [n, channels, size, size], for any n, to probabilities, in float32 and on the CPU.
    Preprocessing and classes stand in its metadata.
    """
    import mlflow
    import numpy as np
    import torch

    from medtransfer.deployment.interface import describe_model
    from medtransfer.deployment.predictor import Predictor
    from medtransfer.training.model_files import read_card
    from medtransfer.util.compute import Compute

    card = read_card(folder)
    network = Predictor(folder, [run], Compute(torch.device("cpu"), "float32")).as_module()
    example = np.zeros((EXAMPLES, card["channels"], card["image_size"], card["image_size"]), np.uint8)
    with torch.inference_mode():
        outputs = network(torch.from_numpy(example))
    with mlflow.start_run(run_id=mlflow_run), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.pytorch.log_model(
            network,
            name="model",
            serialization_format="pt2",
            input_example=example,
            signature=_signature(example.shape, tuple(outputs.shape)),
            pip_requirements=[f"torch=={torch.__version__.split('+')[0]}", f"numpy=={np.__version__}"],
            metadata=describe_model(card, [run]),
        )


def _signature(inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Any:
    """Give MLflow's signature of arrays of these shapes, the first dimension of any length."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    pixels, probabilities = (-1, *inputs[1:]), (-1, *outputs[1:])
    return ModelSignature(
        Schema([TensorSpec(np.dtype("uint8"), pixels)]), Schema([TensorSpec(np.dtype("float32"), probabilities)])
    )
