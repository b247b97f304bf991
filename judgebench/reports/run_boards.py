"""What a run comes to: its boards, what confidences are worth, and the agreement with people."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from judgebench.config import LM_EVAL_GROUPS
from judgebench.errors import UsageError
from judgebench.execution.manifest import Outcome
from judgebench.execution.resolve import Candidate
from judgebench.records import CONFIDENCES, SCORING, is_human
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.document import Report, Table, column, table
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.task_groups import group_boards
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.reports.confidence import ConfidenceReport


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBoards(Report):
    """The reports on what was asked, benchmark by benchmark; rows are those of the boards.

    answers
        How many answers there are where nobody judges.
    """

    run: str
    answers: tuple[Mapping[str, Any], ...]
    reports: tuple[Report, ...]

    def tables(self) -> list[Table]:
        note = (
            "the suite names no judges there; with judges: […], the same run again judges these "
            "answers and asks for none of them anew"
        )
        alone = [
            table(
                "answers alone",
                self.answers,
                [
                    column(
                        "benchmark", lambda one: f"{one['benchmark']}@{one['version']}", wraps=True
                    ),
                    column("model", lambda one: one["model"], wraps=True),
                    column("answers", lambda one: str(one["answers"]), align="right"),
                    column("missing", lambda one: str(one["missing"]), align="right"),
                ],
                notes=[note],
            )
        ]
        shown = alone if self.answers else []
        return shown + [one for report in self.reports for one in report.tables()]

    def records(self) -> list[dict[str, Any]]:
        boards = [one for one in self.reports if isinstance(one, Leaderboard)]
        return [record for report in boards for record in report.records()]

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, list[Any]] = {"boards": [], "agreement": [], "confidence": []}
        for report in self.reports:
            if isinstance(report, Leaderboard):
                found["boards"] += report.to_dict()["boards"]
            else:
                from judgebench.reports.confidence import ConfidenceReport

                kind = "confidence" if isinstance(report, ConfidenceReport) else "agreement"
                found[kind].append(report.to_dict())
        return {"run": self.run, **found, "answers": list(self.answers)}


def run_boards(store: Store, outcome: Outcome) -> RunBoards:
    """The reports on what a run asked for.

    Judges that the store holds from other suites, or as they were before, are left out. What the
    outcome holds of the work is let go of before the first board is read.
    """
    asked = [
        (f"{one.benchmark.name}@{one.benchmark.version}", one.config.jury)
        for one in outcome.work.asked
    ]
    seated = {assignment.key for assignment in outcome.work.assignments}
    unjudged = [c for c in outcome.work.candidates if not c.asked.config.judges]
    correct = {which: _who_says_correct(outcome, which) for which, _ in asked}
    outcome.let_go()
    judges = {judge.id for judge in store.judges() if judge.key in seated}
    found: list[Report] = []
    for name, jury in asked:
        boards = [
            board
            for board in leaderboards(store, name, panels=[jury] if jury else [])
            if board.judge_id is None or board.judge_id in judges or is_human(board.judge)
        ]
        found.append(Leaderboard.of(boards))
        if (confidence := _confidences(store, name, correct[name], judges)) is not None:
            found.append(confidence)
        if any(is_human(board.judge) for board in boards):
            from judgebench.reports.agreement import agreement_reports

            among = [board.judge_id for board in boards if board.judge_id]
            if agreement := agreement_reports(store, name, judges=among):
                found.append(agreement)
    for name, group in (outcome.manifest.configuration.get(LM_EVAL_GROUPS) or {}).items():
        found.append(Leaderboard.of(group_boards(store, name, group)))
    return RunBoards(
        run=outcome.manifest.id,
        answers=tuple(_answers_alone(store, candidate) for candidate in unjudged),
        reports=tuple(found),
    )


def _answers_alone(store: Store, candidate: Candidate) -> dict[str, Any]:
    """How many answers there are of a model to a benchmark that nobody judges."""
    benchmark = candidate.asked.benchmark
    wanted = len(candidate.asked.items) * candidate.asked.config.samples
    there = store.answered(benchmark.name, benchmark.version, candidate.key)
    answers = len(there & {place[:2] for place in candidate.key_of})
    return {
        "benchmark": benchmark.name,
        "version": benchmark.version,
        "model": candidate.name,
        "answers": answers,
        "missing": wanted - answers,
    }


def _who_says_correct(outcome: Outcome, benchmark: str) -> str | None:
    """The judge against whose labels this run's confidences are held; None where it has none.

    Of several judges that label, the first that judges as is usual for the benchmark.
    """
    assignments = [
        assignment
        for assignment in outcome.work.assignments
        if f"{assignment.asked.benchmark.name}@{assignment.asked.benchmark.version}" == benchmark
    ]
    told = any(assignment.judge.spec.kind in CONFIDENCES for assignment in assignments)
    drawn = any(
        s.asked.judged_samples == "first" and s.asked.config.samples > 1 for s in assignments
    )
    if not told and not drawn:
        return None
    labelling = [s for s in assignments if s.judge.spec.kind not in SCORING and not s.compares]
    usual = [s for s in labelling if s.judge.spec.kind == s.asked.benchmark.default_judge]
    return next((assignment.name for assignment in (*usual, *labelling)), None)


def _confidences(
    store: Store, benchmark: str, correct: str | None, judges: Collection[str]
) -> ConfidenceReport | None:
    """What confidences are worth; None where nothing has both a label and a confidence yet."""
    if correct is None:
        return None
    from judgebench.reports.confidence import confidence_report

    try:
        report = confidence_report(store, benchmark, correct=correct, judges=judges)
    except UsageError:  # the judge has labelled nothing, which its board says
        return None
    return report if any(row.metrics["auroc"].n for row in report.rows) else None
