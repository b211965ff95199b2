"""Progress bars: on a terminal they show what is left, elsewhere they stay quiet."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress(total: int, desc: str, unit: str, initial: int = 0) -> tqdm[Any]:
    """Open a bar of `total` steps on standard error, silent where that is no terminal."""
    quiet = not sys.stderr.isatty()
    return tqdm(total=total, desc=desc, unit=unit, initial=initial, disable=quiet, dynamic_ncols=True, leave=False)
