"""The methods of a study as text for a paper, every figure from the study's own files: `report/methods.md`."""

from __future__ import annotations

from collections.abc import Iterator

from medtransfer.comparison.columns import in_millions
from medtransfer.comparison.margins import in_words
from medtransfer.deployment.model_card import as_text, strategy_in_words
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS
from medtransfer.report.sections.checklists import LISTS, items
from medtransfer.report.sections.origin import code_commit, data_facts, versions
from medtransfer.statistics.metrics import METRICS, phrase_of, title_of
from medtransfer.study import Data, Policy, Split
from medtransfer.tasks import TASKS
from medtransfer.util.files import read_json, write_text
from medtransfer.util.text import counted, listed, markdown_table, with_interval, without_html

SOURCES = {
    "resampling": "Field and Welsh 2007, Bootstrapping clustered data, J. R. Stat. Soc. B 69(3)",
    "paired": "Efron and Tibshirani 1993, An Introduction to the Bootstrap",
    "jackknife": "Bell and McCaffrey 2002, Bias reduction in standard errors for linear regression with multi-stage "
    "samples, Survey Methodology 28(2)",
    "holm": "Holm 1979, A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6(2)",
    "folds": "Nadeau and Bengio 2003, Inference for the generalization error, Machine Learning 52(3)",
    "equivalence": "Schuirmann 1987, A comparison of the two one-sided tests procedure and the power approach, "
    "J. Pharmacokinet. Biopharm. 15(6)",
    "best": "Hsu 1984, Constrained simultaneous confidence intervals for multiple comparisons with the best, "
    "Ann. Stat. 12(3)",
    "calibration": "Guo et al. 2017, On calibration of modern neural networks, ICML",
}
LEFT = (
    "Left to the authors: title, background and aims; setting, dates and eligibility of patients; acquisition of the "
    "images; how and by whom the reference standard was set, and the agreement of raters; the intended sample size; "
    "demographic data; fairness; ethics, registration and funding; limitations and intended use."
)


def write_methods(material: Material) -> None:
    """Write `report/methods.md`."""
    write_text(material.places.report / "methods.md", methods_page(material))


def methods_page(material: Material) -> str:
    """Return the page as Markdown: data, splits, training, statistics, software, checklists and references."""
    cited: dict[str, None] = {}
    parts = [
        f"# Methods: {material.found.study.params.study.title}",
        *(f"> **Warning.** {warning}" for warning in material.found.warnings),
        "## Data",
        *_data(material),
        "## Splits",
        *_splits(material),
        "## Models and training",
        *_training(material),
        "## Evaluation and statistics",
        *_statistics(material, cited),
        "## Software",
        f"{', '.join(versions())}. Code: {code_commit('src', 'stages', 'dvc.yaml', 'params.yaml')}. All parameters are "
        "in `params.yaml`, and hashes of data and models in `dvc.lock`; `dvc repro` runs the study.",
        "## Checklists",
        *_checklists(material),
        "## References",
        "\n".join(f"- {SOURCES[name]}" for name in cited),
    ]
    return without_html("\n\n".join(parts) + "\n")


def _data(material: Material) -> Iterator[str]:
    audit, data = material.found.audit, material.found.study.params.data
    facts = data_facts(material)
    yield "\n".join(f"- {name}: {value}" for name, value in facts.items())
    dropped = [f"{found['images']:,} {reason}" for reason, found in audit.get("dropped", {}).items()]
    excluded = f" Left out: {'; '.join(dropped)}." if dropped else " No image was left out."
    yield f"{counted(audit['images'], 'image')} in {counted(audit.get('groups', 0), 'group')} were used.{excluded}"
    counts = audit.get("class_counts_by_split", {})
    if counts:
        names = list(audit["class_counts"])
        rows = [[str(name), *(f"{counts[split].get(name, 0):,}" for split in counts)] for name in names]
        yield markdown_table(["Label", *counts], rows)
    near, exact = audit.get("near_duplicates", {}), audit.get("exact_duplicates", {})
    yield (
        f"Images were resized to {data.image_size} x {data.image_size} pixels ({data.resize}) and stored with 8 bits "
        f"per channel. Duplicates are in one group: {counted(exact.get('sets', 0), 'set')} of identical files and "
        f"{counted(near.get('pairs', 0), 'pair')} of near duplicates."
    )


def _splits(material: Material) -> Iterator[str]:
    audit, params = material.found.audit, material.found.study.params
    yield f"{_split_in_words(params.data.split)} {_group_in_words(params.data)}"
    crossing = audit.get("crossing")
    if crossing and crossing["groups"]:
        yield (
            f"As published, {counted(crossing['groups'], 'group')} had images in more than one split; "
            f"`data.leakage: {params.data.leakage}`."
        )
    test = material.found.test
    yield (
        f"Test images: {test['images']:,} in {counted(test['groups'], 'group')}. They were read by the evaluation "
        "alone; epochs, rates and thresholds were chosen on validation images."
    )
    if sets := list(params.data.external):
        yield f"Further test sets, used for nothing but the evaluation: {listed(sets)}."


def _split_in_words(split: Split) -> str:
    if split.method == "published":
        rotating = f", its validation images changing over {split.folds} folds" if split.folds > 1 else ""
        return f"The published split was used{rotating}."
    if split.method == "kfold":
        return (
            f"{split.folds} folds, stratified by label: each tests once, the next one validates, and the others train."
        )
    return (
        f"The images were split at random, stratified by label: {split.test:.0%} test and {split.validation:.0%} "
        "validation."
    )


def _group_in_words(data: Data) -> str:
    if data.group is None:
        return "No group key is known: images of one patient may be in several splits."
    groups = data.group if isinstance(data.group, list) else [data.group]
    keys = listed([as_text(group.model_dump(exclude_defaults=True)) for group in groups])
    return f"Groups, which no split divides, are images that share the key {keys} or are duplicates."


def _training(material: Material) -> Iterator[str]:
    study, rows, strategies = material.found.study, [], {}
    for name in material.names:
        variant, card = study.variant(name), read_json(material.places.model(name) / "card.json")
        weights = card.get("weights", {})
        named = ": ".join(str(weights[key]) for key in ("source", "reference") if weights.get(key))
        sizes = [in_millions(card.get(key)) for key in ("parameters", "trainable_parameters", "multiply_adds")]
        line = [name, variant.model, named or "none", variant.strategy_name, variant.augmentation_name]
        rows.append([*line, str(len(card.get("runs", []))), *sizes])
        strategies[variant.strategy_name] = study.params.strategies[variant.strategy_name]
    header = ["Variant", "Model", "Initial weights", "Strategy", "Augmentation", "Runs", "Parameters", "trained"]
    yield markdown_table([*header, "Multiply-adds"], rows, left=5)
    yield "\n".join(f"- Strategy `{name}`: {strategy_in_words(each).strip('{}')}" for name, each in strategies.items())
    used = {study.variant(name).augmentation_name for name in material.names}
    policies = {name: policy for name, policy in study.params.augmentation.items() if name in used}
    yield "\n".join(f"- Augmentation `{name}`: {_policy_in_words(policy)}" for name, policy in policies.items())
    training = study.params.training
    yield (
        f"Each variant was trained with {counted(len(training.seeds), 'seed')}"
        f" ({', '.join(map(str, training.seeds))}) and {counted(material.found.audit.get('folds', 1), 'fold')}; "
        f"precision {training.precision}. With a `patience`, the epoch with the best value on validation images was "
        "kept; without one, the last epoch."
    )


def _policy_in_words(policy: Policy) -> str:
    if policy.original:
        return "none"
    mixed = "" if policy.mix is None else f"; mixing {as_text(policy.mix.model_dump(mode='json'))}"
    return f"{as_text(policy.transforms).strip('[]') or 'no transforms'}; {policy.views} views{mixed}"


def _statistics(material: Material, cited: dict[str, None]) -> Iterator[str]:
    found, params = material.found, material.found.study.params
    cited |= dict.fromkeys(("resampling", "paired", "jackknife", "holm"))
    primary = phrase_of(found.metric, material.unit)
    others = listed([phrase_of(name, material.unit) for name in found.metrics[1:]]) or "none"
    baselines = listed([name.replace("_", " ") for name in TASKS[params.study.task].baselines])
    yield (
        f"Task: {params.study.task}. Primary metric: {primary}; further metrics: {others}. Each is the mean over the "
        f"runs of a variant. Baselines without a network: {baselines}."
    )
    yield (
        f"Intervals ({found.confidence:.0%}) are those of Student's t on a scale without bounds, with standard errors "
        f"from {found.test['resamples']:,} bootstrap resamples of the groups of test images (Field and Welsh 2007); if "
        "groups differ in size, from a jackknife over groups (CR3, Bell and McCaffrey 2002). Pairs of variants were "
        "compared on the same images and resamples (Efron and Tibshirani 1993), with p values corrected over all pairs "
        "by Holm (1979). The spread over seeds and folds is reported separately."
    )
    if "resampled_t_p" in found.pairs and found.pairs["resampled_t_p"].notna().any():
        cited["folds"] = None
        yield "Folds share training images: the corrected resampled t test is reported, too (Nadeau and Bengio 2003)."
    if not found.calibration.empty:
        cited["calibration"] = None
        yield "Calibration: expected calibration error in 15 bins, and temperature scaling (Guo et al. 2017)."
    if found.verdict.margin is not None:
        cited |= dict.fromkeys(("equivalence", "best"))
        yield "Non-inferiority and equivalence: Schuirmann 1987; comparisons with the best: Hsu 1984."
    yield from in_words(found.margins, found.metric, found.verdict.recommended)
    row = found.table[found.table["variant"] == found.verdict.best].iloc[0]
    values = [
        f"{title_of(name, material.unit)} {with_interval(row, name)}"
        for name in found.metrics
        if name in row and name in METRICS
    ]
    yield (
        f"Of {counted(len(material.names), 'variant')}, {found.verdict.best} has the best {primary}: "
        f"{'; '.join(values)}."
    )


def _checklists(material: Material) -> Iterator[str]:
    rows = [
        [*(numbers or "–" for numbers in of[:3]), *of[3:5]]
        for of in items(material)
        if SECTIONS[of[5]].applies(material)
    ]
    yield markdown_table(["CLAIM 2024", "TRIPOD+AI", "REFORMS", "Item", "Answer"], rows, left=5)
    yield f"Metrics Reloaded: {_fingerprint(material)}"
    yield LEFT
    yield "\n".join(f"- {source}" for source in LISTS)


def _fingerprint(material: Material) -> str:
    """Answer the questions of Metrics Reloaded about a problem, as far as the files tell."""
    found, task = material.found, TASKS[material.found.study.params.study.task]
    kind = "semantic segmentation" if task.per_pixel else f"image-level {found.study.params.study.task}"
    counts = found.audit.get("class_counts_by_split", {}).get("test", {})
    shares = f"; test images by label: {', '.join(f'{name} {count:,}' for name, count in counts.items())}"
    grouped = "grouped" if found.test["groups"] < found.test["images"] else "not grouped"
    reported = listed([title_of(name, material.unit) for name in found.metrics])
    return (
        f"problem category {kind}{shares if counts else ''}; test images are {grouped}, and values are intervals over "
        f"groups; reported: {reported}; baselines and the spread over runs are shown."
    )
