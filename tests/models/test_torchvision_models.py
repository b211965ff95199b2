"""The import of torchvision without torch's compiler, which still works afterwards."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
import sys
from medtransfer.models.torchvision_models import models
assert "torch._dynamo" not in sys.modules, "the compiler was imported"
model = models.get_model("squeezenet1_1", weights=None)
import torch
optimizer = torch.optim.Adam(model.parameters())  # asks the real compiler
import torch._dynamo.utils
assert torch._dynamo.utils.is_compile_supported("cpu") is not None
assert torch._dynamo.utils.__file__
"""


def test_importing_the_models_does_not_import_the_compiler_nor_break_it() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
