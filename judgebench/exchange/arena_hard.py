"""Judgments of Arena-Hard: a line for each question and model, with a game in each order.

Version 0.1 names a question ``question_id`` and not the baseline; version 2 names it ``uid``, and
the baseline too. In the first game the baseline is shown first, in the second the model. A clear
win (``A>>B``) counts as a win; upstream counts it three times over, as if it were three questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from judgebench.benchmarks.folder import items_at_hand
from judgebench.errors import unknown_name
from judgebench.exchange.names import At, KnownItems, default_version, judge_name, name
from judgebench.exchange.pipeline import Import, files_in
from judgebench.exchange.verdicts import VerdictAt, VerdictRow, checked, row_of
from judgebench.records import Order, Preference, Reply, Unreadable, Verdict
from judgebench.rows import Row, each_row

BENCHMARK = "arena_hard"

_FIRST, _SECOND = Preference(winner=0, p_first=1.0), Preference(winner=1, p_first=0.0)
_TIE = Preference(winner=None, p_first=0.5)
VERDICTS: Mapping[str, Verdict] = {
    "A>>B": _FIRST, "A>B": _FIRST, "A=B": _TIE, "A<B": _SECOND, "A<<B": _SECOND,
    "B>>A": _SECOND, "B>A": _SECOND, "B=A": _TIE, "B<A": _FIRST, "B<<A": _FIRST,
}  # fmt: skip

_SHOWN: tuple[Order, Order] = ("opponent_first", "model_first")

NO_LABEL = "Arena-Hard read no verdict from the reply, or two"


def read_arena_hard(
    paths: Sequence[Path],
    *,
    benchmark: str = BENCHMARK,
    version: str | None = None,
    baseline: str | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[Import]:
    """Read judgment files, or folders of them; returned with each is what stores it.

    Parameters
    ----------
    benchmark, version
        Under which the store keeps them.
    baseline
        With whom the models were compared.

    Raises
    ------
    InputError
        Naming the line and field of what cannot be used; for a file that names no baseline where
        none is given, or another.
    """
    at = benchmark, version or default_version(benchmark)
    read = [(path, _read(path, at, baseline)) for path in files_in(paths, (".jsonl",))]
    return checked("arena-hard", read, None if allow_unknown_items else known_items)


def _read(path: Path, at: At, baseline: str | None) -> list[VerdictRow]:
    """All games of a file; one that was not played is a missing verdict."""
    found = []
    for row in each_row(path, ("model", "judge", "games")):
        model, judge, against = name(row, "model"), judge_name(row), _baseline(row, baseline)
        if model == against:
            raise row.wrong("model", f"{model!r} cannot be its own opponent")
        games = row.values["games"]
        if not isinstance(games, list) or len(games) != len(_SHOWN):
            raise row.wrong("games", "two games have to stand here, with either answer first")
        item = name(row, "uid" if row.has("uid") else "question_id")
        for order, game in zip(_SHOWN, games, strict=True):
            if game is not None:
                where = VerdictAt(
                    benchmark=at[0],
                    version=at[1],
                    item_id=item,
                    model=model,
                    judge=judge,
                    opponent=against,
                    order=order,
                )
                found.append(row_of(row, where, *_game(row, game)))
    return found


def _baseline(row: Row, told: str | None) -> str:
    if not row.has("baseline"):
        if told is None:
            raise row.wrong(
                "baseline",
                "is missing, as in all files of version 0.1 (whose own is gpt-4-0314); "
                "--baseline NAME says with whom the models were compared",
            )
        return told
    named = name(row, "baseline")
    if told not in (None, named):
        raise row.wrong(
            "baseline",
            f"{named!r}, but --baseline names {told!r}: this is a judge file of another baseline",
        )
    return named


def _game(row: Row, game: Any) -> tuple[Verdict, Reply | None]:
    if not isinstance(game, Mapping):
        raise row.wrong("games", f"an object or null has to stand for a game, not {game!r:.60}")
    said: Any = game.get("judgment")
    if isinstance(said, Mapping):
        said = said.get("answer")
    reply = Reply(text=said) if isinstance(said, str) else None
    label = game.get("score")
    if label is None:
        return Unreadable(reason=NO_LABEL), reply
    if not isinstance(label, str) or label not in VERDICTS:
        raise row.wrong("games", unknown_name("score", str(label), VERDICTS))
    return VERDICTS[label], reply
