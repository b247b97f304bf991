"""HonestyBench's published tables: averages over its sets, weighted with their sizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import TypeAlias

from judgebench.errors import InputError
from judgebench.metrics.intervals import Intervals
from judgebench.reports.reproduce import (
    FigureTable,
    Recomputation,
    Reproduction,
    on_scale,
    once,
    point,
)
from judgebench.rows import Row, read_rows
from judgebench.stats.resample import weighted_mean

DOMAINS = ("in-domain", "ood")
ALL = "all"
HIGHEST = {"auroc": 100.0, "accuracy": 100.0, "ece": 1.0}
"""The scale of each statistic as it is printed."""

HALF = 5e-3
"""Of a unit of the second decimal, to which all is printed."""

ROUNDED = 2 * HALF + 1e-9
"""Half a unit for the average that is printed, and half for the sets' figures."""

SAMPLES = "auroc/by_samples"
IN_TABLES = 20
"""Samples an answer in the tables that give every set."""


_Sets: TypeAlias = Mapping[str, Mapping[str, int]]
"""Of each domain, and of all, the sets and how many questions each has."""


def reproduced(folder: Path, intervals: Intervals) -> Reproduction:
    """Every average of the tables. There is nothing to draw, so that ours have no intervals."""
    sets = _sets(folder / "sets.csv")
    rows = once(
        read_rows(
            folder / "tables.csv",
            ("statistic", "model", "method", *sets[ALL], *DOMAINS, ALL),
        ),
        *("statistic", "model", "method"),
        may_be_empty=("method",),
    )
    figures = [
        _average(row, scope, own, row, row.text("statistic"))
        for row in rows.values()
        for scope, own in sets.items()
        if row.has(scope)
    ]
    figures += _by_samples(folder / "samples.csv", rows, sets)
    plain, printed = _plain_means(rows.values(), sets)
    return Reproduction(
        table="honestybench",
        title=f"HonestyBench, {len(rows)} rows on {len(sets[ALL])} sets with "
        f"{sum(sets[ALL].values())} questions",
        source="arXiv 2510.17509; sizes of the sets from Trustworthy-Information-Access/"
        "Annotation-Efficient-Universal-Honesty-Alignment at "
        "1b566b65886f83fc9ef287e9927e86bb2bd95071 (2025-11-10)",
        licence="badge of the repository: Apache-2.0; figures as numbers, not in the package",
        theirs="compared with the published averages",
        who="model, method",
        figures=figures,
        shown=[
            FigureTable(title=f"{said}, {where}", metric=metric, scope=scope)
            for metric, said in (("auroc", "AUROC, %"), ("ece", "ECE"))
            for scope, where in zip(DOMAINS, ("in domain", "out of domain"), strict=True)
        ]
        + [FigureTable(title="accuracy, %, all sets", metric="accuracy", scope=ALL)],
        notes=[
            "averages weigh each set with its number of questions; plain means of the sets would "
            f"agree in {plain} of {printed} by domain",
            f"all is printed with two decimals: ours may be {ROUNDED:.2g} away by rounding",
            "published ECE leaves out what is answered with a confidence of exactly 1; from "
            "averages that cannot be undone",
        ],
    )


def _sets(path: Path) -> _Sets:
    rows = once(read_rows(path, ("set", "domain", "questions")), "set")
    found: dict[str, dict[str, int]] = {domain: {} for domain in DOMAINS}
    for (name,), row in rows.items():
        domain, questions = row.text("domain"), row.whole("questions")
        if domain not in found:
            raise row.wrong("domain", f"one of {', '.join(DOMAINS)}, not {domain!r}")
        if not questions:
            raise row.wrong("questions", "a set has at least one")
        found[domain][name] = questions
    for domain, those in found.items():
        if not those:
            raise InputError(f"{path}: domain: no set is {domain}; take the file from a checkout")
    return found | {ALL: {name: n for domain in DOMAINS for name, n in found[domain].items()}}


def _values(row: Row, fields: Iterable[str]) -> list[float]:
    return [on_scale(row, field, high=_highest(row)) for field in fields]


def _highest(row: Row) -> float:
    statistic = row.text("statistic")
    if statistic not in HIGHEST:
        raise row.wrong("statistic", f"one of {', '.join(HIGHEST)}, not {statistic!r}")
    return HIGHEST[statistic]


def _who(model: str, method: str) -> str:
    return ", ".join(filter(None, (model, method)))


def _average(
    row: Row, scope: str, own: Mapping[str, int], printed: Row, metric: str
) -> Recomputation:
    """Of the sets' figures in a row, beside the average that is printed there or elsewhere."""
    ours = float(weighted_mean(_values(row, own), [*own.values()]))
    theirs = on_scale(printed, scope, high=_highest(row))
    why = (
        f"the sets' figures, whatever was rounded off, give {ours - HALF:.3f} to {ours + HALF:.3f}"
    )
    return Recomputation(
        who=_who(row.text("model"), row.text("method", None) or ""),
        scope=scope,
        metric=metric,
        ours=point(ours, sum(own.values())),
        theirs=theirs,
        tolerance=ROUNDED,
        because="" if abs(ours - theirs) <= ROUNDED else why,
    )


def _plain_means(rows: Iterable[Row], sets: _Sets) -> tuple[int, int]:
    """How many averages of a domain an unweighted mean of its sets would give, and of how many."""
    agree = [
        abs(fmean(_values(row, sets[domain])) - row.number(domain)) <= ROUNDED
        for row in rows
        for domain in filter(row.has, DOMAINS)
    ]
    return sum(agree), len(agree)


def _by_samples(
    path: Path, rows: Mapping[tuple[str, ...], Row], sets: _Sets
) -> Iterator[Recomputation]:
    """Averages by the number of samples, where the tables have its sets.

    Of other numbers of samples the averages alone are published.
    """
    for row in read_rows(path, ("model", "method", "samples", *DOMAINS)):
        if row.whole("samples") != IN_TABLES:
            continue
        model, method = row.text("model"), row.text("method")
        table = rows.get(("auroc", model, method))
        if table is None:
            raise row.wrong("method", f"{_who(model, method)}: its AUROC is not in tables.csv")
        yield from (_average(table, one, sets[one], row, SAMPLES) for one in DOMAINS)
