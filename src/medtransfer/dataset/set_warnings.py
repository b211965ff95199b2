"""What every table made from a set must say of it."""

from __future__ import annotations

from medtransfer.dataset.proposals import propose_groups
from medtransfer.dataset.shortcuts import Shortcut
from medtransfer.study import Data


def set_warnings(data: Data, paths: list[str], shortcuts: list[Shortcut]) -> list[str]:
    """Warn of simulated images, of a missing group key, and of shortcuts that are strong."""
    warnings = []
    if data.source == "phantom":
        warnings.append("SIMULATION: these images are simulated, and figures on them say nothing about patients")
    if data.group is None:
        warnings.append(
            "NO GROUP KEY: images of one patient may stand on both sides of a split; "
            "intervals treat every image as independent"
        )
        warnings += [proposal.sentence() for proposal in propose_groups(paths)]
    return warnings + [shortcut.warning() for shortcut in shortcuts if shortcut.strong]
