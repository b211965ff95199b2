"""Tables that are read off predictions and off the comparison table itself."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medtransfer.comparison.results import IMAGES, PUBLISHED, Verdict, frame
from medtransfer.comparison.rows import is_tied
from medtransfer.evaluation.names import METRICS
from medtransfer.evaluation.predictions import Predictions


def image_table(tests: dict[str, Predictions]) -> pd.DataFrame:
    """Say how each variant did on each test image; see `Comparison.images`."""
    return pd.concat([_images(name, test) for name, test in tests.items()], ignore_index=True)[list(IMAGES)]


def published_table(table: pd.DataFrame) -> pd.DataFrame:
    """Set every published figure beside ours; see `Comparison.published`."""
    ours = table[table["kind"] == "variant"].set_index("variant")
    rows = []
    for _, line in table[table["kind"] == "published"].iterrows():
        own = ours.loc[line["variant"]] if line["variant"] in ours.index else pd.Series(dtype=float)
        for metric in [name for name in METRICS if pd.notna(line.get(name))]:
            low, high = own.get(f"{metric}_low", np.nan), own.get(f"{metric}_high", np.nan)
            rows.append(
                {
                    "variant": line["variant"],
                    "metric": metric,
                    "published": line[metric],
                    "ours": own.get(metric, np.nan),
                    "low": low,
                    "high": high,
                    "differs": bool(line[metric] < low or line[metric] > high),
                    "source": line["source"],
                }
            )
    return frame(PUBLISHED, rows)


def verdict_of(table: pd.DataFrame, metric: str) -> Verdict:
    """Sum the comparison table up."""
    variants = table[table["kind"] == "variant"]
    best = variants.iloc[0]
    others = variants.iloc[1:]
    return Verdict(
        metric=metric,
        best=best["variant"],
        value=float(best[metric]),
        low=float(best[f"{metric}_low"]),
        high=float(best[f"{metric}_high"]),
        tied=tuple(row["variant"] for _, row in others.iterrows() if is_tied(row)),
        worse={row["variant"]: float(row["p_corrected"]) for _, row in others.iterrows() if not is_tied(row)},
    )


def _images(name: str, test: Predictions) -> pd.DataFrame:
    images, scores = test.images, test.replicates
    labels, names = images["label"].to_numpy(), np.array(test.classes)
    mean = scores.mean(axis=0, dtype=np.float64)
    return pd.DataFrame(
        {
            "variant": name,
            "path": images["path"],
            "group": images["group"],
            "label": names[labels],
            "predicted": names[mean.argmax(axis=1)],
            "right": (scores.argmax(axis=2) == labels).mean(axis=0),
            "probability": mean[np.arange(len(labels)), labels],
        }
    )
