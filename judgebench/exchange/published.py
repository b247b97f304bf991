"""``import published``: the verdicts among the published figures, numbers without any text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from judgebench.errors import UsageError, refuse_unknown
from judgebench.exchange.pipeline import At, Import, default_version
from judgebench.exchange.tables import VerdictAt, VerdictRow, checked, row_of
from judgebench.records import HUMAN, Label, Preference
from judgebench.registry import figures_folder
from judgebench.rows import read_rows

SCORES_ALONE = ("mixeval_hard", "mixeval", "alignbench", "honestybench")
"""Of these scores were published, which are no verdicts on items."""

ALPACA_JUDGE, ALPACA_BASELINE = "weighted_alpaca_eval_gpt4_turbo", "gpt4_1106_preview"
LABELS = {"1": "correct", "0": "incorrect"}


def read_published(
    benchmarks: Sequence[str | Path] = (), *, tasks: Path | None = None
) -> list[Import]:
    """Read the published verdicts; returned with each file is what stores it, in one commit.

    Parameters
    ----------
    benchmarks
        Those of `PUBLISHED`; all of them if empty.
    tasks
        The folder that holds ``NAME/figures``; that of judgebench if not given.

    Raises
    ------
    UsageError
        For a benchmark of which no verdicts are published.
    InputError
        Where the figures are not there, as in an installed package, or cannot be used.
    """
    wanted = list(dict.fromkeys(map(str, benchmarks))) or list(PUBLISHED)
    for name in wanted:
        if name in SCORES_ALONE:
            raise UsageError(
                f"of {name} scores were published, and no verdicts on its items; "
                f"`judgebench reproduce` and `judgebench leaderboard {name} --published` show them"
            )
        refuse_unknown("benchmark with published verdicts", [name], PUBLISHED, error=UsageError)
    folders = [figures_folder(name, tasks) for name in wanted]
    found: list[Import] = []
    for name, folder in zip(wanted, folders, strict=True):
        file, read = PUBLISHED[name]
        rows = list(read(folder / file, (name, default_version(name))))
        found += checked(f"published {name}", [(folder / file, rows)], None)
    return found


def _alpaca_eval(path: Path, at: At) -> Iterator[VerdictRow]:
    """One judge on every model against the baseline, by the judge's weights: 1 to 2 there."""
    for row in read_rows(path, ("model", "index", "preference")):
        said = row.number("preference")
        if not 1.0 <= said <= 2.0:
            raise row.wrong("preference", f"between 1 and 2, not {said}")
        verdict = Preference.from_probability(said - 1.0)
        where = VerdictAt(
            benchmark=at[0],
            version=at[1],
            item_id=str(row.whole("index")),
            model=row.text("model"),
            judge=ALPACA_JUDGE,
            opponent=ALPACA_BASELINE,
        )
        yield row_of(row, where, verdict)


def _trivia_judging(path: Path, at: At) -> Iterator[VerdictRow]:
    """A column for each judge, people among them; what is empty was not judged."""
    for row in read_rows(path, ("exam_taker", "question_id", HUMAN)):
        for judge in [name for name in row.values if name not in ("exam_taker", "question_id")]:
            if not row.has(judge):
                continue
            said = row.text(judge)
            if said not in LABELS:
                raise row.wrong(judge, f"1 or 0 or nothing has to stand here, not {said!r}")
            where = VerdictAt(
                benchmark=at[0],
                version=at[1],
                item_id=row.text("question_id"),
                model=row.text("exam_taker"),
                judge=judge,
            )
            yield row_of(row, where, Label(name=LABELS[said]))


PUBLISHED: dict[str, tuple[str, Callable[[Path, At], Iterator[VerdictRow]]]] = {
    "alpaca_eval": ("verdicts.parquet", _alpaca_eval),
    "trivia_judging": ("verdicts.csv", _trivia_judging),
}
"""File among the figures and its reader, for each benchmark of which verdicts are published."""
