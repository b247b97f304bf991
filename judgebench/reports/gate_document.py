"""A gate for people, for scripts and for CI: tables, JSON, JUnit XML, a few lines of Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

from judgebench.metrics.registry import metric, of_confidence
from judgebench.plain_text import counted, printable
from judgebench.reports import estimates, slide
from judgebench.reports.document import Column, Document, Table, serialise
from judgebench.reports.gate_confirm import Confirmation
from judgebench.reports.gate_outcome import Alarm, Decided, GateReport
from judgebench.reports.gate_unchanged import Said, Unchanged, drop_words, percent
from judgebench.reports.gate_unchanged import in_words as unchanged_in_words
from judgebench.reports.model_pairs import Flip

WORDS = {"pass": "PASS", "regression": "REGRESSION", "inconclusive": "INCONCLUSIVE"}
_CONFIRMED: dict[Confirmation | None, str] = {
    "confirmed": "confirmed: the judge, asked afresh about both models, says so again",
    "impossible": "called without being confirmed: no judge can be asked afresh for it",
}
MOST_FLIPS = 10
_SHOWN = 160
_LONGEST = 4_000  # characters of a text on a page

Questions: TypeAlias = Mapping[tuple[str, str], str]
"""The texts of items, by benchmark and id."""

Answers: TypeAlias = Mapping[tuple[str, str, str], str]
"""By benchmark, short id of the model, and item."""


def document(report: GateReport, texts: Questions | None = None) -> Document:
    """The report for printing.

    Parameters
    ----------
    texts
        With the questions of items, by benchmark and id, the items that flipped have a table.
    """
    tables = [_table(report)]
    if texts is not None:
        tables += [_flips(one, texts) for one in report.tests if one.flips]
    return Document(
        tables=tables,
        records=[_record(one) for one in report.tests],
        data=to_json(report),
    )


def page(report: GateReport, questions: Questions, answers: Answers) -> Document:
    """The report for a page: also the items that flipped, with what both models answered."""
    return Document(
        tables=[
            _table(report),
            *(_whole_flips(one, questions, answers) for one in report.tests if one.flips),
        ],
        records=[_record(one) for one in report.tests],
        data=to_json(report),
    )


def to_json(report: GateReport) -> dict[str, Any]:
    """As the contract has it; what is undefined is null."""
    return {
        "verdict": report.verdict,
        "candidate": report.candidate,
        "baseline": report.baseline,
        "alpha": report.alpha,
        "correction": report.correction,
        "chance_unchanged_passes": estimates.finite(report.chance_unchanged),
        "tests": [_json(one) for one in report.tests],
        "alarms": [
            {"kind": one.kind, "benchmark": one.benchmark, "judge": one.judge, "text": one.text}
            for one in report.alarms
        ],
        "notes": list(report.notes),
    }


def _json(one: Decided) -> dict[str, Any]:
    return {
        "benchmark": one.benchmark,
        "version": one.version,
        "metric": one.metric,
        "confidence": one.confidence,
        "higher_is_better": one.higher_is_better,
        "judge": one.judge,
        "judge_id": one.judge_id,
        "baseline": one.baseline,
        "candidate": one.candidate,
        "baseline_id": one.baseline_id,
        "candidate_id": one.candidate_id,
        "baseline_value": estimates.finite(one.values[1]),
        "candidate_value": estimates.finite(one.values[0]),
        "difference": estimates.to_json(one.difference),
        "level_low": one.levels[0],
        "level_high": one.levels[1],
        "max_drop": one.max_drop,
        "margin_source": one.margin_source,
        "default_drop": one.strict_drop,
        "passes_at_default": one.passes_at_strict,
        "regression_at_default_only": one.by_strict,
        **_unchanged(one.unchanged),
        "p_value": estimates.finite(one.p_value),
        "p_adjusted": estimates.finite(one.p_adjusted),
        "decision": one.decision,
        "because": one.because,
        "confirmation": one.confirmation,
        "detectable_difference": estimates.finite(one.detectable_drop),
        "items_to_decide": None if one.to_decide is None else _whole(one.to_decide.fewest),
        "coverage": {"candidate": one.coverage[0], "baseline": one.coverage[1]},
        "flips": [
            {"item_id": f.item_id, "candidate": f.candidate, "baseline": f.baseline}
            for f in one.flips
        ],
    } | ({} if one.slide is None else {"slide": serialise(one.slide)})


def _unchanged(one: Unchanged | None) -> dict[str, Any]:
    """How often it passes an unchanged model, what would make that 80 %, and what unchanged is."""
    if one is None or one.undefined is not None:
        return {
            "chance_unchanged_passes": None,
            "margin_for_80": None,
            "items_for_80": None,
            "unchanged": None if one is None else {"undefined": one.undefined},
        }
    return {
        "chance_unchanged_passes": estimates.finite(one.chance),
        "margin_for_80": estimates.finite(one.margin),
        "items_for_80": _whole(one.items),
        "unchanged": {"means": one.meaning, "answers": one.answers, "nights": one.nights},
    }


def _whole(n: float) -> int | None:
    return math.ceil(n) if math.isfinite(n) else None


def _record(one: Decided) -> dict[str, Any]:
    found = _json(one)
    found.pop("flips")
    difference, coverage = found.pop("difference"), found.pop("coverage")
    if one.slide is not None:
        found["slide"] = one.slide.outcome
    meant = found.pop("unchanged") or {}
    found["unchanged_means"] = meant.get("means") or meant.get("undefined")
    return (
        found
        | {f"difference_{name}": difference[name] for name in ("value", "low", "high", "missing")}
        | {f"coverage_{name}": value for name, value in coverage.items()}
    )


def _table(report: GateReport) -> Table:
    rows = [
        [
            WORDS[one.decision],
            f"{one.benchmark}@{one.version}",
            one.judge,
            measured(one) if one.higher_is_better else f"{measured(one)}, lower is better",
            _number(one.values[1], one),
            _number(one.values[0], one),
            estimates.text(one.difference, digits=metric(one.metric).digits),
            _number(one.max_drop, one),
            estimates.p_text(one.p_adjusted),
            *_passes(one),
            _number(one.detectable_drop, one),
            str(one.difference.units),
        ]
        for one in report.tests
    ]
    notes = [alarm_words(one) for one in report.alarms]
    notes += [
        f"{one.benchmark}, {one.judge}, {measured(one)}: {said}"
        for one in report.tests
        if (said := only_at(one)) is not None
    ]
    notes += unchanged_words(report)
    notes += margin_words(report)
    notes += report.notes
    notes += [
        f"{one.benchmark}, {one.judge}, {measured(one)}: {one.because}"
        for one in report.tests
        if one.because
    ]
    notes += [
        f"{one.benchmark}, {one.judge}, {measured(one)}: worse, but within the allowed "
        f"{'drop' if one.higher_is_better else 'rise'}"
        for one in report.tests
        if one.decision == "pass" and _surely_worse(one)
    ]
    notes += [
        f"{one.benchmark}, {one.judge}, {measured(one)}: {_CONFIRMED[one.confirmation]}"
        for one in report.tests
        if one.confirmation in _CONFIRMED
    ]
    notes += [
        f"{one.benchmark}, {one.judge}, {measured(one)}: {slide.in_words(one.slide)}"
        for one in report.tests
        if one.slide is not None
    ]
    notes = list(dict.fromkeys(notes))
    return Table(
        title=f"{WORDS[report.verdict]}: {report.candidate} against {report.baseline}",
        subtitle=_rule(report),
        columns=[
            Column(title="decision"),
            Column(title="benchmark", wraps=True),
            Column(title="judge", wraps=True),
            Column(title="metric", wraps=True),
            Column(title="baseline", align="right"),
            Column(title="candidate", align="right"),
            Column(title="difference", align="right"),
            Column(title="allowed drop", align="right"),
            Column(title="p", align="right"),
            Column(title="unchanged passes", align="right", spare=True),
            Column(title="drop for 80 %", align="right", spare=True),
            Column(title="detectable", align="right", spare=True),
            Column(title="items", align="right", spare=True),
        ],
        rows=rows,
        notes=notes,
    )


_RATES = {"holm": "family-wise error rate", "bh": "false discovery rate"}
_CORRECTIONS = {"holm": "Holm", "bh": "Benjamini–Hochberg"}


def _rule(report: GateReport) -> str:
    """How sure each decision is, and that what is printed is what decides."""
    rate, name = _RATES[report.correction], _CORRECTIONS[report.correction]
    several = len(report.tests) > 1
    said = f"{rate} {100 * report.alpha:.3g} % ({name}); " if several else ""
    called = f"the level that decides among {len(report.tests)} tests" if several else "as much"
    return (
        f"{said}the lower bound, at {100 * (1.0 - report.alpha):.4g} %, decides a pass, and the "
        f"upper, at {called}, a regression; detectable with a chance of 80 %"
    )


def _passes(one: Decided) -> list[str]:
    """How often an unchanged model passes, and the drop that would have to be allowed."""
    found = one.unchanged
    if found is None or math.isnan(found.chance):
        return [estimates.UNDEFINED, estimates.UNDEFINED]
    return [percent(found.chance), _number(found.margin, one)]


def only_at(one: Decided) -> str | None:
    """That a decision is one at one of two drops alone; None for one that is not."""
    if one.by_strict and one.strict_drop is not None:
        strict = drop_words(one.strict_drop, one.metric)
        return f"a regression at {strict}; it would pass at {drop_words(one.max_drop, one.metric)}"
    if one.decision != "pass" or one.passes_at_strict is not False or one.strict_drop is None:
        return None
    strict = drop_words(one.strict_drop, one.metric).removesuffix(" points")
    return f"passes at {drop_words(one.max_drop, one.metric)}, not at {strict}"


def unchanged_words(report: GateReport) -> list[str]:
    """How often this gate passes an unchanged model, what would make it 80 %, what that means."""
    return unchanged_in_words(
        [
            Said(
                about=f"{one.benchmark}, {one.judge}, {measured(one)}",
                metric=one.metric,
                max_drop=one.max_drop,
                units=one.difference.units,
                unchanged=one.unchanged,
                higher_is_better=one.higher_is_better,
            )
            for one in report.tests
            if one.unchanged is not None
        ],
        report.chance_unchanged,
    )


def margin_words(report: GateReport) -> list[str]:
    """How allowed drops were chosen that nobody stated."""
    return [
        f"{one.benchmark}, {one.judge}: allowed drop by {one.margin_source}"
        for one in report.tests
        if one.margin_source.startswith("default")
    ]


def _flips(one: Decided, texts: Questions) -> Table:
    return Table(
        title=_flips_title(one),
        subtitle=_flips_counted(one),
        columns=[*_FLIP_COLUMNS, Column(title="question", wraps=True)],
        rows=[
            [*_moved(flip, one), head(texts.get((one.benchmark, flip.item_id), ""))]
            for flip in worst_first(one.flips)
        ],
    )


def _whole_flips(one: Decided, questions: Questions, answers: Answers) -> Table:
    def answer(model_id: str, flip: Flip) -> str:
        return _body(answers.get((one.benchmark, model_id, flip.item_id)))

    said = [
        Column(title=title, wraps=True, lines=True)
        for title in ("question", "baseline's answer", "candidate's answer")
    ]
    return Table(
        title=_flips_title(one),
        subtitle=_flips_counted(one),
        columns=[*_FLIP_COLUMNS, *said],
        rows=[
            [
                *_moved(flip, one),
                _body(questions.get((one.benchmark, flip.item_id))),
                answer(one.baseline_id, flip),
                answer(one.candidate_id, flip),
            ]
            for flip in worst_first(one.flips)
        ],
    )


_FLIP_COLUMNS = (
    Column(title="item"),
    Column(title="baseline", align="right"),
    Column(title="candidate", align="right"),
)


def _moved(flip: Flip, one: Decided) -> list[str]:
    return [flip.item_id, _number(flip.baseline, one), _number(flip.candidate, one)]


def _flips_title(one: Decided) -> str:
    return f"{one.benchmark}@{one.version}, {one.judge}: items that flipped"


def _flips_counted(one: Decided) -> str:
    return (
        f"{len(one.flips)} differ: {sum(f.gain < 0 for f in one.flips)} against the "
        f"candidate, {sum(f.gain > 0 for f in one.flips)} for it"
    )


def _body(text: str | None) -> str:
    """A text as it is, with its lines; one that is too long for a page says how much is left."""
    if text is None:
        return "(not in the store)"
    lines = text.replace("\r\n", "\n").expandtabs(4)
    more = len(lines) - _LONGEST
    return lines if more <= 0 else f"{lines[:_LONGEST]}… ({more:,} more characters)"


def worst_first(flips: Sequence[Flip], most: int = MOST_FLIPS) -> list[Flip]:
    """The items that moved most, those that cost the candidate most first."""
    return sorted(flips, key=lambda flip: (flip.gain, flip.item_id))[:most]


def head(text: str) -> str:
    """The beginning of a text, on one line."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def measured(one: Decided) -> str:
    return of_confidence(one.metric, one.confidence)


def _number(value: float, one: Decided) -> str:
    return (
        estimates.UNDEFINED
        if not math.isfinite(value)
        else f"{value:.{metric(one.metric).digits}f}"
    )


def junit(report: GateReport, texts: Questions) -> str:
    """JUnit XML: a test case for each test; a regression is a failure, an open question an error.

    Characters that XML does not have are left out of texts.
    """
    suite = ET.Element(
        "testsuite",
        name=_xml(f"judgebench gate: {report.candidate} against {report.baseline}"),
        tests=str(len(report.tests)),
        failures=str(sum(one.verdict == "regression" for one in report.tests)),
        errors=str(sum(one.verdict == "inconclusive" for one in report.tests)),
    )
    for one in report.tests:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=_xml(f"{one.benchmark}@{one.version}"),
            name=_xml(f"{measured(one)} by {one.judge}"),
        )
        if one.verdict != "pass":
            kind = "failure" if one.verdict == "regression" else "error"
            found = ET.SubElement(case, kind, message=_xml(in_words(one)), type=one.verdict)
            found.text = _xml("\n".join([in_words(one), *flip_lines(one, texts)]))
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def flip_lines(one: Decided, texts: Questions) -> list[str]:
    """The items that moved most, each with the beginning of its question."""
    return [
        f"{flip.item_id}: {_number(flip.baseline, one)} -> {_number(flip.candidate, one)}  "
        f"{head(texts.get((one.benchmark, flip.item_id), ''))}"
        for flip in worst_first(one.flips)
    ]


def in_words(one: Decided) -> str:
    """One test in a sentence that a person can act on.

    ``REGRESSION: accuracy fell from 0.742 (last-week) to 0.647 (nightly): -0.095, 90 % CI [-0.124,
    -0.071]; allowed drop 0.030; 41 items worse, 3 better``
    """
    candidate, baseline = one.values
    if candidate == baseline:
        moved = f"stayed at {_number(candidate, one)} ({one.candidate}, as {one.baseline})"
    else:
        moved = (
            f"{'fell' if candidate < baseline else 'rose'} from {_number(baseline, one)} "
            f"({one.baseline}) to {_number(candidate, one)} ({one.candidate})"
        )
    limit = "drop" if one.higher_is_better else "rise"
    worse = sum(flip.gain < 0.0 for flip in one.flips)
    said = (
        f"{WORDS[one.verdict]}: {measured(one)} {moved}: "
        f"{_with_interval(one)}; allowed {limit} {_number(one.max_drop, one)}"
    )
    if one.flips:
        said += f"; {counted(worse, 'item')} worse, {len(one.flips) - worse:,} better"
    if one.decision == "pass" and _surely_worse(one):
        said += f"; worse, but within the allowed {limit}"
    said = "; ".join([said, *filter(None, (only_at(one), one.because))])
    if one.slide is not None and one.slide.outcome == "slide":
        said += f"; {slide.in_words(one.slide)}"
    return said


def _surely_worse(one: Decided) -> bool:
    """Whether the bound that calls a regression says so."""
    low, high = one.difference.low, one.difference.high
    return high < 0.0 if one.higher_is_better else low > 0.0


def _with_interval(one: Decided) -> str:
    """A difference, its interval, and with which level that holds."""
    figure, found = f".{metric(one.metric).digits}f", one.difference
    if not math.isfinite(found.value):
        return "difference not known"
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return f"{found.value:+{figure}}"
    ends = f"[{found.low:+{figure}}, {found.high:+{figure}}]"
    return f"{found.value:+{figure}}, {100 * found.level:.3g} % CI {ends}"


def alarm_words(one: Alarm) -> str:
    """What changed beside the model, in a sentence."""
    return f"ALARM {one.benchmark}, {one.judge}: {one.text}"


def _xml(text: str) -> str:
    return "".join(
        c for c in text if c in "\t\n" or 0x20 <= ord(c) < 0xD800 or 0xE000 <= ord(c) < 0xFFFE
        or ord(c) >= 0x10000
    )  # fmt: skip
