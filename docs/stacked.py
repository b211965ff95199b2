"""Stack pictures, such as the figures of two studies of the same images.

    python docs/stacked.py docs/fetal_head.png docs/results/fetal_head/comparison.png \
        docs/results/fetal_head_grouped/comparison.png
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

GAP = 24


def main(target: Path, pictures: list[Path]) -> None:
    """Write `pictures`, one below the other, to `target`."""
    parts = [Image.open(path).convert("RGB") for path in pictures]
    height = sum(part.height for part in parts) + GAP * (len(parts) - 1)
    whole, top = Image.new("RGB", (max(part.width for part in parts), height), "white"), 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height + GAP
    whole.quantize(128).save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
