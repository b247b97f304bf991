"""Judges that are the very models whose answers they judge: one confidence, whoever gives it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from judgebench.judges.kinds import EXAMPLES
from judgebench.keys import content_key
from judgebench.records import CONFIDENCES, JudgeSpec, ModelSpec
from judgebench.reports.boards import Columns, disambiguate
from judgebench.store import Store


def named_as_themselves(store: Store, tables: Sequence[Columns]) -> dict[str, str]:
    """Judge's id -> the name to show, as of `disambiguate`, but one for models asked themselves.

    Each model that says how sure it is of its answers is a judge of its own. Where all judges of a
    name are that and ask alike, and no model was asked by two of them, they are one confidence of
    that name.

    Parameters
    ----------
    tables
        Columns ``judge``, ``judge_id`` and ``model_id``, of equal length.
    """
    shown = disambiguate(tables, "judge")
    judges = {judge.id: judge.spec for judge in store.judges()}
    models = {model.id: model.spec for model in store.models()}
    asked: dict[str, set[tuple[str, str]]] = {}
    for table in tables:
        columns = (table["judge"], table["judge_id"], table["model_id"])
        for name, judge, model in zip(*columns, strict=True):
            if judge is not None:
                asked.setdefault(name, set()).add((judge, model))
    for name, pairs in asked.items():
        times = Counter(model for _, model in pairs)
        alike = len({_way(judges[judge]) for judge, _ in pairs}) == 1
        themselves = all(_itself(judges[judge], models[model]) for judge, model in pairs)
        if alike and themselves and max(times.values()) == 1:
            shown |= {judge: name for judge, _ in pairs}
    return shown


def _way(judge: JudgeSpec) -> bytes:
    """How a judge asks and reads; the examples that it shows, if any, are each model's own."""
    options = {n: EXAMPLES if n == EXAMPLES else said for n, said in judge.options.items()}
    asked = [judge.kind, judge.prompt_sha, judge.reader_version, judge.sampling, options]
    return content_key("way of judging", asked)


def _itself(judge: JudgeSpec, model: ModelSpec) -> bool:
    """Whether a judge that gives confidences is the model: the same weights, or the same API."""
    if judge.kind not in CONFIDENCES or judge.identity is None:
        return False
    if model.weights == f"{judge.identity}/{judge.model}":
        return True
    # Behind the weights may stand the way in which they are asked.
    return f"{judge.identity}+".startswith(f"{model.weights}+")
