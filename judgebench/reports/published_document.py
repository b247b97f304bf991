"""Published boards as JSON and as tidy records, for scripts that take them as rows of reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from judgebench.reports import estimates
from judgebench.reports.published_correlations import Related
from judgebench.reports.published_table import THEIRS
from judgebench.reports.reference_board import N, ReferenceBoard, References, places


def references_json(references: References) -> dict[str, Any]:
    """What is published, in its order, and what is not here and why."""
    return {
        "published_boards": [_reference_json(one) for one in references.boards],
        "published_notes": list(references.notes),
    }


def _reference_json(reference: ReferenceBoard) -> dict[str, Any]:
    place = places(list(reference.figures.values()), reference.columns[0])
    return {
        "benchmark": reference.benchmark,
        "version": reference.version,
        "judge": reference.judge,
        "opponent": reference.board.baseline,
        "metric": reference.columns[0],
        "items": reference.items,
        "source": reference.source,
        "note": reference.board.note,
        "rows": [
            {"model": model, "version": reference.version, "rank": at, "figures": dict(figures)}
            for at, (model, figures) in zip(place, reference.figures.items(), strict=True)
        ],
    }


def beside_json(related: Iterable[Related]) -> list[dict[str, Any]]:
    """Each published board of the version beside a board: the models on both, and correlations.

    ``because`` says why its judge is another one, and is null where it is the same.
    """
    return [
        {
            "judge": one.beside.reference.judge,
            "opponent": one.beside.reference.board.baseline,
            "same_judge": one.beside.because is None,
            "because": one.beside.because,
            "models": [
                {"model": model, "published_as": name, "figures": dict(one.beside.figures(model))}
                for model, name in one.beside.names.items()
            ],
            "correlations": {
                metric: {name: estimates.to_json(estimate) for name, estimate in of.items()}
                for metric, of in one.correlations.items()
            },
        }
        for one in related
    ]


def reference_records(reference: ReferenceBoard) -> Iterator[dict[str, Any]]:
    """A record for each published figure; without an interval, since none is published."""
    place = places(list(reference.figures.values()), reference.columns[0])
    whole = [name for name in reference.columns if "/" not in name]  # others are of fewer items
    for at, (model, figures) in zip(place, reference.figures.items(), strict=True):
        n = int(figures[N]) if N in figures else reference.items
        for name, value in figures.items():
            if name != N:
                yield {
                    "benchmark": reference.benchmark,
                    "version": reference.version,
                    "judge": reference.judge,
                    "opponent": reference.board.baseline,
                    "rank": at,
                    "model": model,
                    "metric": name,
                    "value": value,
                    "n": n if name in whole else None,
                    "figures": THEIRS,
                }
