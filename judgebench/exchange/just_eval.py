"""Answers and judgments of just-eval, as its scripts write them.

A record of an answer has ``instruction``, ``output`` and ``generator``; one of a judgment has
``input``, ``output_cand``, ``generator_cand``, how it was asked (``eval_config``) and the judge's
``result``, which is ``N/A`` until it has judged. The answers that were judged are taken in as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from judgebench.exchange.pipeline import Import, files_in, judge_name, name, refuse_unknown, told
from judgebench.exchange.tables import (
    VerdictAt,
    VerdictRow,
    answer_of,
    checked,
    row_of,
    take_in_answers,
)
from judgebench.judges.readers.upstream import READERS
from judgebench.plain_text import counted
from judgebench.records import Item, Reply
from judgebench.rows import Row, each_row

BENCHMARK = "just_eval"
READ_AS = {"score_multi": "just_eval", "score_safety": "just_eval_safety"}
"""Who reads the replies of each mode."""

NOT_JUDGED = "N/A"
_NO_RECORDS = (".eval_res.json", ".reward.json")


def read_just_eval(
    paths: Sequence[Path],
    *,
    model: str | None = None,
    judge: str | None = None,
    **said: Any,
) -> list[Import]:
    """Read files of answers or judgments, or folders of them; returned is what stores each.

    Parameters
    ----------
    model, judge
        Whose they are; as the records say if not given.
    said
        As `pipeline.told` takes it.

    Raises
    ------
    InputError
        Naming the line and field of what cannot be used, also of a record that stands under the
        id of another instruction.
    """
    asked = told(BENCHMARK, **said)
    at, known = asked.at, asked.known
    items = asked.items_of(*at)
    found: list[Import] = []
    for path in files_in(paths, (".json", ".jsonl")):
        if path.name.endswith(_NO_RECORDS) and path not in paths:
            continue
        answers, verdicts, waiting = [], [], 0
        for number, row in enumerate(each_row(path, ())):
            item = str(row.whole("id", number)) if row.has("id") else str(number)
            judged = "output_cand" in row.values
            of = model or name(row, "generator_cand" if judged else "generator")
            _refuse_other(row, "input" if judged else "instruction", (items or {}).get(item))
            field = "output_cand" if judged else "output"
            if not isinstance(text := row.values.get(field), str):
                raise row.wrong(field, f"a text has to stand here, not {text!r:.60}")
            answers.append(answer_of(row, at, item, of, text))
            if judged and row.values.get("result") in (None, NOT_JUDGED):
                waiting += 1
            elif judged:
                where = VerdictAt(benchmark=at[0], version=at[1], item_id=item, model=of, judge="")
                verdicts.append(_verdict(row, where, judge))
        refuse_unknown([(one.row, one.item_id) for _, one in answers], at, known)
        found.append(Import(f"{path}: answers", partial(take_in_answers, path=path, rows=answers)))
        if verdicts or waiting:
            (scores,) = checked("just-eval", [(path, verdicts)], known)
            later = f"{counted(waiting, 'record')} without a result ({NOT_JUDGED}): not judged yet"
            found.append(scores.with_warnings(later) if waiting else scores)
    return found


def _verdict(row: Row, where: VerdictAt, judge: str | None) -> VerdictRow:
    said = row.values.get("eval_config")
    asked = Row(f"{row.where}: eval_config", said if isinstance(said, Mapping) else {})
    reader = READERS[READ_AS[asked.one_of("mode", "mode", READ_AS)]]
    named = judge or asked.text("gpt")
    where = replace(where, judge=judge_name(Row(asked.where, {"judge": named})))
    reply = Reply(text=row.long_text("result"))
    return row_of(row, where, reader.read(reply), reply)


def _refuse_other(row: Row, field: str, item: Item | None) -> None:
    """Refuse a record about another instruction than the benchmark has under its id."""
    if item is not None and row.values.get(field) != item.question:
        raise row.wrong(
            field,
            f"{str(row.values.get(field))[:60]!r} is not the instruction {item.id} of "
            f"{item.benchmark}, which is {item.question[:60]!r}",
        )
