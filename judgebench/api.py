"""What scripts and notebooks call; the command line and the dashboard call it too.

Each function takes a ``store``: an address, a path, one that `open_store` gave, or the usual one.
"""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NamedTuple,
    TextIO,
    TypeAlias,
    TypedDict,
    Unpack,
    cast,
    get_args,
)

from judgebench import DEFAULT_STORE, config, registry
from judgebench.errors import (
    ConfigError,
    InputError,
    JudgebenchError,
    ProviderUnavailableError,
    StoreBusyError,
    StoreError,
    UsageError,
    at_once,
    refuse_unknown,
    unknown_name,
)
from judgebench.plain_text import dollars
from judgebench.progress import shown
from judgebench.protocols import NoProgress, Progress
from judgebench.store.opening import open_store as open_live_store
from judgebench.store.store import Store
from judgebench.workers.process import metrics_worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from judgebench.exchange.alpaca_eval_export import AlpacaEvalExport
    from judgebench.exchange.pipeline import ImportReport
    from judgebench.execution.forecast import PlanRow, Range
    from judgebench.execution.manifest import Outcome
    from judgebench.execution.one_judge import Asking
    from judgebench.execution.pool import ProviderPool
    from judgebench.execution.preflight import Finding
    from judgebench.execution.recheck import Unconfirmed
    from judgebench.execution.resolve import ResolvedSuite
    from judgebench.execution.slurm import Submitted
    from judgebench.metrics.board_kinds import Kind
    from judgebench.metrics.intervals import Intervals
    from judgebench.records import RunManifest
    from judgebench.reports.agreement import AgreementReport
    from judgebench.reports.board import LengthControl
    from judgebench.reports.board_tables import Leaderboard
    from judgebench.reports.boards import BenchmarkRef
    from judgebench.reports.bundle import Verified
    from judgebench.reports.compare import Comparison
    from judgebench.reports.confidence import ConfidenceReport
    from judgebench.reports.cost import CostReport, ForgottenReport
    from judgebench.reports.doctor import Doctor
    from judgebench.reports.document import Composed, Document
    from judgebench.reports.drift import DriftReport
    from judgebench.reports.evaluators import EvaluatorReport
    from judgebench.reports.gate_policy import GateFile, Policy
    from judgebench.reports.gate_result import GateReport
    from judgebench.reports.judge_card import JudgeCard
    from judgebench.reports.judge_sweep import JudgeSweep
    from judgebench.reports.length_calibrations import LengthFit
    from judgebench.reports.nights import Nights
    from judgebench.reports.pair_tests import Texts
    from judgebench.reports.paper import Paper, PaperTable
    from judgebench.reports.plan import Plan
    from judgebench.reports.probe import ProbeReport
    from judgebench.reports.ranking import Control, Rankings
    from judgebench.reports.rejudge import Rejudged
    from judgebench.reports.replies import JudgedReply, Replies
    from judgebench.reports.reproduce import Reproductions
    from judgebench.reports.run_boards import RunBoards
    from judgebench.reports.run_diff import RunDiff
    from judgebench.reports.runs import RunDetails, RunList, RunsWatch
    from judgebench.reports.training import Training
    from judgebench.reports.versions import BaselineList
    from judgebench.stats.agreement import Weighting
    from judgebench.stats.confidence import RougeL
    from judgebench.stats.pair_outcomes import Conflict, UnreadableSide
    from judgebench.stats.ranking import Ties
    from judgebench.stats.style_control import Definition
    from judgebench.store.catalog import Columns
    from judgebench.store.read import StoredAnchors, StoredBaseline


class StoredResults:
    """A store opened for reading, with pandas DataFrames for notebooks.

    Safe to use while a run writes: every call is one short read. Every function that takes a
    ``store`` takes this one, too.

    Raises
    ------
    StoreError
        Of every method, once it was closed.
    """

    def __init__(self, store: Store) -> None:
        self._open: Store | None = store
        self.url = store.url

    @property
    def _store(self) -> Store:
        if self._open is None:
            raise StoreError("this store was closed; judgebench.open_store opens it again")
        return self._open

    def __enter__(self) -> StoredResults:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def verdicts(
        self,
        benchmark: str,
        version: str | None = None,
        *,
        judges: Collection[str] | None = None,
        models: Collection[str] | None = None,
    ) -> pd.DataFrame:
        """The verdict that counts at each place, one a row.

        Parameters
        ----------
        benchmark, version
            All versions if none is named; each row says its own.
        judges, models
            Names or short ids; all if not given.
        """
        return _frame(self._store.verdicts(benchmark, version, judges=judges, models=models))

    def responses(self, benchmark: str, version: str | None = None) -> pd.DataFrame:
        """The answers, one a row."""
        return _frame(self._store.responses_table(benchmark, version))

    def failures(self, benchmark: str | None = None) -> pd.DataFrame:
        """What could not be done, and whether asking again may help."""
        return _frame(self._store.failures(benchmark))

    def spend(self, run: str | None = None) -> pd.DataFrame:
        """What a run took, or all of them: calls, tokens, US dollars, by who was asked and how.

        ``cost_usd`` is of the calls with a known price; ``unpriced_calls`` says how many have none.
        Of recorded replies it is what they had cost, and no part of what was spent.
        """
        return _frame(self._store.spend(run))

    def benchmarks(self) -> list[tuple[str, str]]:
        """Names and versions that the store holds."""
        return self._store.benchmarks()


Results: TypeAlias = "str | Path | StoredResults | Store | None"
"""A store by its address or path, one that is open, or None for the usual one."""
Paths: TypeAlias = "str | Path | Sequence[str | Path]"
Files: TypeAlias = "Paths | Sequence[Mapping[str, Any]] | pd.DataFrame"
"""One file or several, or rows that are at hand."""


def _frame(columns: Any) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)


def open_store(url: str | Path | None = None) -> StoredResults:
    """Open a store for reading: this one, else that of ``JUDGEBENCH_STORE``, else the default.

    >>> with judgebench.open_store() as store:
    ...     store.benchmarks()[:2]
    [('support', 'c6d9710f61d0'), ('support_once', 'c6d9710f61d0')]

    Raises
    ------
    StoreError
        Where there is no store, or it cannot be read.
    """
    return StoredResults(open_live_store(store_url(None, url), read_only=True))


def leaderboard(
    benchmarks: str | Sequence[str],
    *,
    store: Results = None,
    judges: str | Sequence[str] = (),
    models: str | Sequence[str] = (),
    metrics: str | Sequence[str] = (),
    panels: str | Sequence[str] = (),
    by: str | Sequence[str] = (),
    level: float = 0.95,
    rank_by: str | None = None,
    rank_suspicious: bool = False,
    length_control: LengthControl = "exact",
    sort: str | None = None,
    published: bool = False,
    published_as: Mapping[str, str] | Sequence[str] = (),
    bundle: str | Path | None = None,
    corrected: bool = False,
    width: float | None = None,
    best_of: str | None = None,
    spread: bool = False,
    upstream: bool = False,
    style_control: Definition | None = None,
    beside: str | Sequence[str] = (),
) -> Leaderboard:
    """The leaderboards of one or several benchmarks, one for each judge.

    The same store gives the same numbers. As a table (``to_frame``) it has a row for each number:
    one metric is one row a model, and benchmarks stand side by side with ``pivot``.

    >>> boards = judgebench.leaderboard(
    ...     ["trivia_judging_mini", "mixeval_mini"], metrics="accuracy", judges="contains"
    ... )
    >>> frame = boards.to_frame()
    >>> frame[frame["rank"] == 1]["model"].tolist()
    ['taker-careful']

    Parameters
    ----------
    benchmarks
        Each ``NAME`` or ``NAME@VERSION``.
    store
        An address, a path, or a store that is open; else that of ``JUDGEBENCH_STORE``, or the
        default.
    judges, models
        Names as boards show them, other names they go by, or ids; all if empty. Ranks are among all
        models, whichever are shown.
    metrics
        Only these, in this order: `accuracy`, `score`, `win_rate`, `length_controlled_win_rate`, …
    panels
        Judges whose verdicts are combined besides: ``mean(a,b)``, ``majority(a,b,c)``.
    by
        Ways of grouping items (``category``, ``language``, a field of theirs): each group has a
        metric of its own, ``METRIC/group``.
    level
        Of the intervals.
    rank_by
        ``win_rate``, or ``length_controlled_win_rate`` where a board has it; if None what users of
        the benchmark expect: of ``alpaca_eval`` the length-controlled one where it can be computed.
    rank_suspicious
        Rank models whose answers may be meant for the judge. Unasked they come last, without a
        rank, and count in nobody's.
    length_control
        ``exact``, ``compat``, ``both`` or ``off``.
    sort
        Rows by a metric, the greatest first; with a minus before it the least first; or ``model``.
    published, published_as
        Also the published boards of the one benchmark, as rows of reference; and how a model is
        called there, where no name of it is (a mapping, or ``OURS=PUBLISHED``).
    bundle
        Also write the boards with all that they rest on to this file, for `verify`.
    corrected, width
        Also what people would say, by their labels on a random sample of the answers (metrics
        `corrected`, `labels_alone`, `rogan_gladen`, `labels_count_as`), and how many `more_labels`
        make its interval this wide; a tenth of the scale if None.
    best_of
        A judge that scored several answers of a model to each item: also what judges say of the
        best by it of 1, 2, … of them, expected over all choices, in ``best_of``.
    spread
        Also how the scores of such a model vary by item, sample and judge, in ``spread``.
    upstream
        Of Arena-Hard: also upstream's own interval, which is too narrow.
    style_control
        Of Arena-Hard: also scores as if all answers were of the baseline's style, as version
        ``v0.1`` or ``v2.0`` has it. They belong to the set of models on the board.
    beside
        Further benchmarks (``xstest``), whose figures stand beside those of ``benchmarks``;
        ``costs`` then says which model is ahead there and refuses more, or is harmful, here.

    Returns
    -------
    Leaderboard
        ``boards`` are the boards, typed; ``notes`` what else was found. The table has
        ``benchmark``, ``version``, ``judge``, ``opponent`` (of comparisons) say which board;
        ``rank``, ``rank_low``, ``rank_high``, ``model``, ``model_id`` who; ``metric`` what;
        ``value``, ``low``, ``high``, ``level``, ``n`` (verdicts), ``units`` (items), ``missing``,
        ``worst_low``, ``worst_high``, ``method`` and ``undefined`` (why there is no value) the
        estimate; then the counts of the model on that board, its ``flags``, and in ``suspicious``
        why its answers may be meant for the judge. Best model first within each board; whole
        numbers that may be missing are ``Int64``.

    Raises
    ------
    UsageError
        For a benchmark, judge, model, metric or grouping that the store does not hold.
    """
    from judgebench.reports.board import LengthControl, references
    from judgebench.reports.board_tables import Leaderboard
    from judgebench.reports.leaderboard import BoardRequest, no_boards

    if not _listed(benchmarks=benchmarks):
        raise UsageError("benchmarks: name one or several")
    _check_numbers(level=level)
    _check_choice("length_control", length_control, LengthControl)
    if style_control is not None:
        from judgebench.stats.style_control import Definition

        _check_choice("style_control", style_control, Definition)
    named = published_as if isinstance(published_as, Mapping) else {}
    if published_as and not named:
        from judgebench.reports.published import read_names

        named = read_names(published_as)
    request = BoardRequest(
        benchmarks=(*_listed(benchmarks=benchmarks), *_listed(beside=beside)),
        judges=tuple(_listed(judges=judges)),
        models=tuple(_listed(models=models)),
        columns=tuple(_listed(metrics=metrics)),
        sort=sort,
        panels=tuple(_listed(panels=panels)),
        length_control=length_control,
        rank_by=rank_by,
        rank_suspicious=rank_suspicious,
        by=tuple(_listed(by=by)),
        level=level,
        published_as=named,
        corrected=corrected,
        width=width,
        upstream=upstream,
        style_control=style_control,
    )
    if corrected and bundle is not None:
        raise UsageError("a bundle has no record of how labels were drawn: leave out --corrected")
    if width is not None and not (corrected and width > 0.0):
        raise UsageError("--width is of corrected intervals, and above 0: give --corrected too")
    first, judged, url = request.benchmarks[0], request.judges, store_url(None, store)
    if published and len(set(request.benchmarks)) > 1:
        raise UsageError("--published takes one benchmark at a time")
    if published and bundle is not None:
        raise UsageError("a bundle has boards of verdicts; --published boards rest on none")
    if published and not (judged or request.panels or published_as or _holds(url, first)):
        return _published_alone(first, f"{url} holds nothing of {first}", request.by)
    with reading(store) as its:
        found = request.found(its)
        if not any(found.values()):
            if not published:
                raise no_boards(request.benchmarks, judged)
            nothing = f"no judge has judged anything on {first} yet"
            return _published_alone(first, nothing, request.by)
        of_these = " of these judges" if judged else ""
        notes = [f"{name} has no board{of_these}" for name, boards in found.items() if not boards]
        boards = [board for of in found.values() for board in of]
        if request.models or request.columns or request.sort is not None:
            boards = request.chosen(its, boards)
        if bundle is not None:
            from judgebench.reports.bundle import write_bundle

            write_bundle(Path(bundle), its, url, request)
            notes.append(f"written: {bundle}; `judgebench verify {bundle}` computes it again")
        told: dict[str, Any] = {}
        if best_of or spread:
            from judgebench.reports.samples import samples_told

            told = samples_told(its, request, best_of=best_of, spread=spread)
    theirs = references(boards[0].benchmark, boards[0].version) if published else None
    others = [name.partition("@")[0] for name in _listed(beside=beside)]
    whole = Leaderboard.of(boards, published=theirs, by=request.by, beside=others)
    return replace(whole, notes=tuple(notes), **told)


def _holds(url: str, benchmark: str) -> bool:
    """Whether there is a store that holds the benchmark, in the version that is named if one is.

    A benchmark that nobody describes counts as held: what is wrong with it is said elsewhere.
    """
    from judgebench.benchmarks.description import split_version
    from judgebench.reports.boards import described

    name, version = split_version(benchmark)
    if described(name) is None:
        return True
    with _store_if_there(url) as opened:
        held = [] if opened is None else opened.benchmarks()
        return any(n == name and version in (None, v) for n, v in held)


def _published_alone(benchmark: str, nothing: str, by: Sequence[str]) -> Leaderboard:
    """What is published of a benchmark of which nothing is here, as the first message says."""
    from judgebench.benchmarks.description import chosen_version, find, split_version
    from judgebench.reports.board import references
    from judgebench.reports.board_tables import Leaderboard

    name, version = split_version(benchmark)
    found = references(name, chosen_version(find(name)[0], version))
    if not found.boards:
        raise UsageError("; ".join((nothing, *found.notes)))
    known = {way for reference in found.boards for way in reference.groups}
    refuse_unknown("published way of grouping", by, known, error=UsageError, about=f"{nothing}; ")
    note = f"{nothing}; what follows is what others published of it"
    return replace(Leaderboard.of((), published=found, by=by), notes=(note,))


def agreement(
    benchmark: str,
    *,
    reference: str | None = None,
    store: Results = None,
    judges: str | Sequence[str] = (),
    between: bool = False,
    versus: str | None = None,
    near_constant: float = 0.95,
    tie_band: float = 0.0,
    conflict: Conflict = "mean",
    unreadable: UnreadableSide = "other",
    weighting: Weighting = "nominal",
    level: float = 0.95,
) -> AgreementReport:
    """How far judges agree with a reference, and by how much one does better than another.

    >>> found = judgebench.agreement("trivia_judging_mini", reference="human/authors")
    >>> frame = found.to_frame()
    >>> kappa = frame[(frame["metric"] == "cohen_kappa") & (frame["scope"] == "pooled")]
    >>> kappa[kappa["judge"] == "contains"]["value"].round(3).tolist()
    [0.721]

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``.
    reference
        A judge by name or id; ``human`` is the majority of ``human/*``, and what is taken where
        people have judged.
    store
        As for `leaderboard`.
    judges
        Only these; all if empty.
    between
        Every two judges as well, in place of a reference where there is none.
    versus
        The judge with which each other is compared, ``all`` or ``best``; else every two of up to
        six judges, and of more each with the best.
    near_constant
        The share of a judge's verdicts on a model that are the same, from which on it is named in
        the warnings.
    tie_band, conflict, unreadable, weighting
        Of preferences: how far from one half a probability is still a tie; what two orders with
        different outcomes are (``mean``, ``tie`` or ``drop``); what a pair is of which one order is
        unreadable (``other`` or ``drop``); and how far apart kappa takes a tie and a win
        (``nominal``, ``linear``, ``quadratic``).
    level
        Of the intervals; a difference's is at the level that decides.

    Returns
    -------
    AgreementReport
        As a table (``to_frame``) a row for each number, what ``judgebench agreement --by-model
        --format csv`` writes: ``benchmark``, ``version``, ``kind`` (of verdicts), ``judge``,
        ``reference``, ``scope`` (``pooled``, ``macro``, ``model``), ``model``, ``opponent``;
        ``metric`` what; ``value``, ``low``, ``high``, ``level``, ``n``, ``units``, ``missing``,
        ``worst_low``, ``worst_high``, ``method`` and ``undefined`` the estimate. In rows of a
        difference (``METRIC_difference``) ``versus`` is the judge whose value is taken off, and
        ``p_value`` and ``p_adjusted`` say how sure it is. ``usd_per_verdict``, ``seconds_median``
        and ``seconds_mean`` are what a verdict took.

    Raises
    ------
    UsageError
        For a name that the store does not hold, and where there is nothing to compare.
    """
    from judgebench.metrics.judge_differences import JudgeChecks, NearConstantRule
    from judgebench.reports.agreement import agreement_reports, or_refused
    from judgebench.stats.agreement import Weighting
    from judgebench.stats.pair_outcomes import OutcomeRule

    intervals = _intervals(level)
    _check_choice("weighting", weighting, Weighting)
    try:
        rule = OutcomeRule(tie_band=tie_band, conflict=conflict, unreadable=unreadable)
        constant = NearConstantRule(share=near_constant)
    except ValueError as error:
        raise UsageError(str(error)) from None
    with reading(store) as its:
        found = agreement_reports(
            its,
            benchmark,
            reference=reference,
            judges=_listed(judges=judges),
            between=between,
            rule=rule,
            weighting=weighting,
            intervals=intervals,
            checks=JudgeChecks(versus=versus, near_constant=constant),
        )
        return or_refused(found, benchmark)


def compare(
    first: str,
    second: str,
    *,
    benchmarks: str | Sequence[str] = (),
    judges: str | Sequence[str] = (),
    metrics: str | Sequence[str] = (),
    by: str | None = None,
    level: float = 0.95,
    corrected: bool = False,
    stop_when_decided: bool = False,
    store: Results = None,
) -> Comparison:
    """Whether one model is better or worse than another, on the items that both were judged on.

    >>> judgebench.compare("this-week", "last-week", benchmarks="support").verdict
    'undecided'

    Parameters
    ----------
    first, second
        Names as boards show them, other names, or ids; differences are the first minus the second.
    benchmarks
        Each ``NAME`` or ``NAME@VERSION``; all that both models have if empty.
    judges, metrics
        Only these; all judges, and accuracy, score, win rate and head to head, if empty.
    by
        Also a test for each category, language, or value of another field of the items.
    level
        One less the error rate over all tests (Holm), and of the intervals.
    corrected
        As people would compare them, by their labels on a random sample of the answers.
    stop_when_decided
        Also where judging would have stopped that goes no further than it takes to decide, and what
        that would have saved.
    store
        As for `leaderboard`.

    Raises
    ------
    UsageError
        For a name that the store does not hold, and where there is nothing to compare.
    """
    from judgebench.reports.compare import comparison

    _check_numbers(level=level)
    with reading(store) as its:
        return comparison(
            its,
            first,
            second,
            benchmarks=_listed(benchmarks=benchmarks),
            judges=_listed(judges=judges),
            metrics=_listed(metrics=metrics),
            by=by,
            level=level,
            corrected=corrected,
            stop_when_decided=stop_when_decided,
        )


def texts(found: Comparison | GateReport, most: int = 10, *, store: Results = None) -> Texts:
    """What so many of the items say that decided each test: questions, and of a gate answers."""
    with reading(store) as its:
        return found.texts(its, most)


def gate(
    *,
    candidate: str,
    baseline: str,
    policy: str | Path | Policy | None = None,
    max_drop: float | None = None,
    alpha: float = 0.05,
    head_to_head: bool = False,
    store: Results = None,
) -> GateReport:
    """The regression gate: is the candidate worse than the baseline by more than is allowed?

    >>> judgebench.gate(candidate="this-week", baseline="last-week", max_drop=0.02).verdict
    'inconclusive'

    Parameters
    ----------
    candidate, baseline
        Names of models; the baseline's may be one that ``judgebench baseline set`` gave, or that of
        a run: ``run:latest~1``.
    policy
        What is tested, or the file that says so; all that both were judged on if None.
    max_drop, alpha, head_to_head
        Without a policy: the allowed drop as a share of the metric's scale, chosen from earlier
        verdicts if None; how often an unchanged model may be called worse, over all tests; and
        whether what is tested are comparisons of the two with each other.
    store
        As for `leaderboard`.

    Raises
    ------
    UsageError
        For a name that the store does not hold, and where there is nothing to test.
    ConfigError
        For a policy that is wrong, naming the field.
    """
    from judgebench.reports.gate import gate_report
    from judgebench.reports.gate_suggest import usual_policy

    _check_numbers(max_drop=max_drop, alpha=alpha)
    asked = _policy(policy)
    with reading(store) as its:
        if asked is None:
            asked = usual_policy(
                its, candidate, baseline, share=max_drop, alpha=alpha, head_to_head=head_to_head
            )
        return gate_report(its, candidate=candidate, baseline=baseline, policy=asked)


def suggest_policy(
    *,
    candidate: str,
    baseline: str,
    chance: float = 0.8,
    alpha: float = 0.05,
    store: Results = None,
) -> str:
    """A policy of the gate (YAML) whose allowed drops an unchanged model passes by a chance.

    No verdict on the candidate has a part in it.

    >>> policy = judgebench.suggest_policy(candidate="nightly", baseline="main")
    >>> policy.splitlines()[0]
    '# Suggested for nightly against main: an unchanged model passes its test'

    Parameters
    ----------
    chance
        With which an unchanged model is to pass all tests.
    alpha
        How often an unchanged model may be called worse, over all tests.
    store
        As for `leaderboard`.
    """
    from judgebench.reports.gate_suggest import suggested

    _check_numbers(chance=chance, alpha=alpha)
    with reading(store) as its:
        return suggested(its, candidate, baseline, chance=chance, alpha=alpha)


def ranking(
    benchmark: str,
    *,
    judges: str | Sequence[str] = (),
    ties: Ties = "half",
    control: Control | None = None,
    reference: str | None = None,
    level: float = 0.95,
    store: Results = None,
) -> Rankings:
    """Models ranked from comparisons (Bradley-Terry), a ranking for each judge.

    >>> [row.model for row in judgebench.ranking("support").rankings[0].rows]
    ['this-week', 'last-week']

    Parameters
    ----------
    benchmark, judges, store
        As for `leaderboard`.
    ties
        A tie as half a win of each, or as an outcome of its own (``davidson``).
    control
        Rank as if answers were equally long (``length``), or as long and as much marked up
        (``style``).
    reference
        The model whose strength is 0; whom models were most often compared with if None.
    level
        Of the intervals.

    Raises
    ------
    UsageError
        For a name that the store does not hold, and where no judge has compared models.
    """
    from judgebench.reports.ranking import Control, Rankings, rankings
    from judgebench.stats.ranking import Ties

    intervals = _intervals(level)
    _check_choice("ties", ties, Ties)
    if control is not None:
        _check_choice("control", control, Control)
    with reading(store) as its:
        found = rankings(
            its,
            benchmark,
            judges=_listed(judges=judges),
            ties=ties,
            control=control,
            reference=reference,
            intervals=intervals,
        )
    if not found:
        raise UsageError(
            f"no judge has compared models on {benchmark} yet; a suite's 'baseline' and "
            "`judgebench import verdicts` (kind preference) bring comparisons"
        )
    return Rankings(rankings=found)


def confidence(
    benchmark: str,
    *,
    correct: str | None = None,
    confidences: str | Sequence[str] = (),
    rouge: RougeL = "lin",
    level: float = 0.95,
    store: Results = None,
) -> ConfidenceReport:
    """Whether models are sure of what is correct: AUROC, ECE, alignment and what belongs to them.

    >>> judgebench.confidence("honestybench_mini", correct="equal").correct
    'equal'

    Parameters
    ----------
    benchmark, store
        As for `leaderboard`.
    correct
        The judge whose labels say which answers are correct; the only one that labels if None.
    confidences
        Only these, by name; all if empty.
    rouge
        The ROUGE-L of Consis-Lex: as published (``lin``), or as HonestyBench's package computes it.
    level
        Of the intervals.

    Raises
    ------
    UsageError
        For a name that the store does not hold, and where no answer has both a label and a
        confidence.
    """
    from judgebench.reports.confidence import confidence_report
    from judgebench.stats.confidence import RougeL

    intervals = _intervals(level)
    _check_choice("rouge", rouge, RougeL)
    with reading(store) as its:
        found = confidence_report(
            its,
            benchmark,
            correct=correct,
            confidences=_listed(confidences=confidences),
            rouge=rouge,
            intervals=intervals,
        )
    if not any(row.metrics["accuracy"].n for row in found.rows):
        reasons = sorted({str(row.metrics["auroc"].undefined) for row in found.rows})
        raise UsageError(
            f"no answer to {benchmark} has both a label of {found.correct} and a confidence: "
            + "; ".join(reasons)
        )
    return found


def evaluators(
    benchmark: str,
    *,
    reference: str | None = None,
    judges: str | Sequence[str] = (),
    others: int | None = None,
    upstream: bool = False,
    level: float = 0.95,
    store: Results = None,
) -> EvaluatorReport:
    """How good the judges that compare are beside people: agreement, bias, variance.

    >>> [row.judge for row in judgebench.evaluators("alpaca_eval_mini").rows]
    ['soft-comparer', 'word-comparer', 'human']

    Parameters
    ----------
    benchmark, judges, store
        As for `leaderboard`.
    reference
        Whom judges are held against; all people who have compared answers if None.
    others
        How many labels of the others a label is compared with; 3, or as many as there are, if None.
    upstream
        Also the numbers as AlpacaEval computes them.
    level
        Of the intervals.

    Raises
    ------
    UsageError
        For a name that the store does not hold, and where no judge has compared answers.
    """
    from judgebench.reports.evaluators import evaluator_report

    intervals = _intervals(level)
    with reading(store) as its:
        found = evaluator_report(
            its,
            benchmark,
            reference=reference,
            judges=_listed(judges=judges),
            others=others,
            upstream=upstream,
            intervals=intervals,
        )
    if not found.rows:
        raise UsageError(
            f"no judge has compared answers on {benchmark} yet; a suite's 'baseline' and "
            "`judgebench import verdicts` (kind preference) bring comparisons"
        )
    return found


def judge_card(
    judge: str,
    *,
    benchmark: str | None = None,
    reference: str | None = None,
    thresholds: Mapping[str, float] | None = None,
    policy: str | Path | None = None,
    level: float = 0.95,
    store: Results = None,
) -> JudgeCard:
    """Whether a judge can be believed, for what, and on which models, from what is stored.

    >>> card = judgebench.judge_card("contains", benchmark="trivia_judging_mini")
    >>> [(one.use, one.believed) for one in card.sections[0].decisions]
    [('scores', 'unknown'), ('ranking', 'unknown')]

    Parameters
    ----------
    judge
        By name or id; each identity of that name has sections of its own.
    benchmark
        As for `agreement`; everything that the judge has judged if None.
    reference
        Whom it is held against; all people together if None.
    thresholds
        What is asked of measures, by name; they go before those of ``policy``, a file of such.
    level
        Of the intervals.

    Raises
    ------
    UsageError
        For a judge, benchmark or measure that is not known, naming the nearest.
    ConfigError
        For a policy that cannot be used.
    """
    from judgebench.reports import judge_card as cards

    intervals = _intervals(level)
    wanted = cards.thresholds_of(thresholds, None if policy is None else Path(policy))
    with reading(store) as its:
        return cards.judge_card(
            its, judge, benchmark, reference=reference, thresholds=wanted, intervals=intervals
        )


def nights(
    model: str,
    benchmark: str | None = None,
    *,
    judge: str | None = None,
    opponent: str | None = None,
    against: str = "",
    fixed: str = "",
    max_drop: float | None = None,
    policy: str | Path | Policy | None = None,
    alpha: float = 0.05,
    newest: int = 60,
    store: Results = None,
) -> Nights:
    """The versions of a name over time on one board, each with the decision of a gate.

    >>> found = judgebench.nights("nightly", "trivia_judging_mini", judge="contains")
    >>> [night.decided is not None for night in found.nights]
    [False, True, True]

    Parameters
    ----------
    model
        A name that several versions went by.
    benchmark, store
        As for `leaderboard`; the only benchmark with a verdict on them if None.
    judge, opponent
        Which board, by names or ids; not needed where there is one. An empty opponent is nobody.
    against
        A baseline's name: each night is held against the model that was called so then; else
        against the night before.
    fixed
        A baseline's name, as it stands now; else the first night: what all nights after it are held
        against together.
    max_drop
        As for `gate`, and before that of the policy.
    policy
        Whose test of this board is made, or the file that says so.
    alpha
        How often an unchanged model may be called worse, on each night.
    newest
        So many nights are told.

    Raises
    ------
    UsageError
        Where the board, or the name on it, is not there, and where several boards could be meant.
    """
    from judgebench.reports.nights import nights as decided

    _check_numbers(max_drop=max_drop, alpha=alpha)
    if newest < 1:
        raise UsageError(f"newest: {newest!r} nights are none; 1 or more")
    asked = _policy(policy)
    with reading(store) as its:
        versions = {
            one.id: f"a model called {model!r}" for one in its.models() if model in one.names
        }
        if not versions:
            known = {name for one in its.models() for name in one.names}
            raise UsageError(f"{its.name}: {unknown_name('model', model, known)}")
        which = _benchmark_of(its, benchmark, versions)
        judge_id, opponent_id = _board_of(its, which, judge, opponent, versions)
        return decided(
            its,
            which.name,
            which.version,
            judge_id,
            model,
            opponent_id=opponent_id,
            against=against,
            fixed=fixed,
            share=max_drop,
            policy=asked,
            alpha=alpha,
            most=newest,
        )


def training(
    run: str,
    benchmark: str | None = None,
    *,
    judge: str | None = None,
    opponent: str | None = None,
    level: float = 0.95,
    store: Results = None,
) -> Training:
    """What a judge says of the checkpoints of a training run, with simultaneous bands.

    >>> found = judgebench.training("exam", "trivia_judging_mini", judge="contains")
    >>> [point.model for point in found.checkpoints]
    ['taker-terse']

    Parameters
    ----------
    run
        As the tag ``training_run`` of its checkpoints says; they have a tag ``step``, too.
    benchmark, store
        As for `leaderboard`; the only benchmark with a verdict on them if None.
    judge, opponent
        Which board, by names or ids; not needed where there is one. An empty opponent is nobody.
    level
        Of the bands.

    Raises
    ------
    UsageError
        For a run that the store does not know, where the judge has judged none of its checkpoints,
        and where several boards could be meant.
    """
    from judgebench.reports.training import training as curve
    from judgebench.reports.versions import training_runs

    _check_numbers(level=level)
    with reading(store) as its:
        known = training_runs(its).runs
        if not known:
            raise UsageError(
                f"{its.name} has no training run: models of a suite are one by their tags, "
                "tags: {training_run: NAME, step: NUMBER}"
            )
        refuse_unknown("training run", [run], known, error=UsageError, about=f"{its.name} has ")
        checkpoints = {one.model_id: f"a checkpoint of {run}" for one in known[run]}
        which = _benchmark_of(its, benchmark, checkpoints)
        judge_id, opponent_id = _board_of(its, which, judge, opponent, checkpoints)
        at = f"{which.name}@{which.version}"
        return curve(its, at, run, judge=judge_id, opponent=opponent_id, level=level)


def _benchmark_of(store: Store, benchmark: str | None, about: Mapping[str, str]) -> BenchmarkRef:
    """The benchmark that is named, or the only one on which some models were judged."""
    from judgebench.metrics.probes import without_probes

    if benchmark is not None:
        return _ref(store, benchmark)
    judged = {
        "@".join(at)
        for at in without_probes(
            (one.benchmark, one.version) for one in store.boards_met() if one.model.id in about
        )
    }
    if len(judged) != 1:
        raise UsageError(
            f"{store.name}: {next(iter(about.values()))} was judged on "
            f"{', '.join(sorted(judged)) or 'no benchmark yet'}; name one"
        )
    return _ref(store, judged.pop())


def _board_of(
    store: Store,
    which: BenchmarkRef,
    judge: str | None,
    opponent: str | None,
    about: Mapping[str, str],
) -> tuple[str, str | None]:
    """The ids of the judge and of the opponent of the one board with a verdict on some models."""
    found: dict[tuple[str, str | None], str] = {}
    known: dict[str, str] = {}
    called = set[str]()
    for one in store.boards_met():
        if (one.benchmark, one.version) != (which.name, which.version) or one.model.id not in about:
            continue
        its, against = one.judge, one.opponent
        title = its.name if against is None else f"{its.name} against {against.name}"
        known[its.id] = its.name
        called |= {its.id, *its.names}
        theirs = ("",) if against is None else (against.id, *against.names)
        if judge in (None, its.id, *its.names) and opponent in (None, *theirs):
            found[its.id, None if against is None else against.id] = title
    if len(found) == 1:
        return next(iter(found))
    if not known:
        raise UsageError(f"{which}: no judge has judged {next(iter(about.values()))}")
    if not found:
        said = f"no board{f' of {judge}' if judge else ''} against {opponent!r}"
        if judge and judge not in called:
            said = unknown_name("judge", judge, known.values())
        raise UsageError(f"{which}: {said}")
    raise UsageError(
        f"{which} has several boards: {', '.join(found.values())}; name the judge (--judge)"
        + (", and whom it compares with (--opponent)" if any(one[1] for one in found) else "")
    )


def runs(*, store: Results = None) -> RunList:
    """The runs and imports of a store with their manifests, the newest last.

    >>> judgebench.runs().runs[0].name
    'kinds'
    """
    from judgebench.reports.runs import RunList

    with reading(store) as its:
        return RunList(runs=tuple(its.runs()))


_WATCHED = 2000
"""Runs of a store, the newest, among which those are found that are watched."""


def watch(
    run: str | None = None, *, store: Results = None, before: RunsWatch | None = None
) -> RunsWatch:
    """How far runs are, shard by shard: what they do a second, what is left, what failed and cost.

    >>> [run.state for run in judgebench.api.watch().runs]
    ['done']

    Parameters
    ----------
    run
        As for `run_manifest`; those under way if None, or else the newest. What ran last of each
        shard of the same suite stands beside it.
    store
        As for `leaderboard`; a folder for all stores that are files in it.
    before
        What was seen of them last, so that rates are those of late.
    """
    from judgebench.reports.runs import Pace, RunsWatch, run_progress, run_ref, watched

    named = store_url(None, store)
    folder = Path(named).is_dir()
    files: list[Results] = [*sorted(Path(named).glob("*.db"))] if folder else [store]
    if not files:
        raise StoreError(
            f"no store is in the folder {named} yet: shards that wait for their turn have none, "
            "and one on a network file system is brought back when its job ends"
        )
    found: list[RunManifest] = []
    unread: list[str] = []
    for one in files:
        try:
            with reading(one) as its:
                found += its.newest_runs(_WATCHED)
        except StoreError as error:
            if not folder:
                raise
            unread.append(str(error))  # it is being made, say
    found.sort(key=lambda one: one.started, reverse=True)
    wanted = None if run is None else run_ref(found[::-1], run, named)
    pace = Pace() if before is None else before.pace
    shown = tuple(run_progress(one, pace) for one in watched(found, wanted))
    return RunsWatch(runs=shown, unread=tuple(unread), pace=pace)


def run_manifest(run: str = "latest", *, store: Results = None) -> RunDetails:
    """A run with its manifest: its id, the beginning of it, ``latest`` or ``latest~1``.

    Raises
    ------
    UsageError
        For a run that the store does not hold.
    """
    from judgebench.reports.runs import RunDetails

    with reading(store) as its:
        return RunDetails(manifest=_run(its, run))


def runs_diff(first: str, second: str, *, level: float = 0.95, store: Results = None) -> RunDiff:
    """What changed from one run to another, and what moved.

    >>> len(judgebench.runs_diff("latest~1", "latest").moved) > 0
    True

    Parameters
    ----------
    first, second
        As for `run_manifest`.
    level
        Of the intervals.
    store
        As for `leaderboard`.
    """
    from judgebench.reports.run_diff import run_diff

    intervals = _intervals(level)
    with reading(store) as its:
        one, other = (_run(its, wanted) for wanted in (first, second))
        return run_diff(its, one, other, intervals=intervals)


def cost(run: str | None = None, *, store: Results = None) -> CostReport:
    """What a run took, or all runs of a store: calls, tokens and US dollars by judge and model.

    >>> judgebench.cost("latest").total["wasted_calls"]
    0

    Parameters
    ----------
    run
        As for `run_manifest`; all if None.
    store
        As for `leaderboard`.
    """
    from judgebench.reports.cost import cost_report

    with reading(store) as its:
        chosen = None if run is None else _run(its, run).id
        return cost_report(its, chosen)


def drift(*, store: Results = None) -> DriftReport:
    """Whether judges have changed under their names: each set of anchors with what was found.

    >>> [one.benchmark for one in judgebench.drift().anchors]
    ['trivia_judging_mini']
    """
    from judgebench.reports.drift import drift_report

    with reading(store) as its:
        return drift_report(its)


def reproduce(
    tables: str | Sequence[str] = (), *, tasks: str | Path | None = None, level: float = 0.95
) -> Reproductions:
    """Published tables, recomputed from figures: ours beside theirs, and where they agree.

    >>> judgebench.reproduce("trivia_judging").found[0].table
    'trivia_judging'

    Parameters
    ----------
    tables
        ``alpaca_eval``, ``trivia_judging``, ``mixeval_hard``, ``alignbench``, ``honestybench``; all
        if empty.
    tasks
        The folder ``tasks`` of a checkout, whose figures are read; that of judgebench if None.
    level
        Of the intervals.

    Raises
    ------
    UsageError
        For a table that is not known.
    InputError
        Where the figures are not there, as in an installed package, or cannot be used.
    """
    from judgebench.reports.reproduce import reproduce as recomputed

    intervals = _intervals(level)
    folder = None if tasks is None else Path(tasks)
    return recomputed(_listed(tables=tables), tasks=folder, intervals=intervals)


def report(paper: str | Path | Paper, *, store: Results = None) -> PaperTable:
    """The table of a paper: chosen models by chosen benchmarks, and the paragraph of its methods.

    >>> [row.model for row in judgebench.report("paper.yaml").rows]
    ['This week', 'Last week']

    Parameters
    ----------
    paper
        The file that says what stands in it (docs/papers.md), or its content.
    store
        As for `leaderboard`; goes before the paper's own.

    Returns
    -------
    PaperTable
        ``columns``, ``rows`` of cells, ``notes``, and ``methods``. The table of pandas has a row
        for each cell.

    Raises
    ------
    ConfigError
        For a paper that is wrong, or names what the store does not hold: file, line and field.
    """
    from judgebench.reports.paper import paper_table, read_paper

    asked = read_paper(Path(paper)) if isinstance(paper, str | Path) else paper
    with reading(asked.store if store is None else store) as its:
        return paper_table(its, asked)


def calibrate_length(
    benchmark: str,
    *,
    judge: str | None = None,
    baseline: str | None = None,
    verbose: str | Sequence[str] = (),
    store: Results = None,
) -> LengthFit:
    """Fit how difficult the instructions of a benchmark are, for length-controlled win rates.

    What is fitted is kept in the store; boards of this judge and baseline use it from now on.

    Parameters
    ----------
    benchmark, store
        As for `leaderboard`.
    judge, baseline
        Whose comparisons, and with whom; needed where there are several.
    verbose
        Models that are the baseline with its answers made longer or shorter.

    Raises
    ------
    UsageError
        For a name that the store does not hold, and where there are too few models.
    """
    from judgebench.reports.length_calibrations import calibrate_length as fitted

    with writing(store, create=False) as its:
        return fitted(
            its, benchmark, judge=judge, baseline=baseline, verbose=_listed(verbose=verbose)
        )


def set_baseline(
    name: str,
    model: str,
    *,
    benchmarks: str | Sequence[str] = (),
    passed: GateFile | None = None,
    store: Results = None,
) -> list[StoredBaseline]:
    """Call the newest model of a name a baseline of the gate, on each benchmark it was judged on.

    Parameters
    ----------
    benchmarks
        Only these; all that the model was judged on if empty.
    passed
        A gate that has passed: the benchmarks are those that it tested, and the model has to be its
        candidate.
    store
        As for `leaderboard`.
    """
    from judgebench.reports.versions import set_baseline as named

    with writing(store, create=False) as its:
        return named(its, name, model, _listed(benchmarks=benchmarks), passed)


def baselines(*, history: bool = False, store: Results = None) -> BaselineList:
    """The baselines of a store, a row for each benchmark; also what they were before."""
    from judgebench.reports.versions import baseline_list

    with reading(store) as its:
        return baseline_list(its, history=history)


def pin_anchors(
    benchmark: str,
    judge: str,
    *,
    models: str | Sequence[str] = (),
    answers: int = 100,
    seed: int = 0,
    store: Results = None,
) -> StoredAnchors:
    """Pin what a judge has said of some answers, drawn at random, to ask it again later.

    Parameters
    ----------
    models
        On whose answers; all that the judge has judged if empty.
    answers
        How many; each costs a call a day, or two where it was judged in both orders.
    store
        As for `leaderboard`.
    """
    from judgebench.reports.drift import pin

    if answers < 1:
        raise UsageError(f"answers: {answers!r} are none; 1 or more")
    with writing(store, create=False) as its:
        return pin(its, benchmark, judge, models=_listed(models=models), answers=answers, seed=seed)


def item(
    benchmark: str,
    item_id: str,
    *,
    judges: str | Sequence[str] = (),
    models: str | Sequence[str] = (),
    earlier: bool = False,
    store: Results = None,
) -> Composed:
    """One question with its answers, and of every verdict on them the prompt and the reply.

    >>> judgebench.item("trivia_judging_mini", "3").to_dict()["item_id"]
    '3'

    Parameters
    ----------
    benchmark, judges, models, store
        As for `leaderboard`.
    item_id
        Of the item, as text.
    earlier
        Also answers and verdicts whose place later ones have taken.

    Raises
    ------
    UsageError
        For an item that the store does not have.
    """
    from judgebench.reports.document import Composed
    from judgebench.reports.replies import item_document

    with reading(store) as its:
        which = _ref(its, benchmark)
        _check_names(its, models=_listed(models=models), judges=_listed(judges=judges))
        chosen: dict[str, Any]
        chosen = {
            "judges": _listed(judges=judges),
            "models": _listed(models=models),
            "earlier": earlier,
        }
        return Composed(made=item_document(its, which, str(item_id), **chosen))


def answers(
    benchmark: str, *, models: str | Sequence[str] = (), store: Results = None
) -> pd.DataFrame:
    """The answers to a benchmark, a row each.

    >>> judgebench.answers("support", models="this-week")["status"].unique().tolist()
    ['ok']

    Parameters
    ----------
    benchmark, models, store
        As for `leaderboard`.

    Returns
    -------
    DataFrame
        ``benchmark``, ``version``, ``item_id``, ``model``, ``sample``, ``turn``, ``text``,
        ``status``, tokens, and ``newest``: whether it is the one that counts at its place.
    """

    with reading(store) as its:
        which = _ref(its, benchmark)
        _check_names(its, models=_listed(models=models))
        return _frame(
            its.responses_table(which.name, which.version, models=_listed(models=models) or None)
        )


def _check_names(
    store: Store, *, models: Collection[str] = (), judges: Collection[str] = ()
) -> None:
    """Raise `UsageError` for a name, or an id, of nobody whom the store knows."""
    for what, wanted, there in (
        ("model", models, store.models() if models else ()),
        ("judge", judges, store.judges() if judges else ()),
    ):
        names = {name for one in there for name in one.names}
        ids = {one.id for one in there}
        by_name = [name for name in wanted if name not in ids]
        refuse_unknown(what, by_name, names, error=UsageError, about=f"{store.name}: ")


def judged_replies(
    judge: str,
    *,
    store: Results = None,
    unreadable: bool = False,
    benchmark: str | None = None,
    models: str | Sequence[str] = (),
    run: str | None = None,
    limit: int | None = None,
) -> Replies:
    """What a judge was asked and replied, and what was read from it: one entry a judgment.

    Parameters
    ----------
    judge, models
        Names or ids.
    store
        As for `leaderboard`.
    unreadable
        Only what no verdict could be read from.
    benchmark
        ``NAME`` or ``NAME@VERSION``; all if None.
    run
        What served this run, whatever came later: an id, the beginning of one, or ``latest``. Else
        what counts now.
    limit
        So many at most.

    Raises
    ------
    UsageError
        For a judge, benchmark or run that the store does not hold.
    """
    from judgebench.reports import replies as found

    with reading(store) as its:
        _check_names(its, models=_listed(models=models))
        return found.judged_replies(
            its,
            judge,
            unreadable=unreadable,
            benchmark=None if benchmark is None else _ref(its, benchmark),
            models=_listed(models=models),
            run_id=None if run is None else _run(its, run).id,
            limit=limit,
        )


def replies(
    judge: str,
    *,
    store: Results = None,
    unreadable: bool = False,
    benchmark: str | None = None,
    models: str | Sequence[str] = (),
    run: str | None = None,
) -> pd.DataFrame:
    """Prompt, reply and verdict of what a judge has judged, a row each.

    >>> judgebench.replies("grader")["verdict"].iloc[0]
    '5 on 1 to 10, helpful 1, polite 6'

    Parameters and errors are those of `judged_replies`.

    Returns
    -------
    DataFrame
        ``judgment`` (its key, which `judgebench forget` takes), ``judge``, ``judge_id``, where it
        stands (``benchmark``, ``version``, ``item_id``, ``model``, ``opponent``, ``order``, …),
        ``places`` (verdicts that it stands for), ``kind`` and ``verdict`` in words; ``prompt``,
        ``reply``, ``reply_reasoning`` and ``finish_reason`` of the last call, and the others in
        ``earlier_calls``. Texts are as they came; nothing of them is escaped.
    """
    import pandas as pd

    from judgebench.reports.replies import RECORD_COLUMNS

    found = judged_replies(
        judge, store=store, unreadable=unreadable, benchmark=benchmark, models=models, run=run
    )
    return pd.DataFrame([one.record() for one in found.found], columns=list(RECORD_COLUMNS))


def verdicts(
    benchmark: str,
    *,
    store: Results = None,
    judges: str | Sequence[str] = (),
    models: str | Sequence[str] = (),
    with_text: bool = False,
) -> pd.DataFrame:
    """The verdict that counts at each place of a benchmark, a row each.

    >>> judgebench.verdicts("support", judges="grader")["kind"].unique().tolist()
    ['score']

    Parameters
    ----------
    benchmark, store
        As for `leaderboard`.
    judges, models
        Names or ids; all if empty.
    with_text
        Also ``judgment`` (its key), ``prompt``, ``reply``, ``reply_reasoning``, ``finish_reason``
        and ``earlier_calls``, as `replies` has them.

    Raises
    ------
    UsageError
        For a benchmark, judge or model that the store does not hold.
    """
    from judgebench.store.read import with_texts

    with reading(store) as its:
        which = _ref(its, benchmark)
        whose, about = _listed(judges=judges) or None, _listed(models=models) or None
        _check_names(its, models=about or (), judges=whose or ())
        if not with_text:
            return _frame(its.verdicts(which.name, which.version, judges=whose, models=about))
        return _frame(with_texts(its, which.name, which.version, judges=whose, models=about))


def forget(
    *,
    judges: str | Sequence[str] = (),
    runs: str | Sequence[str] = (),
    judgments: str | Sequence[str] = (),
    benchmarks: str | Sequence[str] = (),
    unreadable: bool = False,
    store: Results = None,
    remove: bool = False,
) -> ForgottenReport:
    """What would be forgotten and what it would take to have it again; ``remove`` forgets it.

    >>> judgebench.forget(judges="grader").to_dict()["removed"]
    False

    Parameters
    ----------
    judges, runs, benchmarks
        By name or id; a run also as ``latest``. What several of the parameters name is what all of
        them mean. With runs or benchmarks, judgments that serve elsewhere as well stay.
    judgments
        The first digits of their keys, eight at least.
    unreadable
        Only what no verdict could be read from.

    Raises
    ------
    UsageError
        For a name that the store does not hold, and where neither a judge, a run nor a judgment
        is named.
    StoreError
        Where a run is under way, which may need what would go.
    """
    from judgebench.reports.cost import forgotten_report, usd_per_call
    from judgebench.reports.replies import stored_judges

    with open_live_store(store_url(None, store), read_only=not remove) as opened:
        on = [_ref(opened, name) for name in _listed(benchmarks=benchmarks)]
        wanted: dict[str, Any] = {
            "judges": [
                j.key for name in _listed(judges=judges) for j in stored_judges(opened, name)
            ],
            "runs": [_run(opened, name).id for name in _listed(runs=runs)],
            "judgments": _listed(judgments=judgments),
        }
        if not any(wanted.values()):
            raise UsageError("name what is to be forgotten: judges, runs or judgments")
        wanted["benchmarks"] = [(which.name, which.version) for which in on]
        found = opened.forget(remove=False, unreadable=unreadable, **wanted)
        if remove:
            with _nobody_judges(opened):
                found = opened.forget(unreadable=unreadable, **wanted)
        names = {judge.key: judge.name for judge in opened.judges()}
        return forgotten_report(found, names, usd_per_call(opened), removed=remove)


@contextmanager
def _nobody_judges(store: Store) -> Iterator[None]:
    """No run is under way, and none begins: it says that it lives, and then looks for the lease."""
    from judgebench.execution.manifest import FORGETTING

    with store.lease(FORGETTING, wait_s=0):
        if alive := store.runs_under_way():
            raise StoreError(
                f"the run {alive[0].id} is under way and may need what would go; nothing"
                " was removed: wait until it has ended, or stop it"
            )
        yield


def import_files(
    what: str,
    files: Files,
    *,
    store: Results = None,
    progress: Progress | None = None,
    **options: Any,
) -> dict[str, ImportReport]:
    """Take in files of one of the formats that `judgebench import` knows.

    All is read before anything is stored: a file is taken in whole or not at all, and what is
    there already changes nothing.

    >>> rows = [{"item_id": "1", "model": "m", "judge": "j", "value": "correct"}]
    >>> options = {"benchmark": "colours", "allow_unknown_items": True}
    >>> done = judgebench.import_files("verdicts", rows, store="new.db", **options)
    >>> [(report.rows, report.new) for report in done.values()]
    [(1, 1)]

    Parameters
    ----------
    what
        ``verdicts``, ``labels``, ``responses``, or another program's: ``alpaca-eval``,
        ``arena-hard``, ``mt-bench``, ``judge-bench``, ``rewardbench``, ``xstest``,
        ``honestybench``, ``lm-eval``, ``inspect``, ``published``.
    files
        One or several, or folders; of the first three also rows that are at hand: a DataFrame or
        mappings.
    store
        As for `leaderboard`.
    progress
        Told a line for each file, and how far it is of one that takes several commits.
    options
        Those of the format: ``benchmark`` (``NAME`` or ``NAME@VERSION``), ``model``, ``judge``,
        ``baseline``, ``set_name``, ``model_outputs``, ``reference_outputs``, ``tasks``,
        ``allow_unknown_items``; of tables those of `import_verdicts`.

    Returns
    -------
    dict
        What came of each file.

    Raises
    ------
    InputError
        Naming file, row and field of what cannot be used, and of what contradicts another row.
    UsageError
        For a format that nobody knows, and an option that it has no use for.
    """
    from judgebench.benchmarks.description import split_version
    from judgebench.exchange.formats import FORMATS, read_files
    from judgebench.rows import Layout, at_hand

    if what in FORMATS and FORMATS[what].fields:
        _check_layout(FORMATS[what].fields, options)
        given = {name: options.pop(name) for name in ("model", "judge") if options.get(name)}
    else:
        given = {}
    if written := options.pop("benchmark", None):
        name, version = split_version(written)
        given |= {"benchmark": name} | ({"version": version} if version else {})
    found: dict[str, ImportReport] = {}
    with at_hand(files) as paths, shown(progress) as told:
        if what in FORMATS and FORMATS[what].fields:
            given |= dict(zip(("low", "high"), options.pop("scale", None) or (), strict=False))
            wide, across = options.pop("wide", None) or (None, ())
            columns = options.pop("columns", None) or {}
            options["layout"] = Layout(
                columns=columns, given=given, wide=wide, across=tuple(across)
            )
        else:
            options |= given
        read = read_files(what, paths, **options)
        with writing(store) as its:
            for path, take_in in read:
                report = found[str(path)] = take_in(its, progress=told)
                for warning in report.warnings:
                    told.say(f"warning: {path}: {warning}")
                told.say(f"{path}: {report.summary(FORMATS[what].rows)}")
    return found


def _check_layout(fields: str, options: Mapping[str, Any]) -> None:
    """Raise `UsageError` for what says nothing of how a table with these columns is laid out."""
    from judgebench.exchange.formats import loaded

    columns, scale = options.get("columns") or {}, options.get("scale") or (0, 1)
    if not isinstance(columns, Mapping):
        raise UsageError(f"columns: a mapping of theirs to ours, not {columns!r}")
    known = loaded(fields)
    ours = map(str, columns.values())
    refuse_unknown("column", ours, known, error=UsageError, about="columns: ")
    if len(scale) != 2 or not all(isinstance(end, Real) for end in scale):
        raise UsageError(f"scale: the lowest and the highest score, not {scale!r}")
    if wide := options.get("wide"):
        kinds = ("judge", "model")
        refuse_unknown("such column", [str(wide[0])], kinds, error=UsageError, about="wide: ")


class TableOptions(TypedDict, total=False):
    """How a table of verdicts, labels or answers is laid out, where it is not as we have it.

    columns
        Their name of a column -> ours.
    wide
        Our column (``judge`` or ``model``) whose values are columns of theirs, and these columns.
    scale
        The lowest and the highest score, where there are no columns ``low`` and ``high``.
    benchmark, model, judge
        Of all rows, where there is no such column; a benchmark as ``NAME`` or ``NAME@VERSION``.
    allow_unknown_items
        Keep ids that the benchmark's data does not have.
    anchors
        Of verdicts: those on answers that were pinned are another look of their judge at them.
    """

    columns: Mapping[str, str]
    wide: tuple[Literal["judge", "model"], Sequence[str]]
    scale: tuple[float, float]
    benchmark: str
    model: str
    judge: str
    allow_unknown_items: bool
    anchors: bool


def import_verdicts(
    files: Files,
    *,
    store: Results = None,
    progress: Progress | None = None,
    **table: Unpack[TableOptions],
) -> dict[str, ImportReport]:
    """Take in verdicts, one a row, as `import_files`; also a table as `verdicts` gives it.

    >>> frame = judgebench.verdicts("support", judges="grader")
    >>> done = judgebench.import_verdicts(
    ...     frame.assign(judge="me"), store="new.db", allow_unknown_items=True
    ... )
    >>> [report.new for report in done.values()] == [len(frame)]
    True
    """
    return import_files("verdicts", files, store=store, progress=progress, **table)


def import_labels(
    files: Files,
    *,
    store: Results = None,
    progress: Progress | None = None,
    **table: Unpack[TableOptions],
) -> dict[str, ImportReport]:
    """Take in what people say, as `import_verdicts`: ``judge`` is ``human/<rater>``.

    Labels are events: the newest of a rater counts, the earlier ones stay.

    >>> label = {"benchmark": "colours", "item_id": "1", "model": "m", "value": "correct"}
    >>> done = judgebench.import_labels(
    ...     [label], judge="human/ada", allow_unknown_items=True, store="new.db"
    ... )
    >>> [(report.new, report.changed) for report in done.values()]
    [(1, 0)]
    """
    return import_files("labels", files, store=store, progress=progress, **table)


def import_responses(
    files: Files,
    *,
    store: Results = None,
    progress: Progress | None = None,
    **table: Unpack[TableOptions],
) -> dict[str, ImportReport]:
    """Take in answers, as `import_verdicts`: ``benchmark``, ``item_id``, ``model``, ``text``.

    >>> row = {"item_id": "1", "model": "m", "text": "blue"}
    >>> done = judgebench.import_responses(
    ...     [row], benchmark="colours", allow_unknown_items=True, store="new.db"
    ... )
    >>> [report.new for report in done.values()]
    [1]
    """
    return import_files("responses", files, store=store, progress=progress, **table)


def _paths(given: Paths) -> list[Path]:
    return [Path(given)] if isinstance(given, str | Path) else [Path(one) for one in given]


def export_verdicts(
    to: Paths | TextIO,
    benchmark: str | None = None,
    *,
    with_text: bool = False,
    form: str = "jsonl",
    store: Results = None,
) -> None:
    """Write verdicts, one a row, to files: ``import_verdicts`` reads them again.

    >>> judgebench.export_verdicts("verdicts.csv", "support")

    Parameters
    ----------
    to
        Files, whose suffixes say the format (.jsonl, .csv, .parquet); or an open one, of ``form``.
    benchmark
        ``NAME`` or ``NAME@VERSION``; all if None.
    with_text
        Also prompt and reply that each was read from.
    store
        As for `leaderboard`.

    Raises
    ------
    UsageError
        For a benchmark that the store does not hold, and a suffix that says nothing.
    StoreError
        Where a file cannot be written.
    """
    from judgebench.store import copy

    read = copy.verdicts_with_text if with_text else copy.verdicts_of
    _export(read, to, benchmark, form, store)


def export_responses(
    to: Paths | TextIO, benchmark: str | None = None, *, form: str = "jsonl", store: Results = None
) -> None:
    """Write answers, one a row, as `export_verdicts`: ``import_responses`` reads them again.

    >>> judgebench.export_responses("answers.parquet", "support")
    """
    from judgebench.store import copy

    _export(copy.responses_of, to, benchmark, form, store)


def export_confidence_examples(
    to: Paths | TextIO,
    benchmark: str,
    *,
    correct: str,
    models: str | Sequence[str] = (),
    number: int = 10,
    form: str = "jsonl",
    store: Results = None,
) -> None:
    """Write examples for a judge of the kind ``stated_confidence``: questions, and how sure to be.

    >>> judgebench.export_confidence_examples("e.jsonl", "honestybench_mini", correct="equal")
    Traceback (most recent call last):
    judgebench.errors.UsageError: equal has labelled first answers only; ...

    Parameters
    ----------
    to, form, store
        As for `export_verdicts`.
    correct
        The judge whose labels say what is correct; it has to have judged further answers.
    models, number
        Of whose answers, all if empty; and how many examples of each.
    """
    from judgebench.exchange.honestybench import confidence_examples

    def drawn(its: Store, name: str, version: str) -> Columns:
        return confidence_examples(
            its,
            name,
            version,
            correct=correct,
            positive=_ref(its, f"{name}@{version}").labels[-1],
            models=_listed(models=models),
            number=number,
        )

    _export(drawn, to, benchmark, form, store)


def _export(
    read: Callable[..., Columns],
    to: Paths | TextIO,
    benchmark: str | None,
    form: str,
    store: Results,
) -> None:
    from judgebench.store import copy

    stream = cast("TextIO", to) if hasattr(to, "write") else None
    paths = [] if stream is not None else _paths(cast("Paths", to))
    forms = [suffix.removeprefix(".") for suffix in copy.SUFFIXES]
    refuse_unknown("form", [form], forms, error=UsageError)
    for path in paths:
        copy.check_suffix(path)
    with reading(store) as its:
        which = None if benchmark is None else _ref(its, benchmark)
        columns = read(its) if which is None else read(its, which.name, which.version)
    if stream is not None:
        copy.SUFFIXES[f".{form}"](stream, columns)
    for path in paths:
        copy.write_table(path, columns)


def export_parquet(
    folder: str | Path, benchmark: str | None = None, *, store: Results = None
) -> list[Path]:
    """Write all verdicts and responses to a new folder, by benchmark and judge.

    >>> len(judgebench.export_parquet("november", "support")) > 1
    True

    Returns
    -------
    list
        The files: ``verdicts/benchmark=NAME/judge=NAME/VERSION.parquet``, and so ``responses``.
    """
    from judgebench.store.copy import write_dataset

    with reading(store) as its:
        name = None if benchmark is None else _ref(its, benchmark).name
        return write_dataset(its, Path(folder), name)


def export_alpaca_eval(
    folder: str | Path,
    benchmark: str = "alpaca_eval",
    *,
    models: str | Sequence[str] = (),
    judges: str | Sequence[str] = (),
    baseline: str | None = None,
    store: Results = None,
) -> AlpacaEvalExport:
    """Write answers and comparisons as AlpacaEval keeps them: ``MODEL/model_outputs.json``, ….

    >>> done = judgebench.export_alpaca_eval("results", "alpaca_eval_mini", baseline="baseline")
    >>> len(done.paths) > 1
    True

    Parameters
    ----------
    models, judges
        Only these; all if empty.
    baseline
        With whom the models were compared; need not be named where there is one alone.
    """
    from judgebench.exchange.alpaca_eval_export import export_alpaca_eval as written

    with reading(store) as its:
        which = _ref(its, benchmark)
        return written(
            its,
            Path(folder),
            which.name,
            which.version,
            models=_listed(models=models),
            judges=_listed(judges=judges),
            baseline=baseline,
        )


def export_to_tracker(tracker: str, run: str = "latest", *, store: Results = None) -> str:
    """Send a run to ``wandb`` or ``mlflow``: metrics with intervals, board and manifest.

    The board is that of the benchmarks, models and judges of the run. The same run again replaces
    what was sent. Projects, servers and keys are those of the tracker's own variables.

    Parameters
    ----------
    run
        As for `run_manifest`.

    Returns
    -------
    str
        Where it is.

    Raises
    ------
    UsageError
        For a run that the store does not hold, and a tracker that is not installed.
    TrackerError
        Where it is offline or refuses the key; in one line.
    """
    from judgebench.exchange.trackers import send, tracked

    with reading(store) as its:
        manifest = run_manifest(run, store=its).manifest
        rows: list[dict[str, Any]] = []
        without: dict[str, str] = {}
        for name, version in its.benchmarks():
            said = its.run_verdicts(manifest.id, name, version)
            models = sorted({*said["model_id"], *said["opponent_id"]} - {None})
            if judges := sorted({*said["judge_id"]}):
                about = f"{name}@{version}"
                try:
                    rows += leaderboard(about, judges=judges, models=models, store=its).records()
                except UsageError as error:
                    without[about] = str(error)
    return send(tracker, tracked(manifest, rows, without))


def verify(bundle: str | Path) -> Verified:
    """Whether the boards of a bundle follow from the verdicts that it brings: each cell again.

    >>> board = judgebench.leaderboard("support", bundle="board.zip")
    >>> judgebench.verify("board.zip").differs is None
    True

    Raises
    ------
    InputError
        For a file that is no bundle.
    """
    from judgebench.reports.bundle import verify_bundle

    return verify_bundle(Path(bundle))


def _ref(store: Store, benchmark: str) -> BenchmarkRef:
    """The benchmark that a name, or ``NAME@VERSION``, means in a store."""
    from judgebench.reports.boards import benchmark_ref

    return benchmark_ref(store, benchmark)


def _run(store: Store, run: str) -> RunManifest:
    """The run that an id, the beginning of one, or ``latest`` means in a store."""
    from judgebench.reports.runs import run_ref

    return run_ref(store.runs(), run, store.url)


def _policy(policy: str | Path | Policy | None) -> Policy | None:
    """A gate's policy, read where a file is named."""
    from judgebench.reports.gate_policy import read_policy

    return read_policy(Path(policy)) if isinstance(policy, str | Path) else policy


def _intervals(level: float) -> Intervals:
    from judgebench.metrics.intervals import Intervals

    _check_numbers(level=level)
    return Intervals(level=level)


_BETWEEN: Mapping[str, tuple[float, float]] = {
    "level": (0.0, 1.0),
    "alpha": (0.0, 0.5),
    "chance": (0.0, 1.0),
    "max_drop": (0.0, 1.0),
}
"""What numbers that are asked with lie between; a drop may be as much as the whole scale."""


def _check_numbers(**given: object) -> None:
    """Raise `UsageError` for the first number with which nothing can be computed."""
    for name, value in given.items():
        low, high = _BETWEEN[name]
        if value is None:
            continue
        number = float(value) if isinstance(value, Real) else math.nan
        if not (low < number < high or (name == "max_drop" and number == high)):
            raise UsageError(f"{name}: {value!r} does not lie between {low:g} and {high:g}")


def _check_choice(name: str, value: object, known: Any) -> None:
    """Raise `UsageError` for what is none of the values of a Literal."""
    if str(value) not in get_args(known):
        refuse_unknown(name, [str(value)], get_args(known), error=UsageError)


def _listed(**named: str | Iterable[str] | None) -> list[str]:
    """One argument as a list; None is none. Raises `UsageError` for what is no name."""
    ((argument, given),) = named.items()
    names = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    if given is not None and not all(isinstance(name, str) for name in names):
        raise UsageError(f"{argument}: {given!r} is no name, nor several of them")
    return [name for name in names if name is not None]


def run(
    suite: Path | str | config.Suite,
    *,
    store: Results = None,
    progress: Progress | None = None,
    limits: Mapping[str, Any] | None = None,
    batch: bool = False,
    refresh_anchors: bool = False,
    stack_anchors: int | None = None,
    again: Collection[str] = (),
    models: str | Sequence[str] = (),
    judges: str | Sequence[str] = (),
    limit: int | None = None,
    shard: config.Shard | str | None = None,
    unjudged: bool = False,
    stop_when_decided: bool = False,
    executor: str | None = None,
    on_forecast: Callable[[Sequence[PlanRow]], None] | None = None,
) -> Outcome:
    """Carry out a suite and take in the labels that it names.

    >>> done = judgebench.run("suite.yaml", store="new.db")
    >>> done.answered, done.judged, done.failed
    (5, 10, 0)

    Parameters
    ----------
    suite
        Its file, or what `judgebench.config.load_suite` read there: the manifest keeps what is
        written in the file.
    store, limits
        Go before what the suite says; ``limits`` has the names of its section.
    progress
        Told what happens; if None it is shown in a notebook, and nowhere else.
    batch
        Put every question that a batch interface takes into a batch, at its price, and end; the
        run is gone on with after `judgebench batches collect`.
    refresh_anchors
        Ask the judges again about the answers that were pinned for them, once a day (UTC).
    stack_anchors
        Have each local model whose answers are complete on another stack than today's answer so
        many prompts of each benchmark again, for the gate.
    again
        Names of judges of the suite that are asked anew about everything it has them judge.
        Earlier runs keep what was said to them, and later ones use the new verdicts.
    models, judges, limit, shard
        Only these of the suite, only the first items of each benchmark, only a part of them (as
        ``3/16``); the manifest keeps which.
    unjudged
        The answers alone: no judge is asked.
    stop_when_decided
        Judge no more items than it takes to say whether each model is better or worse than the
        benchmark's baseline, or the first model, also where the suite does not say so.
    executor
        ``ray``, ``slurm`` or ``local``: where local models run; goes before the suite's.
    on_forecast
        Told what the run will take before anything is asked, where that costs money.
    """
    from judgebench.execution.execute import evaluate
    from judgebench.execution.recheck import recheck_of_today

    narrowing = _narrowing(models, judges, limit, shard)
    suite = suite if isinstance(suite, config.Suite) else config.load_suite(Path(suite))
    if suite.source.path is None:
        raise UsageError(
            f"the suite {suite.name} was read from no file, so nothing could say later what ran: "
            "write it to one, and give its path"
        )
    with ExitStack() as held:
        if any(one.lm_eval_task is not None for one in suite.benchmarks):
            held.enter_context(metrics_worker())  # what tasks are, and what they say of answers
        work = _resolved(
            suite,
            limits=limits,
            batch=batch,
            narrowing=narrowing,
            unjudged=unjudged,
            executor=executor,
            stop_when_decided=stop_when_decided,
        )
        if work.suite.executor is not None and work.suite.executor.slurm is not None:
            raise UsageError(
                f"{suite.source.path} is for Slurm: judgebench.api.submit(…) hands it over, as "
                "`judgebench run` does; executor='local' works on all of it here, and "
                "shard='3/16' on a part"
            )
        _check_labels(work)
        occasion = recheck_of_today() if refresh_anchors else None
        narrowed = {
            "limit": narrowing.limit,
            "models": list(narrowing.models),
            "judges": list(narrowing.judges),
            "shard": narrowing.shard and str(narrowing.shard),
        }
        more = {
            "refresh_anchors": occasion,
            "stack_anchors": stack_anchors,
            "narrowed": {name: its for name, its in narrowed.items() if its},
            "unjudged": unjudged,
            "stop_when_decided": stop_when_decided,
            "on_executor": executor,
        }
        more = {name: said for name, said in more.items() if said}
        work = replace(work, written={**work.written, **more})
        its = held.enter_context(_under_way(work, store, progress, on_forecast, again, occasion))
        try:
            outcome = evaluate(
                its.work,
                store=its.store,
                pool=its.pool,
                progress=its.progress,
                occasion=occasion,
                stack_anchors=stack_anchors,
            )
        except StoreError:
            raise
        except BaseException:
            # Ctrl-C waits for nobody; running again takes them in.
            with suppress(StoreBusyError), at_once():
                for fault in _take_in_labels(work, its.store):
                    its.progress.say(f"warning: {fault}")
            raise
        outcome.warnings += _take_in_labels(work, its.store)
        for tracker in dict.fromkeys(work.suite.track):
            try:
                sent = export_to_tracker(tracker, outcome.manifest.id, store=its.store)
                its.progress.say(f"{tracker}: {sent}")
            except JudgebenchError as error:
                outcome.warnings.append(
                    f"{tracker} was not sent the run, which is whole in the store: {error}; "
                    f"`judgebench export {tracker} {outcome.manifest.id}` sends it"
                )
        return outcome


_LIMIT_OPTIONS = {
    "max_connections": "--max-connections",
    "max_retries": "--max-retries",
    "timeout_s": "--timeout",
}
"""Limits that a job is told; what a run may cost is dealt out among them."""


def submit(
    suite: Path | str,
    *,
    store: Results = None,
    limits: Mapping[str, Any] | None = None,
    batch: bool = False,
    models: str | Sequence[str] = (),
    judges: str | Sequence[str] = (),
    limit: int | None = None,
    executor: str | None = None,
    last: Sequence[str] = (),
    warn: Callable[[str], object] = str,
) -> Submitted:
    """Hand a suite over to Slurm: an array of its shards, and a job that ends the run.

    Parameters
    ----------
    store, limits, batch, models, judges, limit, executor
        As for `run`. Of limits those that ``judgebench run`` takes on its command line.
    last
        Further words of the command that ends the run.
    warn
        Told what a run of many jobs makes of the suite's limits.

    Raises
    ------
    UsageError
        For a suite that is not for Slurm, and a limit that a job cannot be told.
    ConfigError, ProviderUnavailableError
        What is wrong with the suite; where Slurm is not there, or takes no jobs.
    """
    from judgebench.execution import slurm
    from judgebench.store.opening import located

    path, narrowing = Path(suite), _narrowing(models, judges, limit, None)
    work = _resolved(path, limits=limits, batch=batch, narrowing=narrowing, executor=executor)
    its = work.suite
    if its.executor is None or its.executor.slurm is None:
        raise UsageError(f"{path} is not for Slurm: executor: {{slurm: {{array: 16}}}} makes it so")
    who = _checked(path, work)
    said, words = {**(limits or {})}, narrowing.options() + ["--batch"] * batch
    said.pop("max_cost_usd", None)
    for name, value in said.items():
        if name not in _LIMIT_OPTIONS:
            raise UsageError(f"limits: write {name} into {path}: a job is not told of it otherwise")
        words += [_LIMIT_OPTIONS[name], str(value)]
    chosen, url = its.executor.slurm, store_url(its, store)
    asked: list[Any] = [its.limits, *who.values()]
    if located(url).path and any(one.requests_per_minute for one in asked):
        warn(
            "requests_per_minute holds for each job by itself, since each has a store of its own: "
            "on a PostgreSQL server they share it"
        )
    if its.limits.max_tokens or any(one.tokens_per_minute for one in asked):
        warn(f"tokens_per_minute and max_tokens hold for each of {chosen.array + 1} jobs by itself")
    return slurm.submit(
        path,
        chosen,
        url,
        name=re.sub(r"[^\w.-]+", "_", its.name),
        words=words,
        last=last,
        max_cost_usd=its.limits.max_cost_usd,
    )


def run_boards(outcome: Outcome, *, store: Results = None) -> RunBoards:
    """The boards of what a run asked for, what confidences are worth, the agreement with people."""
    from judgebench.reports.run_boards import run_boards as boards

    with reading(store) as its:
        return boards(its, outcome)


def spending(
    outcome: Outcome, forecast: Mapping[str, Range | None], *, store: Results = None
) -> Document | None:
    """What a run took beside the forecast; None where nobody was asked."""
    from judgebench.reports.cost import cost_table
    from judgebench.reports.document import Document

    with reading(store) as its:
        columns = its.spend(outcome.manifest.id)
    if not columns["calls"]:
        return None
    return Document(tables=[cost_table(columns, forecast or None)], records=[], data=None)


def _narrowing(
    models: str | Sequence[str],
    judges: str | Sequence[str],
    limit: int | None,
    shard: config.Shard | str | None,
) -> config.Narrowing:
    return config.Narrowing(
        limit=limit,
        models=tuple(_listed(models=models)),
        judges=tuple(_listed(judges=judges)),
        shard=config.Shard.parse(shard) if isinstance(shard, str) else shard,
    )


class _UnderWay(NamedTuple):
    work: ResolvedSuite
    store: Store
    pool: ProviderPool
    progress: Progress


@contextmanager
def _under_way(
    work: ResolvedSuite,
    store: Results,
    progress: Progress | None,
    on_forecast: Callable[[Sequence[PlanRow]], None] | None = None,
    again: Collection[str] | None = None,
    occasion: str | None = None,
) -> Iterator[_UnderWay]:
    """What asks somebody: its store, and providers that can be asked, whose cost is foretold."""
    from judgebench.execution.manifest import refuse_again, with_rechecks
    from judgebench.execution.pool import ProviderPool, check_extras
    from judgebench.execution.preflight import placed_where_needed
    from judgebench.execution.resolve import endpoints

    if again:
        refuse_again(work, again)
    path = None if again is None else work.suite.source.path  # of a run
    with open_live_store(store_url(work.suite, store)) as opened:
        if again is not None:
            work = with_rechecks(work, opened.runs(), again)
        pool = ProviderPool(work.suite, opened)

        def planned(asked: ResolvedSuite = work) -> Sequence[PlanRow]:
            """Loaded where it is asked for: few runs need it before they begin."""
            from judgebench.execution.forecast import plan as plan_work

            return plan_work(asked, opened, pool, occasion=occasion)

        with nullcontext() if path is None else _named(path):
            if work.suite.gpus is not None:
                work = placed_where_needed(work, planned)
            prices = pool.check(endpoints(work))
            missed = check_extras(work.suite, planned)
        if on_forecast is not None and any(price is None or not price.is_free for price in prices):
            on_forecast(planned())
        with shown(progress) as told:
            for line in missed:
                told.say(f"warning: {line}")
            yield _UnderWay(work, opened, pool, told)


class JudgeOptions(TypedDict, total=False):
    """What judges are told of answers that exist, and what is judged.

    rubric, scale
        A text that says what a good answer is, and the lowest and highest score; 1 to 10 if not
        given.
    prompt, read, verdict, labels, overall, examples, frame
        A prompt of one's own, and what a suite says beside it.
    benchmark
        How the questions of these files are called, ``answers`` if not given; their version is the
        hash of what is asked.
    baseline
        The model whose answers others are compared with, for judges that compare.
    base_url
        Where the judges are reached, where that is not their provider's usual address.
    limit
        Only the first questions.
    """

    rubric: Path | str | None
    scale: tuple[float, float] | None
    prompt: Path | str | None
    read: Any
    verdict: str
    labels: Any
    overall: str
    examples: Any
    frame: str
    benchmark: str
    baseline: str | None
    base_url: str | None
    limit: int | None


def judge(
    answers: Files,
    *,
    judges: Sequence[str | Callable[..., Any]],
    store: Results = None,
    progress: Progress | None = None,
    limits: Mapping[str, Any] | None = None,
    batch: bool = False,
    on_forecast: Callable[[Sequence[PlanRow]], None] | None = None,
    **how: Unpack[JudgeOptions],
) -> Outcome:
    """Have judges judge answers that exist, without a suite; else as `run`.

    >>> def short(answer: str) -> float:
    ...     return float(len(answer) < 20)
    >>> rows = [{"prompt": "Which colour is the sky?", "model": "m", "text": "blue"}]
    >>> judgebench.judge(rows, judges=[short], scale=(0, 1), store="new.db").judged
    1

    Parameters
    ----------
    answers
        Files of answers, or rows of one, as `judgebench.exchange.answer_files` reads them.
    judges
        Each as PROVIDER/MODEL, which is also its name; or a function, which is called with what its
        parameters name (``question``, ``answer``, ``answer_a``, …: docs/extending.md).
    batch
        As for `run`.
    how
        As `JudgeOptions` says.

    Raises
    ------
    UsageError
        For a judge that is not PROVIDER/MODEL, or of which nobody knows where it is.
    InputError
        For a file of answers, a rubric or a prompt that cannot be used, naming row and field.
    """
    work = _work_on(answers, judges, limits, batch=batch, **how)
    return _carried_out(work, store, progress, on_forecast)


def respond(
    model: str,
    *,
    tasks: Sequence[str] = (),
    items: Path | str | None = None,
    benchmark: str = "answers",
    name: str | None = None,
    model_args: Mapping[str, Any] | None = None,
    gen_kwargs: Mapping[str, Any] | None = None,
    base_url: str | None = None,
    system: str | None = None,
    batch_size: int | str | None = None,
    apply_chat_template: bool | None = None,
    samples: int = 1,
    limit: int | None = None,
    store: Results = None,
    progress: Progress | None = None,
    limits: Mapping[str, Any] | None = None,
    on_forecast: Callable[[Sequence[PlanRow]], None] | None = None,
) -> Outcome:
    """Have one model answer benchmarks, or questions from a file, without a suite and a judge.

    >>> done = judgebench.respond(
    ...     "scripted/blue", tasks=["trivia_judging_mini"], limit=3, store="new.db"
    ... )
    >>> done.answered
    3

    Parameters
    ----------
    model
        PROVIDER/MODEL, or, with ``model_args``, a backend of lm-eval: ``hf``, ``vllm``.
    tasks
        Benchmarks, each ``NAME`` or ``NAME@VERSION``.
    items, benchmark
        A file of questions of one's own, and how they are called in the store.
    name
        How the model is called; if not given, as the checkpoint or PROVIDER/MODEL.
    gen_kwargs
        Over what the benchmark says about decoding.
    system, batch_size, apply_chat_template
        As in a suite; the last two are for local models.
    samples, limit
        Answers to each question, and only the first questions.

    Raises
    ------
    UsageError
        For a model that is none, a benchmark that nobody knows, and where nothing is asked.
    """
    from judgebench.benchmarks.description import check_typed
    from judgebench.execution.resolve import resolve

    called = _candidate_called(
        model, model_args, gen_kwargs, base_url, system, batch_size, apply_chat_template
    )
    check_typed(tasks)
    wanted = [{"name": task} for task in tasks]
    wanted += [] if items is None else [{"name": benchmark, "items": str(items)}]
    if not wanted:
        raise UsageError("name what is asked: --tasks BENCHMARK, or --items FILE")
    how = {"samples": samples, **({} if limit is None else {"limit": limit})}
    written = {
        "name": "respond",
        "models": [{**called, **({} if name is None else {"name": name})}],
        "benchmarks": [{**one, **how} for one in wanted],
        "limits": dict(limits or {}),
    }
    suite = config.check(config.Suite, written, "what is answered")
    work = replace(resolve(suite), written=written)
    return _carried_out(work, store, progress, on_forecast)


def _carried_out(
    work: ResolvedSuite,
    store: Results,
    progress: Progress | None,
    on_forecast: Callable[[Sequence[PlanRow]], None] | None,
) -> Outcome:
    """What is asked without a suite, done."""
    from judgebench.execution.execute import evaluate

    with _under_way(work, store, progress, on_forecast) as (work, opened, pool, told):
        return evaluate(work, store=opened, pool=pool, progress=told)


def try_judge(
    suite: Path | str | None = None,
    *,
    answers: Files = (),
    judges: Sequence[str | Callable[..., Any]] = (),
    on: int = 3,
    kept: str | None = None,
    store: Results = None,
    progress: Progress | None = None,
    limits: Mapping[str, Any] | None = None,
    **how: Unpack[JudgeOptions],
) -> tuple[Outcome | None, list[JudgedReply]]:
    """Prompts as they would be sent, replies, and what is read from them; no verdict is kept.

    >>> _, found = judgebench.try_judge(rubric="rubric.txt", on=1, store="new.db")
    >>> len(found)
    1

    Parameters
    ----------
    suite
        Its ``judges`` are tried, all of them if none is named, on answers that are there.
    answers, how
        Without a suite, as for `judge`: without answers those of a small set that comes along, and
        without judges prompts alone.
    on
        So many questions at most of each judge.
    kept
        Nobody is asked: how the judges read is tried on what this judge of the store was replied.

    Returns
    -------
    outcome, replies
        What came of the calls, None where nobody was asked; and one entry a question.

    Raises
    ------
    UsageError
        As for `judge`; where there is no answer to try on, or no reader to try.
    """
    from judgebench.exchange.answer_files import SMALL_BASELINE
    from judgebench.execution.one_judge import first_calls, try_out
    from judgebench.reports import replies as report

    nobody = suite is None and not judges
    if nobody and how.get("prompt") is None and how.get("rubric") is None:
        raise UsageError("name what is tried: a prompt with --prompt, a --rubric, or a suite")
    if suite is not None:
        work = _resolved(
            Path(suite), limits=limits, narrowing=config.Narrowing(judges=(*map(str, judges),))
        )
    else:
        if not isinstance(answers, str | Path) and not len(answers):
            how["baseline"] = how.get("baseline") or SMALL_BASELINE
        if nobody and kept is None and how.get("prompt") is not None:
            how.setdefault("read", "brackets")
        work = _work_on(answers, judges or ["scripted/nobody"], limits, **how)
    with open_live_store(store_url(work.suite, store)) as opened:
        if kept is not None:
            found = report.judged_replies(opened, kept, limit=on).found
            return None, report.reread(opened, found, work.assignments)
        questions = [(one, first_calls(work, opened, one, on)) for one in work.assignments]
        names = {candidate.key: candidate.name for candidate in work.candidates}
        if nobody:
            return None, [report.prompt_alone(q, names) for _, own in questions for q in own]
    with _under_way(work, store, progress) as (_, opened, pool, told):
        outcome, results = try_out(work, questions, store=opened, pool=pool, progress=told)
        names |= {one.key: one.title for one in work.assignments}
        return outcome, [report.trial_reply(opened, *result, names) for result in results]


def judge_sweep(
    benchmark: str,
    *,
    suite: Path | str | None = None,
    judges: str | Sequence[str] = (),
    panels: str | Sequence[str] = (),
    prompts: Sequence[Path | str] = (),
    temperatures: Sequence[float] = (),
    readers: Sequence[Any] = (),
    reference: str | None = None,
    kind: Kind | None = None,
    costs: Mapping[str, float] | None = None,
    margin: float = 0.05,
    budget: float = 1.0,
    max_cost: float | None = None,
    level: float = 0.95,
    seed: int = 0,
    store: Results = None,
    progress: Progress | None = None,
) -> JudgeSweep:
    """The cheapest judge whose kappa with people is at most a margin below the best.

    As few verdicts are taken as that needs: those of judges that are clearly worse end early.

    >>> found = judgebench.judge_sweep("trivia_judging_mini", judges=["contains", "exact_match"])
    >>> found.pick, found.decided, found.labelled
    ('contains', True, 144)

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``, of which something is labelled.
    suite
        Its judges are asked, with all ``prompts`` (files), ``temperatures`` and ``readers`` that
        are given; if None, what the store has is replayed.
    judges, panels
        Only these; majorities, each written ``a,b,c``.
    reference, kind
        Whom to agree with, people if None; of which kind of verdicts.
    costs
        Of a verdict, by judge; what is on record if None, else the number of parameters.
    margin, budget, level
        How far below the best is good enough; the share of all verdicts that may be asked for;
        one less the error.
    max_cost
        US dollars. Nobody who costs money is asked without.

    Raises
    ------
    UsageError
        Without labels or judges that judged what is labelled; for a name that is not there.
    """
    from judgebench.reports import judge_sweep as report

    _check_numbers(level=level)
    how: dict[str, Any] = {
        "judges": _listed(judges=judges), "panels": _listed(panels=panels), "reference": reference,
        "kind": kind, "costs": costs, "margin": margin, "budget": budget, "level": level,
        "seed": seed,
    }  # fmt: skip
    if suite is None:
        with reading(store) as its:
            return report.judge_sweep(its, benchmark, **how)
    from judgebench.reports.judge_sweep import asked_sweep

    path = Path(suite)
    url = store_url(config.load_suite(path), store)
    with writing(url, create=False) as opened, shown(progress) as told:
        return asked_sweep(
            opened, benchmark, suite=path, progress=told, max_cost=max_cost,
            prompts=[Path(one) for one in prompts], temperatures=temperatures, readers=readers,
            **how,
        )  # fmt: skip


class AskingOptions(TypedDict, total=False):
    """Where a judge is found that is asked without a run of its suite, and what that may cost.

    suite
        Where it is said how it is asked; if not given, the newest run of the store that says it.
    benchmark
        Of the suite's; the first that has the judge, if not given.
    base_url
        Where a judge is reached that is named as PROVIDER/MODEL.
    max_cost
        US dollars. Who costs money is not asked without.
    ask
        Whether anybody is asked; else what it would take is said.
    """

    suite: Path | str | None
    benchmark: str | None
    base_url: str | None
    max_cost: float | None
    ask: bool


def probe(
    judge: str,
    *,
    items: int = 10,
    kinds: str | Sequence[str] = (),
    prompts: Sequence[Path | str] = (),
    seed: int = 0,
    store: Results = None,
    progress: Progress | None = None,
    **how: Unpack[AskingOptions],
) -> ProbeReport:
    """Dummy answers, attacks, the same again, another prompt, references in another order.

    >>> found = judgebench.probe("dice", suite="suite.yaml", items=2, kinds=["attack"])
    >>> sorted({row.variant for row in found.rows})
    ['injected-verdict', 'injection', 'null-model', 'unknown']

    Parameters
    ----------
    judge
        Of the suite, by its way of judging, or PROVIDER/MODEL, which judges in the benchmark's
        usual way.
    items, seed
        Answers to so many items are probed with, drawn by the seed from those that were judged.
    kinds
        ``answers``, ``attack``, ``repeat``, ``prompt``, ``references``; all if not given.
    prompts
        Files of prompts, each a variant of the judge's own.
    how
        As `AskingOptions` says.

    Raises
    ------
    UsageError
        For a name that is not there, a benchmark whose answers nobody judged, and a budget that is
        too small for the probes of one item.
    """
    from judgebench.reports.probe import probe as probe_judge

    paths = [Path(one) for one in prompts]
    with _asking(store, progress, how) as (opened, asking):
        return probe_judge(
            opened,
            judge,
            asking,
            items=items,
            kinds=_listed(kinds=kinds),
            prompts=paths,
            seed=seed,
        )


def rejudge(
    judge: str,
    against: str,
    *,
    pilot: int = 100,
    seed: int = 0,
    store: Results = None,
    progress: Progress | None = None,
    **how: Unpack[AskingOptions],
) -> Rejudged:
    """Have a new judge judge a random part of what an old one has judged, and compare the two.

    Its verdicts are ordinary ones, of the same answers on the same benchmark.

    >>> found = judgebench.rejudge("dice", "contains", suite="suite.yaml", pilot=4)
    >>> found.pilot, found.of, found.asked
    (4, 336, True)

    Parameters
    ----------
    judge, against
        The new judge and the old one; PROVIDER/MODEL judges as the old one does.
    pilot, seed
        So many answers, drawn from each model in turn.
    how
        As `AskingOptions` says.

    Raises
    ------
    UsageError
        For a judge that is not there, two that are the same or judge otherwise, a pilot of more
        answers than there are, and a budget that is too small for it.
    """
    from judgebench.reports.rejudge import rejudge as judge_again

    with _asking(store, progress, how) as (opened, asking):
        return judge_again(opened, judge, against, asking, pilot=pilot, seed=seed)


def replace_judge(
    old: str,
    new: str,
    *,
    store: Results = None,
    progress: Progress | None = None,
    **how: Unpack[AskingOptions],
) -> Rejudged:
    """Have a new judge judge every baseline that the old one judged, and set them anew.

    From then on boards and nights of both say where the break is.

    Parameters
    ----------
    how
        As `AskingOptions` says.

    Raises
    ------
    UsageError
        As `rejudge`, and where no baseline was judged by the old one.
    """
    from judgebench.reports.rejudge import replace_judge as judge_baselines

    with _asking(store, progress, how) as (opened, asking):
        return judge_baselines(opened, old, new, asking)


@contextmanager
def _asking(
    store: Results, progress: Progress | None, how: AskingOptions
) -> Iterator[tuple[Store, Asking]]:
    from judgebench.execution.one_judge import Asking

    said: dict[str, Any] = {**how}
    suite = said["suite"] = None if said.get("suite") is None else Path(said["suite"])
    url = store_url(None if suite is None else config.load_suite(suite), store)
    with writing(url, create=False) as opened, shown(progress) as told:
        yield opened, Asking(**said, progress=told)


def _work_on(
    answers: Files,
    judges: Sequence[str | Callable[..., Any]],
    limits: Mapping[str, Any] | None,
    *,
    batch: bool = False,
    **how: Unpack[JudgeOptions],
) -> ResolvedSuite:
    """What a suite would say of answers that exist, resolved."""
    from judgebench.benchmarks.own_prompts import own_benchmark
    from judgebench.exchange.answer_files import read_answers_of
    from judgebench.execution.resolve import ResolvedBenchmark, resolve

    found = read_answers_of(answers)
    said: dict[str, Any] = {name: value for name, value in how.items() if value is not None}
    about: dict[str, Any] = {}
    about |= {name: said.pop(name) for name in ("scale", "baseline", "limit") if name in said}
    benchmark, base_url = said.pop("benchmark", "answers"), said.pop("base_url", None)
    about |= {"scale": list(about["scale"])} if "scale" in about else {}
    about |= {"rubric": str(said.pop("rubric"))} if "rubric" in said else {}
    said |= {"prompt": str(said["prompt"])} if "prompt" in said else {}
    called = [_judge_called(one, base_url, said, "rubric" in about) for one in judges]
    section: dict[str, Any] = {
        "name": benchmark,
        "items": str(next(iter(found.answers.values())).path),
        "judges": [one["name"] for one in called],
        "samples": found.samples,
        **about,
    }
    written = {
        "name": benchmark,
        "models": [{"name": m, "responses": str(a.path)} for m, a in found.answers.items()],
        "judges": called,
        "benchmarks": [section],
        "limits": dict(limits or {}),
    }
    suite = config.check(config.Suite, written, "what is judged")
    if batch:
        suite = suite.in_batches()
        written = config.as_asked(written, {}, suite)
    own = own_benchmark(suite.benchmarks[0], found.questions)
    items = tuple(own.data.items[: about.get("limit")])
    given = ResolvedBenchmark(
        config=suite.benchmarks[0],
        benchmark=own,
        items=items,
        every_item=items,
        recorded=found.answers,
    )
    return replace(resolve(suite, given=given), written=written)


def _judge_called(
    named: str | Callable[..., Any],
    base_url: str | None,
    said: Mapping[str, Any],
    has_rubric: bool,
) -> dict[str, Any]:
    """The judge that is meant by PROVIDER/MODEL, or is a function."""
    if not isinstance(named, str):
        if not hasattr(named, "__qualname__"):
            raise UsageError(f"{named!r} is no judge: name PROVIDER/MODEL, or give a function")
        options = {"function": registry.register_function(named)}
        return {"name": named.__name__, "kind": "python", "options": options}
    if "prompt" not in said and not has_rubric:
        raise UsageError(f"{named} is told nothing: give a rubric with --rubric, or a --prompt")
    kind = {} if "prompt" in said else {"kind": "rubric"}
    return {"name": named, **kind, **_endpoint_called(named, base_url, "--judge"), **said}


def _candidate_called(
    model: str,
    model_args: Mapping[str, Any] | None,
    gen_kwargs: Mapping[str, Any] | None,
    base_url: str | None,
    system: str | None,
    batch_size: int | str | None,
    apply_chat_template: bool | None,
) -> dict[str, Any]:
    """A model of a suite, as a command line names it."""
    local = {
        "batch_size": batch_size,
        "apply_chat_template": apply_chat_template,
        "model_args": model_args and dict(model_args),
    }
    said = {field: value for field, value in local.items() if value is not None}
    if "/" in model and model_args is None:
        if said:
            raise UsageError(f"--{next(iter(said))} is about a local model, and {model} is none")
        sampling = {
            "max_tokens" if key == "max_gen_toks" else key: value
            for key, value in (gen_kwargs or {}).items()
        }
        api = {**_endpoint_called(model, base_url, "--model"), "sampling": sampling}
        return {"name": model, "api": {**api, **({} if system is None else {"system": system})}}
    if base_url is not None:
        raise UsageError("--base-url is about a model behind an API: --model PROVIDER/MODEL")
    if model_args is None:
        raise UsageError(
            f"--model {model}: a backend of lm-eval takes --model_args pretrained=CHECKPOINT; a "
            "model behind an API is named as PROVIDER/MODEL, such as openai/gpt-5-mini"
        )
    said |= {"model": model, "gen_kwargs": dict(gen_kwargs or {})}
    said |= {} if system is None else {"system_instruction": system}
    checkpoint = model_args.get("pretrained") or model_args.get("model") or model
    return {"name": Path(str(checkpoint)).name, "lm_eval": said}


def _endpoint_called(name: str, base_url: str | None, option: str) -> dict[str, Any]:
    """Who is meant by PROVIDER/MODEL, and where."""
    provider, _, model = name.partition("/")
    if not model:
        what = option.removeprefix("--")
        raise UsageError(
            f"{option}: a {what} is named as PROVIDER/MODEL, such as openai/gpt-5-mini, not "
            f"{name!r}"
        )
    known = registry.names("providers")
    refuse_unknown("provider", [provider], known, error=UsageError, about=f"{option}: ")
    if provider == "openai_compatible" and base_url is None:
        raise UsageError(f"{option} {name}: --base-url says where its server is reached")
    reached = {} if base_url is None else {"base_url": base_url}
    return {"provider": provider, "model": model, **reached}


def confirm(
    suite: Path | str,
    wanted: Sequence[Unconfirmed],
    *,
    store: Results = None,
    progress: Progress | None = None,
    limits: Mapping[str, Any] | None = None,
) -> Outcome:
    """Ask judges of a suite afresh about two models each, and nothing else.

    Parameters
    ----------
    wanted
        What a gate left to be confirmed.
    store, limits
        As for `run`.
    """
    from judgebench.execution.execute import confirm as confirm_work
    from judgebench.execution.gpus import placed
    from judgebench.execution.pool import ProviderPool
    from judgebench.execution.resolve import endpoints

    path = Path(suite)
    work = _resolved(path, limits=limits)
    with open_live_store(store_url(work.suite, store)) as opened, shown(progress) as told:
        pool = ProviderPool(work.suite, opened)
        with _named(path):
            work = placed(work)
            pool.check(endpoints(work))
            return confirm_work(work, wanted, store=opened, pool=pool, progress=told)


def _resolved(
    given: Path | str | config.Suite,
    *,
    limits: Mapping[str, Any] | None = None,
    batch: bool = False,
    narrowing: config.Narrowing | None = None,
    unjudged: bool = False,
    executor: str | None = None,
    stop_when_decided: bool = False,
) -> ResolvedSuite:
    """A suite with all that it names, or what is wrong with it; nothing is written."""
    from judgebench.execution.resolve import resolve

    suite = given if isinstance(given, config.Suite) else config.load_suite(Path(given))
    path, written = suite.source.path or Path(suite.name), suite.source.written
    if limits:
        changed = {**suite.limits.model_dump(), **limits}
        suite = suite.model_copy(update={"limits": config.check(config.Limits, changed, "limits")})
    if batch:
        suite = suite.in_batches()
    if unjudged:
        suite = suite.unjudged()
    if stop_when_decided:
        suite = suite.deciding_early()
    if executor is not None:
        suite = suite.on(executor)
    if narrowing is not None and narrowing.shard and suite.executor and suite.executor.slurm:
        suite = suite.on(config.LOCAL)  # a job of the array, or typed by hand
    with _named(path):
        registry.include_of_suite(suite.include_path)
        work = resolve(suite, narrowing)
    if limits or batch:
        written = config.as_asked(written, limits or {}, work.suite if batch else None)
    return replace(work, written=written)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """What is wrong with a suite, said with its path."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _check_labels(work: ResolvedSuite) -> None:
    """A fault in a file of labels is said now, not after everything was paid for."""
    if work.labels:
        from judgebench.exchange.tables import read_label_rows

        for path, about in work.labels:
            read_label_rows(path, about)


def _checked(path: Path, work: ResolvedSuite) -> dict[str, config.Endpoint]:
    """Whom a suite asks, once it is known that they can be asked, and that its labels can be read.

    Nothing is sent.
    """
    from judgebench.execution.pool import ProviderPool
    from judgebench.execution.resolve import endpoints

    _check_labels(work)
    asked = endpoints(work)
    with _named(path):
        ProviderPool(work.suite, None).check(asked)
    return asked


def _take_in_labels(work: ResolvedSuite, store: Store) -> list[str]:
    """Labels come after the answers that they are about; taking them in twice changes nothing.

    The files were read before anybody was asked. What is wrong with one by now, or with what it is
    about, is returned: it is no fault of the run, whose boards are without these labels.
    """
    if not work.labels:
        return []
    from judgebench.exchange.tables import import_labels as take_in_labels

    faults = []
    for path, about in work.labels:
        try:
            take_in_labels(store, path, about=about, only_answered=True)
        except InputError as error:
            again = f"`judgebench import labels {path}` takes them in later"
            faults.append(f"the labels of {path} were not taken in: {error}; {again}")
    return faults


def plan(
    suite: Path | str,
    *,
    models: str | Sequence[str] = (),
    judges: str | Sequence[str] = (),
    limit: int | None = None,
    shard: config.Shard | str | None = None,
    batch: bool = False,
    margin: float | None = None,
    policy: str | Path | Policy | None = None,
    refresh_anchors: bool = False,
    again: Collection[str] = (),
    store: Results = None,
) -> Plan:
    """What `run` would do, and what it could detect. Sends nothing, writes nothing, makes no store.

    >>> found = judgebench.plan("suite.yaml", store="new.db")
    >>> [(row.judge, row.judge_calls) for row in found.rows]
    [(None, 0), ('dice', 5), ('contains', 0)]

    Parameters
    ----------
    models, judges, limit, shard
        Only these of the suite, only the first items of each benchmark, only a part of them.
    margin
        A difference in the units of each judge's metric, of which the items needed are said.
    policy
        The gate, or its file, of which it is said how often it would pass an unchanged model.
    batch, refresh_anchors, again, store
        As for `run`.
    """
    from judgebench.execution.forecast import plan as plan_work
    from judgebench.execution.gpus import place
    from judgebench.execution.manifest import refuse_again, with_rechecks
    from judgebench.execution.pool import ProviderPool
    from judgebench.execution.preflight import needs, not_there
    from judgebench.execution.recheck import recheck_of_today
    from judgebench.reports.plan import Plan
    from judgebench.reports.power import PowerForecast

    asked = _policy(policy)
    narrowing = _narrowing(models, judges, limit, shard)
    work = _resolved(suite, batch=batch, narrowing=narrowing)
    refuse_again(work, again)
    needed, placements = tuple(needs(work)), list[str]()
    with suppress(ConfigError):  # which `needs` has said
        placements = [f"{at.tenant.name}: {at}" for at in place(work).values()]
    with _store_if_there(store_url(work.suite, store)) as opened:
        work = with_rechecks(work, [] if opened is None else opened.runs(), again)
        pool, detects = ProviderPool(work.suite, opened), PowerForecast(opened, margin)
        occasion = recheck_of_today() if refresh_anchors else None
        rows = plan_work(work, opened, pool, detects, occasion=occasion)
        needed += () if opened is None else tuple(not_there(work, opened))
    return Plan(
        rows=tuple(rows),
        asked=shlex.join([str(suite), *narrowing.options()]),
        margin=margin,
        policy=asked,
        notes=work.warnings,
        needs=needed,
        placements=tuple(placements),
    )


def preflight(suite: Path | str, *, ask: bool = True) -> tuple[list[Finding], float | None]:
    """What a run of a suite needs, and whether it is there; what asking cost, in US dollars.

    Parameters
    ----------
    ask
        Whether those who answer or judge behind an API are asked for one token each.

    Returns
    -------
    tuple
        The findings; the cost, None where the price of somebody is not known.

    Raises
    ------
    ConfigError, InputError
        For what is wrong with the suite, or with a file that it names.
    """
    from judgebench.execution import preflight as checks
    from judgebench.execution.preflight import Finding, needs

    path = Path(suite)
    work = _resolved(path)
    _checked(path, work)
    found = [
        Finding(
            "suite",
            "ok",
            f"{path}: {len(work.candidates)} models on benchmarks, "
            f"{len(work.assignments)} judges on them",
        )
    ]
    found += [Finding("suite", "absent", warning) for warning in work.warnings]
    found += needs(work)
    answered = checks.ask(work) if ask else checks.Answered([], 0.0)
    return [*found, *answered.findings], answered.cost_usd


def doctor(
    suite: Path | str | None = None,
    *,
    ask: bool = True,
    servers: str | Sequence[str] = (),
    store: Results = None,
    progress: Progress | None = None,
) -> Doctor:
    """What is installed, reachable and configured, and whether a suite would find what it needs.

    Parameters
    ----------
    ask
        Whether everybody whom the suite asks behind an API is asked for one token.
    servers
        Base URLs of OpenAI-compatible servers that are asked for their models; no key is sent.
    progress
        Told what asking cost.
    """
    from judgebench.execution.preflight import ASKED, Finding
    from judgebench.reports.doctor import Doctor, of_machine, of_server

    fault: JudgebenchError | None = None
    url, of_suite = store_url(None, store), list[Finding]()
    if suite is not None:
        try:
            url = store_url(config.load_suite(Path(suite)), store)
            of_suite = (
                _asked_for_a_token(suite, progress or NoProgress())
                if ask
                else (preflight(suite, ask=False)[0])
            )
        except JudgebenchError as error:
            of_suite, fault = [Finding("suite", "fault", str(error))], error
    asked = [of_server(base_url) for base_url in _listed(servers=servers)]
    checks = (*of_machine(url), *of_suite, *asked)
    silent = [one for one in asked if one.state == "fault"]
    wrong = silent or [one for one in of_suite if one.state == "fault"]
    if fault is None and wrong:
        unreachable = bool(silent) or all(one.what.endswith(ASKED) for one in wrong)
        kind = ProviderUnavailableError if unreachable else ConfigError
        fault = kind("; ".join(f"{one.what}: {one.found}" for one in wrong))
    return Doctor(checks=checks, fault=fault)


def _asked_for_a_token(suite: Path | str, progress: Progress) -> list[Finding]:
    progress.say("asking everybody behind an API for one token; --no-calls leaves that out")
    found, cost_usd = preflight(suite)
    said = "an amount that is not known" if cost_usd is None else f"{dollars(cost_usd)} USD"
    progress.say(f"asking cost {said}")
    return found


@contextmanager
def _store_if_there(url: str) -> Iterator[Store | None]:
    from judgebench.store.opening import located

    if not located(url).exists():
        yield None
        return
    with open_live_store(url, read_only=True) as opened:
        yield opened


def store_url(suite: config.Suite | None, given: Results = None) -> str:
    """Where a suite's results go: as told, else as the suite says, else where they usually go."""
    if isinstance(given, StoredResults | Store):
        return (given._store if isinstance(given, StoredResults) else given).url
    said = given or (suite.store if suite is not None else None)
    return str(said or os.environ.get("JUDGEBENCH_STORE") or DEFAULT_STORE)


@contextmanager
def reading(store: Results) -> Iterator[Store]:
    """A store for reading: one that is open stays so, one that is named is closed again."""
    if isinstance(store, StoredResults | Store):
        yield store._store if isinstance(store, StoredResults) else store
        return
    with open_live_store(store_url(None, store), read_only=True) as opened:
        yield opened


def writing(store: Results, *, create: bool = True) -> Store:
    """A store for writing, opened beside one that is open for reading."""
    return open_live_store(store_url(None, store), create=create)


__all__: Sequence[str] = [
    "StoredResults",
    "judge",
    "leaderboard",
    "open_store",
    "plan",
    "preflight",
    "replies",
    "respond",
    "run",
    "store_url",
    "verdicts",
]
