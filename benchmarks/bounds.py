"""One table of what was asked of the project in figures, and what the tables of `benchmarks/results` say.

    python benchmarks/bounds.py    # writes benchmarks/results/README.md

Nothing is measured here: each figure is read from its table, and a table that is measured again changes it. Of several
rows, the worst counts.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from medtransfer.util.text import markdown_table

RESULTS = Path(__file__).parent / "results"
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?|-?\.\d+")


@dataclass(frozen=True)
class Bound:
    """A figure that was asked for, and where it stands.

    file: a table of `results`, without its ending. rows, column: patterns of the first cells of the rows, and of a
    column's header, that hold the figure. rows alone: a pattern of the text, whose group is the figure. least, most:
    what was asked.
    """

    what: str
    file: str
    rows: str
    column: str | None = None
    least: float | None = None
    most: float | None = None

    def figures(self, text: str) -> list[float]:
        """Return the figures in a page of results; none if it has no such row."""
        if self.column is None:
            return [_number(found) for found in re.findall(self.rows, text)]
        cells = [cell for header, row in _rows(text) for cell in self._cells(header, row)]
        return [_number(cell) for cell in cells if NUMBER.search(cell)]

    def _cells(self, header: list[str], row: list[str]) -> list[str]:
        if not re.search(self.rows, row[0]):
            return []
        return [cell for name, cell in zip(header, row, strict=True) if re.fullmatch(self.column or "", name)]

    def worst(self, figures: list[float]) -> list[float]:
        """Return the figures farthest on the wrong side, one for each end that was asked for."""
        ends = [min(figures)] if self.least is not None else []
        return ends + ([max(figures)] if self.most is not None else [])

    def within(self, figures: list[float]) -> int:
        """Return the number of figures within what was asked."""
        low, high = self.least, self.most
        return sum((low is None or figure >= low) and (high is None or figure <= high) for figure in figures)

    @property
    def asked(self) -> str:
        """What was asked, as text."""
        if self.least is not None and self.most is not None:
            return f"{self.least:g} to {self.most:g}"
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:,g}"


BOUNDS = [
    Bound(
        "coverage of 95 % intervals, %: single images and equal groups", "coverage", r"^(2|5|14)$", "compare", 93, 97
    ),
    Bound("… groups of unequal sizes", "coverage", r"sizes", "compare", 93, 97),
    Bound("… drops on external sets", "coverage_elsewhere", r"images|groups", "drop", 93, 97),
    Bound("… gaps between subgroups", "coverage_elsewhere", r"images|groups", "gap.*", 93, 97),
    Bound("… projections of learning curves", "learning_curves", r".", "coverage %", 93, 97),
    Bound("studies of ten equal variants with a difference, %", "equal_variants", r".", "studies of ten", most=5),
    Bound("equal pairs called different, %", "equal_variants", r".", "studies of two", most=5),
    Bound("studies with a wrong claim of non-inferiority, %", "margins", r".", "studies with a wrong claim", most=5),
    Bound("optimism of a search on test images, points", "search_optimism", r"^test", "points", most=0.5),
    Bound("search of 20 trials in 15 runs, times one head", "search_cost", r"^lr, weight_decay; ", "relative", most=6),
    Bound("frozen, 8 views, times a plain loop", "frozen_cache", r" 8 views", "speed-up over plain loop", 60),
    Bound("… on a GPU", "cuda/frozen_cache", r" 8 views", "speed-up over plain loop", 60),
    Bound("frozen, 50 views, times a plain loop", "frozen_cache", r" 50 views", "speed-up over plain loop", 12),
    Bound("… on a GPU", "cuda/frozen_cache", r" 50 views", "speed-up over plain loop", 12),
    Bound("last three layers, times a plain loop", "last_layers", r"net", "speed-up over plain loop", 5),
    Bound("filling the cache, % of the bare network", "fill_cache", r"^filling", "ratio", 95),
    Bound("… on a GPU", "cuda/fill_cache", r"^filling", "ratio", 95),
    Bound("training, % of the bare step", "fill_cache", r"^training", "ratio", 97),
    Bound("… on a GPU", "cuda/fill_cache", r"^training", "ratio", 97),
    Bound("sixty heads, times one", "heads_at_once", r"^60 heads", "relative", most=4),
    Bound("… on a GPU", "cuda/heads_at_once", r"^60 heads", "relative", most=4),
    Bound("two jobs of one thread each, speed-up", "parallel_repro", r"-j 2", "speed-up", 1.7),
    Bound("nothing to do, 40 variants, s", "noop_repro", r"nothing to do", "seconds", most=4),
    Bound("peak memory of any stage on 5,856 X-rays, MB", "stages_scale", r"^maximum", "chest_xray.*", most=2000),
    Bound("timm or torchvision, times this project's time", "time_to_accuracy", r"timm|parts", "relative", 1),
    Bound(
        "`prepare`, power of its time in the number of images", "audit_scale", r"to the power of (\d\.\d+)", most=1.1
    ),
    Bound("`prepare`, 30,000 images, peak memory, MB", "audit_scale", r"^total", "30,000", most=2000),
    Bound("tables and report of 40 variants, s", "compare_speed", r"^total", "seconds", most=30),
    Bound("reading 112,120 files, s", "reading_scale", r"(?m)^\| \D+ \|[^|]+\|[^|]+\|\s+(\d+\.\d) \|", most=60),
    Bound(
        "reading 112,120 files, peak memory, MB", "reading_scale", r"(?m)^\| \D+ \|[^|]+\|[^|]+\|\s+(\d+) \|", most=1000
    ),
    Bound("`medtransfer repro -j 2`, times `dvc repro`", "engine", r"-j 2", "times as fast", 6),
    Bound("… a cached frozen variant, s", "engine", r"-j 2", "per variant", most=1.5),
    Bound("… nothing to do, 1,000 variants, s", "engine", r"^1,000", "nothing to do, s", most=15),
    Bound("… share of the ideal speed-up, 4 to 64 workers", "engine", r"^\d+$", "of ideal", 0.95),
    Bound("hostile and damaged files with a fault, of 10,000", "fuzz", r"Faults: (\d+)", most=0),
    Bound("server faults tried", "torture", r"server", "trials", 30),
    Bound("kills of `dvc repro` tried", "torture", r"kill of `dvc", "trials", 100),
    Bound("kills of `medtransfer repro` tried", "torture", r"kill of `medtransfer repro", "trials", 100),
    Bound("full and read-only places tried", "torture", r"place", "trials", 30),
    Bound("spoiled and vanished files tried", "torture", r"spoiled", "trials", 20),
]


def _rows(text: str) -> list[tuple[list[str], list[str]]]:
    """Return the rows of all tables of a page, each with the header of its table."""
    found, header = [], None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else None
        if cells is None:
            header = None
        elif header is None:
            header = cells
        elif not set("".join(cells)) <= set("-: "):
            found.append((header, cells))
    return found


def _number(text: str) -> float:
    found = NUMBER.search(text)
    assert found is not None, text
    return float(found.group().replace(",", ""))


def _date(path: Path) -> str:
    """Return the day on which a file was last committed."""
    command = ["git", "log", "-1", "--format=%cs", "--", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=path.parent).stdout.strip()


def page(results: Path, bounds: list[Bound] = BOUNDS) -> str:
    """Return the page: one row per bound, with the number of figures that are within it."""
    rows = []
    for bound in bounds:
        path = results / f"{bound.file}.md"
        figures = bound.figures(path.read_text(encoding="utf-8")) if path.is_file() else []
        says = " to ".join(f"{figure:g}" for figure in bound.worst(figures)) if figures else "–"
        within = bound.within(figures)
        share = "" if len(figures) < 2 else f", {within} of {len(figures)}"
        judged = (f"yes{share}" if within == len(figures) else f"**no**{share}") if figures else "not measured"
        day = _date(path) if figures else "–"
        rows.append([bound.what, bound.asked, says, judged, f"[{bound.file}]({bound.file}.md)", day])
    missed = sum("**no**" in row[3] for row in rows)
    absent = sum(row[3] == "not measured" for row in rows)
    met = len(rows) - missed - absent
    return (
        "\n\n".join(
            [
                "# What was asked, and what was measured",
                "Of several figures, the worst stands here, with the number of those that are as asked.",
                markdown_table(["Figure", "Asked", "Worst", "As asked", "Table", "Of"], rows),
                f"Of {len(bounds)} bounds, {met} are met, {missed} missed and {absent} not measured.",
                "`python benchmarks/bounds.py`",
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    text = page(RESULTS)
    (RESULTS / "README.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
