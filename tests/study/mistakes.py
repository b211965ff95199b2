"""What tests of a wrong parameter file share: a line of `variants`, and the lines that say what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from medtransfer.study import check_study
from medtransfer.util.errors import UserError

LINE = {"backbone": "resnet18", "strategy": "frozen", "augmentation": "none"}


def problems_of(raw: Any, where: str = "params.yaml") -> list[str]:
    with pytest.raises(UserError) as raised:
        check_study(raw, where)
    assert all("\n" not in problem and problem.startswith(f"{where}: ") for problem in raised.value.problems)
    return raised.value.problems
