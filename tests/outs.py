"""Where tests let `prepare` write."""

from __future__ import annotations

from pathlib import Path

from medtransfer.data.prepare import Outs


def outs_in(folder: Path) -> Outs:
    """Let it write everything to one folder."""
    return Outs(
        prepared=folder / "prepared",
        audit=folder / "audit.json",
        page=folder / "audit.md",
        duplicates=folder / "duplicates.png",
        leaks=folder / "leaks.png",
    )
