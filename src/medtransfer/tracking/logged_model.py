"""A trained run as an MLflow model: an exported graph, which needs torch alone and loads without pickle."""

from __future__ import annotations

import warnings
from pathlib import Path

EXAMPLES = 2
"""The export would take a batch size of one as a constant."""


def log_model(mlflow_run: str, folder: Path, run: tuple[int, int]) -> str:
    """Log one run, (fold, seed), of a trained variant to an MLflow run, as the model `model`, and return its id.

    It maps uint8 pixels [n, channels, size, size], for any n, to probabilities, in float32 on the CPU. Its metadata
    describe the preprocessing and the classes.
    """
    import mlflow
    import numpy as np
    import torch
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    from medtransfer.deployment.interface import describe_model
    from medtransfer.deployment.predictor import Predictor
    from medtransfer.training.model_files import read_card
    from medtransfer.util.compute import Compute

    card = read_card(folder)
    network = Predictor(folder, [run], Compute(torch.device("cpu"), "float32")).as_module()
    example = np.zeros((EXAMPLES, card["channels"], card["image_size"], card["image_size"]), np.uint8)
    with torch.inference_mode():
        outputs = network(torch.from_numpy(example))
    pixels, probabilities = (-1, *example.shape[1:]), (-1, *outputs.shape[1:])
    signature = ModelSignature(
        Schema([TensorSpec(np.dtype("uint8"), pixels)]), Schema([TensorSpec(np.dtype("float32"), probabilities)])
    )
    with mlflow.start_run(run_id=mlflow_run), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logged = mlflow.pytorch.log_model(
            network,
            name="model",
            serialization_format="pt2",
            input_example=example,
            signature=signature,
            pip_requirements=[f"torch=={torch.__version__.split('+')[0]}", f"numpy=={np.__version__}"],
            metadata=describe_model(card, [run]),
        )
    return str(logged.model_id)
