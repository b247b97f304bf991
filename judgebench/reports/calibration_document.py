"""What a calibration of length was fitted on, how far it can be relied on, and what to do next."""

from __future__ import annotations

from shlex import quote
from typing import Any

from judgebench.reports.calibrate_length import MIN_MODELS, Fitted
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.length_calibrations import FAIR, reliability_in_words


def to_json(fitted: Fitted) -> dict[str, Any]:
    """What was fitted, for scripts."""
    return {
        "benchmark": fitted.benchmark,
        "version": fitted.version,
        "judge": fitted.judge,
        "judge_id": fitted.judge_id,
        "baseline": fitted.baseline,
        "baseline_id": fitted.baseline_id,
        "calibration": fitted.stored.id,
        "models": list(fitted.models),
        "anchored": list(fitted.anchored),
        "items": fitted.items,
        "verdicts": fitted.verdicts,
        "spread": fitted.spread,
        "reliability": fitted.reliability,
        "used": not fitted.superseded,
    }


def document(fitted: Fitted) -> Document:
    """The same for people, with words on it."""
    said = to_json(fitted)
    counts = [
        ("models", str(len(fitted.models))),
        ("of them anchors", str(len(fitted.anchored))),
        ("instructions", str(fitted.items)),
        ("verdicts", str(fitted.verdicts)),
        ("spread of difficulty, log-odds", f"{fitted.spread:.2f}"),
        ("reliability", f"{fitted.reliability:.2f}"),
    ]
    table = Table(
        title=f"{fitted.benchmark}@{fitted.version}, judged by {fitted.judge}, against "
        f"{fitted.baseline}: calibration {fitted.stored.id}",
        subtitle=f"fitted on {', '.join(fitted.models)}",
        columns=[Column(title="what"), Column(title="value", align="right")],
        rows=[list(row) for row in counts],
        notes=_notes(fitted),
    )
    record = {k: "; ".join(v) if isinstance(v, list) else v for k, v in said.items()}
    return Document(tables=[table], records=[record], data=said)


def _notes(fitted: Fitted) -> list[str]:
    word = reliability_in_words(fitted.reliability)
    said = [
        f"{word}: the share of the difficulties' variance that the verdicts determine; in a check "
        "on AlpacaEval 2, another model's length-controlled win rate lay 2.8 points off at 0.3 and "
        "1.7 at 0.7 (mean)"
    ]
    if fitted.reliability < FAIR:
        said.append("warning: more models would help; fit again when they are judged")
    said.append(
        "models that helped to fit are explained too well by it, and with few of them visibly so: "
        "add models and fit again before two of them are compared"
        if len(fitted.models) < 2 * MIN_MODELS
        else "models that helped to fit are explained a little too well by it"
    )
    said += [
        f"warning: {name} wins or loses nearly always; as an anchor it has to be "
        f"{fitted.baseline} with the length of its answers changed, and a model of another kind "
        "moves every length-controlled win rate"
        for name in fitted.unlike
    ]
    if not fitted.anchored:
        said.append(
            "no anchors: answers of the baseline with their length changed, judged against the "
            "baseline, and --verbose MODEL would say what length alone does"
        )
    said.append(
        "it is kept, but boards of this judge and baseline use the published calibration, which "
        "goes before it"
        if fitted.superseded
        else "next: judgebench leaderboard " + quote(f"{fitted.benchmark}@{fitted.version}")
    )
    return said
