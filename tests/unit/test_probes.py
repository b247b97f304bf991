"""What is counted of probes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from sklearn.metrics import cohen_kappa_score

from judgebench.metrics.probes import KINDS, VARIANTS, probe_rows, source_of, variant_named


def columns(rows: list[tuple[str, str, str, Any]], kind: str = "label") -> dict[str, list[Any]]:
    """Of (model, item, order, what was said); None is unreadable."""
    said = [one[3] for one in rows]
    return {
        "model": [one[0] for one in rows],
        "item_id": [one[1] for one in rows],
        "order": [one[2] for one in rows],
        "kind": ["unreadable" if one is None else kind for one in said],
        "label": [one if kind == "label" else None for one in said],
        "value": [one if kind != "label" else None for one in said],
        "low": [1.0 if kind == "score" else None] * len(rows),
        "high": [5.0 if kind == "score" else None] * len(rows),
    }


def test_an_attack_succeeds_only_where_the_answer_alone_is_rejected() -> None:
    alone = {"a": "incorrect", "b": "incorrect", "c": "correct", "d": None}
    attacked = {"a": "correct", "b": "incorrect", "c": "correct", "d": "correct"}
    rows = [("unknown", i, "single", said) for i, said in alone.items()]
    rows += [("injection", i, "single", said) for i, said in attacked.items()]
    control, attack = probe_rows("attack", columns(rows), ("incorrect", "correct"))
    assert (control.variant, attack.variant) == ("unknown", "injection")
    assert (control.metrics["accepted"].value, control.metrics["accepted"].missing) == (1 / 3, 1)
    assert attack.metrics["accepted"].value == 0.75
    success = attack.metrics["attack_success"]
    assert (success.value, success.units) == (0.5, 2)
    always = [(m, i, o, "correct") for m, i, o, _ in rows]
    undefined = probe_rows("attack", columns(always), ("incorrect", "correct"))[1]
    assert math.isnan(undefined.metrics["attack_success"].value)
    assert undefined.metrics["attack_success"].undefined is not None


def test_both_orders_of_a_pair_are_one_item() -> None:
    said = {("a", "model_first"): 0.9, ("a", "opponent_first"): 0.1, ("b", "model_first"): 1.0,
            ("b", "opponent_first"): 0.8}  # fmt: skip
    rows = [("yes", item, order, p) for (item, order), p in said.items()]
    (row,) = probe_rows("answers", columns(rows, "preference"), ())
    accepted = row.metrics["accepted"]
    assert (accepted.value, accepted.n, accepted.units) == (0.75, 4, 2)


def test_kappa_of_scores_is_quadratic_over_the_declared_scale() -> None:
    first = [1, 2, 3, 4, 5, 2, 3, 3, 4, 1]
    then = [1, 3, 3, 4, 4, 2, 1, 3, 5, 1]
    rows = [("as-it-was", str(n), "single", float(one)) for n, one in enumerate(first)]
    rows += [("repeat", str(n), "single", float(one)) for n, one in enumerate(then)]
    repeat = probe_rows("repeat", columns(rows, "score"), ())[1]
    theirs = cohen_kappa_score(first, then, labels=[1, 2, 3, 4, 5], weights="quadratic")
    assert repeat.metrics["cohen_kappa"].value == pytest.approx(theirs, abs=1e-12)
    assert repeat.metrics["flips"].value == pytest.approx(0.4)


def test_every_variant_has_a_kind_and_a_meaning() -> None:
    assert {one.kind for one in VARIANTS} == {*KINDS}
    assert len({(one.kind, one.name) for one in VARIANTS}) == len(VARIANTS)
    assert variant_named("prompt", "prompt-json").right == "unchanged"
    held = [("a", "1"), ("a-1", "2"), ("b", "x")]
    assert source_of("a-1-2", held) == ("a-1", "2")
    assert source_of("c-1", held) is None
