"""What came of a gate: for people, for scripts and for CI.

Workflow commands are how GitHub shows decisions, and faults, beside a commit: a line on stdout or
stderr that begins with ``::`` is a command to the runner, and ``%``, line ends and, in properties,
``:`` and ``,`` are written as their codes
(https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands). Names and
questions are others' text: each annotation is one line, and nothing in it can begin another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias
from xml.etree import ElementTree as ET

from judgebench.metrics.registry import metric
from judgebench.plain_text import counted, printable
from judgebench.reports.document import (
    Cells,
    Document,
    Report,
    Rows,
    Table,
    column,
    json_after,
    json_field,
    table,
)
from judgebench.reports.estimates import UNDEFINED, p_text
from judgebench.reports.pair_tests import (
    DIFFERENCES,
    FIGURES,
    MOST_FLIPS,
    NO_TEXTS,
    Flips,
    Meaning,
    PairTest,
    Texts,
    Unchanged,
    drop_words,
    flips_table,
    head,
    percent,
    shared_columns,
    texts_of,
)
from judgebench.reports.render import render
from judgebench.stats.gate_rule import Deciding, Decision
from judgebench.stats.unchanged import CHANCE
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.reports.slide import SlideReport

Confirmation: TypeAlias = Literal["wanted", "confirmed", "refuted", "impossible"]

WORDS = {"pass": "PASS", "regression": "REGRESSION", "inconclusive": "INCONCLUSIVE"}
_CONFIRMED: dict[Confirmation | None, str] = {
    "confirmed": "confirmed: the judge, asked afresh about both models, says so again",
    "impossible": "called without being confirmed: no judge can be asked afresh for it",
}
_NAMES = ("baseline", "baseline"), ("candidate", "candidate")
_RATES = {"holm": "family-wise error rate", "bh": "false discovery rate"}
_CORRECTIONS = {"holm": "Holm", "bh": "Benjamini–Hochberg"}
MEANS: dict[Meaning, str] = {
    "exchanged": "unchanged: the two models' verdicts exchanged at random, item by item (one model "
    "asked twice can differ less, by up to √2, and pass more often)",
    "asked again": "unchanged: the baseline itself asked again, whose answers vary as they did",
}

_MOST_SAID = 4
_COMMAND = {"regression": "error", "inconclusive": "warning"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult(PairTest):
    """One test of a gate and what came of it.

    judge_id, candidate_id, baseline_id
        Short ids.
    opponent
        With whom both were compared, where the test says so.
    level_low, level_high
        With which each bound holds by itself: a pass is decided at 1 - alpha, a regression at the
        level that the test has among all tests of the policy.
    p_value, p_adjusted
        Of a candidate that is no worse.
    to_decide
        How many items decide with a chance of 80 %, if the true difference is as observed.
    by_strict
        Whether it is a regression by ``strict_drop`` alone, and would pass at ``max_drop``.
    strict_drop, passes_at_strict
        A smaller drop at which it is said as well whether it passes; None where none was asked for.
    margin_source
        Where the allowed drop is from: ``policy``, ``--max-drop``, or how it was chosen.
    confirmation
        What came of asking the judge afresh, for a policy that wants that before a regression is
        called; None where it was not in question.
    slide
        What all nights since the policy's fixed baseline say together; None without one. It is a
        decision of its own.
    """

    judge_id: str | None
    candidate_id: str
    baseline_id: str
    level_low: float
    level_high: float
    margin_source: str = "policy"
    strict_drop: float | None = json_field(name="default_drop", default=None)
    passes_at_strict: bool | None = json_field(name="passes_at_default", default=None)
    by_strict: bool = json_field(name="regression_at_default_only", default=False)
    decision: Decision
    confirmation: Confirmation | None = None
    to_decide: Deciding | None = json_field(hidden=True)
    opponent: str | None = json_field(omit_empty=True, default=None)
    slide: SlideReport | None = json_field(omit_empty=True, default=None)

    @property
    def place(self) -> str:
        against = "" if self.opponent is None else f" against {self.opponent}"
        return f"{self.benchmark}@{self.version}{against}"

    @property
    @json_after("margin_for_80")
    def items_for_80(self) -> int | None:
        """With so many items an unchanged model would pass the whole policy on 80 % of nights."""
        return None if self.unchanged is None else _whole(self.unchanged.items)

    @property
    @json_after("items_for_80", key="unchanged")
    def means_unchanged(self) -> dict[str, Any] | None:
        """What an unchanged model is, or why nothing is known of it."""
        one = self.unchanged
        if one is None or one.undefined is not None:
            return None if one is None else {"undefined": one.undefined}
        return {"means": one.meaning, "answers": one.answers, "nights": one.nights}

    @property
    def unchanged_means(self) -> str | None:
        """The same in a word."""
        return (
            None if self.unchanged is None else self.unchanged.undefined or self.unchanged.meaning
        )

    @property
    @json_after("detectable_difference")
    def items_to_decide(self) -> int | None:
        return None if self.to_decide is None else _whole(self.to_decide.fewest)

    @property
    def verdict(self) -> Decision:
        """A regression if the night or the slide says so, else what the night says."""
        slid = self.slide is not None and self.slide.outcome == "slide"
        return "regression" if slid else self.decision

    @property
    def worst(self) -> Flips:
        """The items that moved most, those that cost the candidate most first."""
        return self.flips[:MOST_FLIPS]

    @property
    def allowed(self) -> str:
        """The allowed drop with the metric's digits, or up to two more where somebody said them."""
        digits = metric(self.metric).digits
        said = (f"{self.max_drop:.{digits + more}f}" for more in range(3))
        return next((one for one in said if float(one) == self.max_drop), self.text(self.max_drop))

    @property
    def within(self) -> str | None:
        """That the candidate is surely worse, and passes."""
        low, high = self.difference.low, self.difference.high
        worse = high < 0.0 if self.higher_is_better else low > 0.0
        return f"worse, but within the allowed {self.limit}" if worse and self.passed else None

    @property
    def passed(self) -> bool:
        return self.decision == "pass"

    @property
    def only_at(self) -> str | None:
        """That a decision is one at one of two drops alone; None for one that is not."""
        if self.strict_drop is None:
            return None
        most, strict = (drop_words(d, self.metric) for d in (self.max_drop, self.strict_drop))
        if self.by_strict:
            return f"a regression at {strict}; it would pass at {most}"
        if not self.passed or self.passes_at_strict is not False:
            return None
        return f"passes at {most}, not at {strict.removesuffix(' points')}"

    def in_words(self) -> str:
        """The test in a sentence that a person can act on.

        ``REGRESSION: accuracy fell from 0.742 (last-week) to 0.647 (nightly): -0.095, 90 % CI
        [-0.124, -0.071]; allowed drop 0.030; 41 items worse, 3 better``
        """
        mine, theirs = self.candidate_value, self.baseline_value
        if mine == theirs:
            moved = f"stayed at {self.text(mine)} ({self.candidate}, as {self.baseline})"
        else:
            moved = (
                f"{'fell' if mine < theirs else 'rose'} from {self.text(theirs)} "
                f"({self.baseline}) to {self.text(mine)} ({self.candidate})"
            )
        said = [
            f"{WORDS[self.verdict]}: {self.measured} {moved}: {self._with_interval()}",
            f"allowed {self.limit} {self.allowed}",
            f"{counted(self.worse, 'item')} worse, {self.better:,} better" if self.flips else None,
            self.within,
            self.only_at,
            self.because,
        ]
        if self.slide is not None and self.slide.outcome == "slide":
            said.append(self.slide.in_words)
        return "; ".join(filter(None, said))

    def _with_interval(self) -> str:
        """A difference, its interval, and with which level that holds."""
        found = self.difference
        if not math.isfinite(found.value):
            return "difference not known"
        value = self.text(found.value, "+")
        if not (math.isfinite(found.low) and math.isfinite(found.high)):
            return value
        ends = f"[{self.text(found.low, '+')}, {self.text(found.high, '+')}]"
        return f"{value}, {100 * found.level:.3g} % CI {ends}"

    def flip_lines(self, texts: Texts) -> list[str]:
        """The items that moved most, each with the beginning of its question."""
        return [
            f"{flip.item_id}: {self.text(flip.baseline)} -> {self.text(flip.candidate)}  "
            f"{head(texts.questions.get((self.benchmark, self.version, flip.item_id), ''))}"
            for flip in self.worst
        ]


def _whole(n: float) -> int | None:
    return math.ceil(n) if math.isfinite(n) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """What changed beside the model, whatever became of the tests."""

    kind: Literal["judge_drift", "served_model"]
    benchmark: str
    judge: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport(Report):
    """The tests of a policy, the verdict over all of them, and what else changed.

    chance_unchanged_passes
        How often all tests pass a model that is as good as the baseline; nan where that is not
        known of one of them.
    """

    ROWS: ClassVar = (
        Rows(
            of="tests",
            row=(
                "benchmark", "version", "metric", "confidence", "higher_is_better", "judge",
                "judge_id", "baseline", "candidate", "baseline_id", "candidate_id",
                "baseline_value", "candidate_value", "level_low", "level_high", "max_drop",
                "margin_source", "default_drop", "passes_at_default", "regression_at_default_only",
                "chance_unchanged_passes", "margin_for_80", "items_for_80", "p_value",
                "p_adjusted", "decision", "because", "confirmation", "detectable_difference",
                "items_to_decide", ("slide", "slide.outcome"), "unchanged_means", *FIGURES,
            ),
        ),
    )  # fmt: skip
    CHART: ClassVar = DIFFERENCES

    verdict: Decision
    candidate: str
    baseline: str
    alpha: float
    correction: str
    chance_unchanged_passes: float = math.nan
    tests: tuple[GateResult, ...]
    alarms: tuple[Alarm, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{WORDS[self.verdict]}: {self.candidate} against {self.baseline}"

    def tables(self, texts: Texts | None = None, *, answers: bool = False) -> list[Table]:
        """The tests, and with texts the items that flipped; on a page with both answers."""
        shown = [] if texts is None else [one for one in self.tests if one.flips]
        return [self._tests(), *(_flips(one, texts or NO_TEXTS, answers) for one in shown)]

    def _tests(self) -> Table:
        columns: list[Cells[GateResult]] = [
            column("decision", lambda one: WORDS[one.decision]),
            *shared_columns(*_NAMES),
            column("allowed drop", lambda one: one.allowed, align="right"),
            column("p", lambda one: p_text(one.p_adjusted), align="right"),
            column("unchanged passes", _chance, align="right", spare=True),
            column(
                "drop for 80 %", lambda one: one.text(one.margin_for_80), align="right", spare=True
            ),
            column(
                "detectable", lambda one: one.text(one.detectable_difference),
                align="right", spare=True,
            ),
            column("items", lambda one: str(one.difference.units), align="right", spare=True),
        ]  # fmt: skip
        return table(
            self.title,
            self.tests,
            columns,
            subtitle=self._rule(),
            notes=list(dict.fromkeys(self._notes())),
        )

    def _rule(self) -> str:
        """How sure each decision is, and that what is printed is what decides."""
        rate, name = _RATES[self.correction], _CORRECTIONS[self.correction]
        several = len(self.tests) > 1
        said = f"{rate} {100 * self.alpha:.3g} % ({name}); " if several else ""
        called = f"the level that decides among {len(self.tests)} tests" if several else "as much"
        return (
            f"{said}the lower bound, at {100 * (1.0 - self.alpha):.4g} %, decides a pass, and the "
            f"upper, at {called}, a regression; detectable with a chance of 80 %"
        )

    def _notes(self) -> Iterator[str]:
        """Alarms, and then kind by kind what is to be known of the tests."""
        for alarm in self.alarms:
            yield f"ALARM {alarm.benchmark}, {alarm.judge}: {alarm.text}"
        yield from (f"{one.about}: {one.only_at}" for one in self.tests if one.only_at)
        yield from self.unchanged_words()
        for one in self.tests:
            if one.margin_source.startswith("default"):
                yield f"{one.benchmark}, {one.judge}: allowed drop by {one.margin_source}"
        yield from self.notes
        yield from (f"{one.about}: {one.because}" for one in self.tests if one.because)
        yield from (f"{one.about}: {one.within}" for one in self.tests if one.within)
        for one in self.tests:
            if one.confirmation in _CONFIRMED:
                yield f"{one.about}: {_CONFIRMED[one.confirmation]}"
        for one in self.tests:
            if one.slide is not None:
                yield f"{one.about}: {one.slide.in_words}"

    def unchanged_words(self) -> list[str]:
        """How often this gate passes an unchanged model, what would make it 80 %, what it means."""
        return in_words(self.tests, self.chance_unchanged_passes)

    def texts(self, store: Store, most: int = MOST_FLIPS) -> Texts:
        """What the items that flipped and are shown say: their questions, and both answers."""
        both = {name for one in self.tests for name in (one.candidate_id, one.baseline_id)}
        return texts_of(store, [(one, one.flips[:most]) for one in self.tests], both)

    def junit(self, texts: Texts) -> str:
        """JUnit XML: a case for each test; a regression is a failure, an open question an error.

        Characters that XML does not have are left out of texts.
        """
        suites = ET.Element("testsuites")
        verdicts = [one.verdict for one in self.tests]
        suite = ET.SubElement(
            suites,
            "testsuite",
            name=_xml(f"judgebench gate: {self.candidate} against {self.baseline}"),
            tests=str(len(verdicts)),
            failures=str(verdicts.count("regression")),
            errors=str(verdicts.count("inconclusive")),
        )
        for one in self.tests:
            name = _xml(f"{one.measured} by {one.judge}")
            case = ET.SubElement(suite, "testcase", classname=_xml(one.place), name=name)
            if one.verdict != "pass":
                kind, said = "failure" if one.verdict == "regression" else "error", one.in_words()
                found = ET.SubElement(case, kind, message=_xml(said), type=one.verdict)
                found.text = _xml("\n".join([said, *one.flip_lines(texts)]))
        ET.indent(suites)
        return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"

    def annotations(self, texts: Texts) -> Iterator[str]:
        """A line for each alarm, and for each test that did not pass, or only at a larger drop.

        An error for a regression, a notice for such a pass, else a warning. The items that flipped
        follow the sentence, with the beginning of their questions.
        """
        for alarm in self.alarms:
            about = f"{alarm.kind.replace('_', ' ')}: {alarm.benchmark}, {alarm.judge}"
            yield _annotation("warning", about, alarm.text)
        for one in self.tests:
            about = f"{one.place}, {one.measured} by {one.judge}"
            if one.verdict != "pass":
                about = f"{WORDS[one.verdict]}: {about}"
                said = "\n".join([one.in_words(), *one.flip_lines(texts)])
                yield _annotation(_COMMAND[one.verdict], about, said)
            elif one.only_at is not None:
                yield _annotation("notice", about, one.in_words())


def _chance(one: GateResult) -> str:
    chance = one.chance_unchanged_passes
    return UNDEFINED if math.isnan(chance) else percent(chance)


def _flips(one: GateResult, texts: Texts, answers: bool) -> Table:
    return flips_table(
        one,
        one.worst,
        _NAMES,
        texts,
        title=f"{one.place}, {one.judge}: items that flipped",
        subtitle=f"{len(one.flips)} differ: {one.worse} against the candidate, {one.better} for it",
        answers_of=(one.baseline_id, one.candidate_id) if answers else None,
    )


def in_words(tests: Sequence[PairTest], chance: float) -> list[str]:
    """``An unchanged model passes this gate with 22 % chance; 80 % needs …``, and what it means.

    Parameters
    ----------
    chance
        That all of them pass.
    """
    known = [(one, one.unchanged) for one in tests if one.unchanged is not None]
    if not known:
        return []
    if math.isnan(chance):
        why = dict.fromkeys(its.undefined for _, its in known if its.undefined)
        return [f"how often this gate passes an unchanged model is not known: {'; '.join(why)}"]
    alone = len(known) == 1
    of = "this gate" if alone else f"this gate's {len(known):,} tests together"
    said = f"an unchanged model passes {of} with {percent(chance)} chance"
    if chance < CHANCE:
        # Those that alone hold the whole back.
        short = [
            one for one in known if one[1].never is None and not one[1].margin <= one[0].max_drop
        ]
        needs = [_needs(one, its, alone=alone) for one, its in short[:_MOST_SAID]]
        if len(short) > _MOST_SAID:
            needs.append(f"and {len(short) - _MOST_SAID:,} more tests")
        said += f"; {100 * CHANCE:g} % needs {'; '.join(needs)}" if needs else ""
        never = dict.fromkeys(f"{one.about}: {its.never}" for one, its in known if its.never)
        said += "".join(f"; nothing passes, {one}" for one in [*never][:_MOST_SAID])
    meanings: dict[Meaning, set[str]] = {}
    for _, its in known:
        each = meanings.setdefault(its.meaning, set())
        if its.meaning == "asked again":
            several = "s" * (its.answers != 1.0)
            each.add(f"{its.answers:.3g} answer{several} an item against {its.nights:.3g}")
    return [
        said,
        *(
            MEANS[meaning] + (f" ({', '.join(sorted(each))})" if each else "")
            for meaning, each in meanings.items()
        ),
    ]


def _needs(one: PairTest, its: Unchanged, *, alone: bool) -> str:
    ways = []
    if math.isfinite(its.margin):
        ways.append(f"an allowed {one.limit} of {drop_words(its.margin, one.metric)}")
    if math.isfinite(its.items) and its.items > one.difference.units:
        ways.append(f"{math.ceil(its.items):,} items")
    said = " or ".join(ways) or "more items than there can be"
    return said if alone else f"{one.about}: {said}"


def stopped(command: str, code: int, message: str) -> tuple[str, str]:
    """A command that ended with an error: its annotation, and Markdown for the job's summary."""
    title = f"judgebench {command} ended with exit code {code}"
    summary = Table(title=title, columns=[], rows=[], notes=message.splitlines())
    return (
        _annotation("error", title, message),
        render(Document(tables=[summary], records=[], data=None), "md"),
    )


def _annotation(kind: str, title: str, text: str) -> str:
    def data(said: str) -> str:
        said = printable(said, lines=True)
        return said.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    heading = data(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={heading}::{data(text)}"


def _xml(text: str) -> str:
    return "".join(
        c for c in text if c in "\t\n" or 0x20 <= ord(c) < 0xD800 or 0xE000 <= ord(c) < 0xFFFE
        or ord(c) >= 0x10000
    )  # fmt: skip
