"""Where tests let `prepare` write."""

from __future__ import annotations

from pathlib import Path

from medtransfer.dataset.prepare import Outs


def outs_in(folder: Path) -> Outs:
    """Let it write everything to one folder."""
    return Outs(folder / "prepared", folder / "audit.json", folder / "duplicates.png", folder / "leaks.png")
