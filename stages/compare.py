"""DVC stage `compare`: all variants of the study side by side."""

from __future__ import annotations

from medtransfer.comparison.compare import compare
from medtransfer.errors import run
from medtransfer.study import load_study


def main() -> None:
    """Compare the variants of the params."""
    compare(load_study())


if __name__ == "__main__":
    run(main)
