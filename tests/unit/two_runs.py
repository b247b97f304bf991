"""Stores with runs to compare: verdicts as letters, one an item, on answers that are texts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from judgebench import keys
from judgebench.records import (
    Case,
    Item,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    ModelSpec,
    Order,
    Preference,
    Response,
    RunManifest,
    Runtime,
    RunVerdict,
    Score,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from judgebench.store.store import Store

JUDGE = JudgeSpec(
    kind="reference", provider="p", model="g", prompt_sha="ab" * 32, official_prompt=True
)
SAID: Mapping[str, Verdict] = {
    "+": Label(name="correct"),
    "-": Label(name="incorrect"),
    "?": Unreadable(reason="two verdicts"),
    "1": Preference(winner=0, p_first=1.0),
    "2": Preference(winner=1, p_first=0.0),
    "=": Preference(winner=None, p_first=0.5),
    "a": Score(value=8, low=1, high=10),
    "b": Score(value=5, low=1, high=10),
    "A": Score(value=4, low=1, high=5),
}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A model's answers, and what a judge says of them; ``.`` where nobody asked.

    ``texts`` None: the store does not have the answers. ``anew`` tells judgments of one judge on
    one answer apart, as those that come from elsewhere.
    """

    said: str
    model: str = "policy"
    weights: str = "sha256:1"
    texts: Sequence[str] | None = ()
    judge: str = "judge"
    spec: JudgeSpec = JUDGE
    opponent: Judged | None = None
    stack: Runtime | None = None
    served: str | None = None
    anew: str = ""

    @property
    def model_spec(self) -> ModelSpec:
        return ModelSpec(weights=self.weights)

    def text(self, i: int) -> str:
        return self.texts[i] if self.texts else f"answer {i}"


def put_run(store: Store, name: str, *all_judged: Judged, **manifest: Any) -> RunManifest:
    """A run that judged all of this."""
    run = RunManifest(
        **{
            "id": name, "name": "night", "configuration": {}, "versions": {}, "git_sha": None,
            "data_sha": {}, "seeds": {}, "started": time.time(), **manifest,
        }
    )  # fmt: skip
    with store.transaction():
        store.start_run(run)
        for judged in all_judged:
            _put(store, run, judged)
        run = replace(run, ended=time.time(), state=manifest.get("state", "done"))
        store.update_run(run)
    return run


def _put(store: Store, run: RunManifest, judged: Judged) -> None:
    judge = store.put_judge(judged.judge, judged.spec)
    for i, code in enumerate(judged.said):
        turns = (Message(role="user", content=f"question {i}"),)
        item = Item(benchmark="made_up", version="1", id=str(i), turns=turns)
        store.put_items([item])
        answer = _answer(store, judged, item)
        opponent = None if judged.opponent is None else _answer(store, judged.opponent, item)
        if code == ".":
            continue
        order: Order = "single" if opponent is None else "model_first"
        case = keys.case_key(
            Case(item=item, responses=(answer,) if opponent is None else (answer, opponent))
        )
        place = VerdictSlot(
            benchmark="made_up", version="1", item_id=item.id, model_key=answer.model_key,
            judge_key=judge, opponent_key=opponent and opponent.model_key, order=order,
        )  # fmt: skip
        judgment = Judgment(
            key=keys.content_key("judgment", [judge, case, SAID[code], judged.anew]),
            judge_key=judge, case_key=case, verdict=SAID[code], served_model=judged.served,
        )  # fmt: skip
        use = RunVerdict(run_id=run.id, place=place, judgment_key=judgment.key)
        store.put_judgment(judgment, [use])


def _answer(store: Store, judged: Judged, item: Item) -> Response:
    model = store.put_model(judged.model, judged.model_spec)
    text = judged.text(int(item.id))
    answer = Response(
        benchmark="made_up", version="1", item_id=item.id, model_key=model, text=text, raw=text,
        stack=judged.stack,
    )  # fmt: skip
    if judged.texts is not None:
        store.put_responses({keys.response_key(model, item.turns, None): answer})
    return answer
