"""Progress bars and short notices: bars show on a terminal what is left, elsewhere they stay quiet."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress(total: int | None, desc: str, unit: str, initial: int = 0) -> tqdm[Any]:
    """Open a bar of `total` steps on standard error, silent where that is no terminal; bytes (`B`) read as kB, MB."""
    return tqdm(
        total=total,
        desc=desc,
        unit=unit,
        unit_scale=unit == "B",
        initial=initial,
        disable=not sys.stderr.isatty(),
        dynamic_ncols=True,
        leave=False,
    )


def notice(text: str) -> None:
    """Write a line to standard error without breaking a bar that is open."""
    tqdm.write(text, file=sys.stderr)
