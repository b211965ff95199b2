"""The import of torchvision without torch's compiler, which still works afterwards."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
import sys
from medtransfer.models.torchvision_models import library, models
assert library("timm").create_model("test_resnet", pretrained=False)
assert "torch._dynamo" not in sys.modules, "the compiler was imported"
model = models().get_model("squeezenet1_1", weights=None)
import torch
from medtransfer.training.optimizers import OPTIMIZERS
for build in OPTIMIZERS.values():
    optimizer = build([{"params": list(model.parameters()), "lr": 0.1}])
    model(torch.zeros(1, 3, 32, 32)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
assert "torch._dynamo" not in sys.modules, "the compiler was imported by an optimizer"
torch.optim.Adagrad(model.parameters())  # asks the real compiler
import torch._dynamo.utils
assert torch._dynamo.utils.is_compile_supported("cpu") is not None
assert torch._dynamo.utils.__file__
"""


def test_models_and_optimizers_do_not_import_the_compiler_nor_break_it() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
