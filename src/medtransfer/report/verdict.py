"""The comparison in two sentences."""

from __future__ import annotations

from markupsafe import Markup, escape

from medtransfer.comparison.results import Verdict
from medtransfer.report.wording import SPACE, counted, in_figures, in_interval, listed, p_value
from medtransfer.statistics.metrics import phrase_of

MOST_NAMED = 4


def verdict_text(verdict: Verdict, unit: str = "") -> Markup:
    """Say which variant is best, what is tied with it, and what is worse, as HTML; `unit` is that of lengths."""
    best = Markup("<b>{}</b> {}: {} {} {}").format(
        verdict.best,
        "is best" if verdict.tied or verdict.worse else "stands alone",
        phrase_of(verdict.metric, unit),
        in_figures(verdict.value),
        in_interval(verdict.low, verdict.high),
    )
    tied = Markup("; {} tied with it.").format(_tied(list(verdict.tied))) if verdict.tied else Markup(".")
    return best + tied + Markup(" ") + _worse(verdict)


def _tied(names: list[str]) -> Markup:
    shown = names if len(names) <= MOST_NAMED + 1 else [*names[:MOST_NAMED], f"{len(names) - MOST_NAMED} others"]
    return escape(listed(shown)) + (" is" if len(names) == 1 else " are")


def _worse(verdict: Verdict) -> Markup:
    if not verdict.worse:
        said = "No other is shown to be worse." if verdict.tied else "There is nothing to compare it with."
        return Markup(said)
    if len(verdict.worse) <= MOST_NAMED:
        parts = [f"{name} (p{SPACE}{p_value(p)})" for name, p in verdict.worse.items()]
        return escape(listed(parts)) + (" is" if len(parts) == 1 else " are") + " worse, corrected for all comparisons."
    largest = p_value(max(verdict.worse.values())).replace("=", "≤")
    return Markup("The other {} are worse (each p\N{NO-BREAK SPACE}{}, corrected for all comparisons).").format(
        counted(len(verdict.worse), "variant"), largest
    )
