"""Data sets and competition files from Kaggle, fetched with its own client."""

from medtransfer.data.sources.kaggle.source import fetch_kaggle

__all__ = ["fetch_kaggle"]
