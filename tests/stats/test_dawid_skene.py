"""Dawid and Skene's model: the gold's fit, a naive one, and judges of whom nothing can be told."""

from __future__ import annotations

import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.stats.agreement import COEFFICIENTS, coefficient, confusion_table
from judgebench.stats.dawid_skene import dawid_skene
from tests.table import over_rows

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "trivia_judging"


def made(confusion: Any, prior: Any, n: int, *, seed: int, missing: float = 0.0) -> Any:
    """True labels, and what judges of these confusions say of them."""
    drawn = np.random.default_rng(seed)
    truth = drawn.choice(len(prior), n, p=prior)
    said = np.array([[drawn.choice(len(prior), p=one[t]) for t in truth] for one in confusion])
    return truth, np.where(drawn.random(said.shape) < missing, -1, said)


def coin(right: float, n_labels: int = 2) -> Any:
    wrong = (1.0 - right) / (n_labels - 1)
    return np.where(np.eye(n_labels) > 0, right, wrong)


@pytest.mark.skipif(not (GOLD / "judgments.parquet").exists(), reason="the gold data is not here")
def test_the_gold() -> None:
    import pandas as pd

    expected = json.loads((GOLD / "expected.json").read_text())
    table = pd.read_parquet(GOLD / "judgments.parquet")
    table = table[~table.stale]
    judges, gold = expected["llm_judges"], expected["ensembles"]["dawid_skene"]
    labels = np.stack([table[name].astype("Int8").fillna(-1).to_numpy(int) for name in judges])
    fit = dawid_skene(labels, n_labels=2)
    assert (fit.iterations, labels.shape[1]) == (gold["iterations"], gold["n_items"])
    assert fit.log_likelihood == pytest.approx(gold["loglik"], abs=1e-9)
    assert fit.prior[1] == pytest.approx(gold["prior_correct"], abs=1e-9)
    for at, name in enumerate(judges):
        assert fit.confusion[at, 1, 1] == pytest.approx(gold["sensitivity"][name], abs=1e-9)
        assert fit.confusion[at, 0, 0] == pytest.approx(gold["specificity"][name], abs=1e-9)
    right = fit.posterior[:, 1] > 0.5
    human = table.human.to_numpy(bool)
    assert_as(gold["vs_human"], right, human)
    shared = {frozenset((judges[a], judges[b])) for a, b in fit.shared}
    assert frozenset(("GPT-4", "Llama3-70B")) in shared
    vote = np.array([np.bincount(one[one >= 0], minlength=2) for one in labels.T])
    whole = (labels >= 0).all(axis=0)
    ensembles = expected["ensembles"]
    assert_as(ensembles["majority_of_9_llm_judges"], (vote[:, 1] > vote[:, 0])[whole], human[whole])
    alike = whole & (vote == 0).any(axis=1)
    unanimous = ensembles["unanimous"]
    assert alike.sum() == unanimous["n"]
    assert alike.sum() / whole.sum() == pytest.approx(unanimous["share"], abs=1e-9)
    accuracy = ((vote[:, 1] > 0) == human)[alike].mean()
    assert accuracy == pytest.approx(unanimous["accuracy"], abs=1e-9)


def assert_as(gold: dict[str, float], said: Any, human: Any) -> None:
    """Every coefficient of the table, and its cells, as the gold has them."""
    table = confusion_table(said.astype(int), human.astype(int), n_labels=2)
    names = {"agreement": "percent_agreement", "score_delta": "delta"}
    for name in COEFFICIENTS:
        found = float(coefficient(name, table))
        assert found == pytest.approx(gold[names.get(name, name)], abs=1e-9), name
    cells = {"tp": said & human, "fp": said & ~human, "fn": ~said & human, "tn": ~said & ~human}
    assert {cell: int(its.sum()) for cell, its in cells.items()} == {c: gold[c] for c in cells}


def naive_fit(labels: list[list[int]], n_labels: int) -> tuple[float, list[list[list[float]]]]:
    """Expectation maximisation item by item: log-likelihood and confusion."""
    judges, items = range(len(labels)), range(len(labels[0]))
    kinds, last = range(n_labels), -math.inf
    posterior = []
    for i in items:
        votes = [labels[j][i] for j in judges if labels[j][i] >= 0]
        posterior.append([votes.count(k) / len(votes) for k in kinds])
    while True:
        prior = [sum(posterior[i][k] for i in items) / len(items) for k in kinds]
        confusion = []
        for j in judges:
            rows = []
            for k in kinds:
                counts = [
                    sum(posterior[i][k] for i in items if labels[j][i] == said) for said in kinds
                ]
                rows.append([count / sum(counts) for count in counts])
            confusion.append(rows)
        top = 0.0
        for i in items:
            joint = []
            for k in kinds:
                p = prior[k]
                for j in judges:
                    if labels[j][i] >= 0:
                        p *= confusion[j][k][labels[j][i]]
                joint.append(p)
            top += math.log(sum(joint))
            posterior[i] = [p / sum(joint) for p in joint]
        if top - last < 1e-8:
            return top, confusion
        last = top


@over_rows(("n_labels", "missing"), [(2, 0.0), (2, 0.3), (3, 0.2)])
def test_a_naive_fit_agrees(n_labels: int, missing: float) -> None:
    matrices = [coin(p, n_labels) for p in (0.9, 0.8, 0.7, 0.75)]
    _, labels = made(matrices, [1 / n_labels] * n_labels, 120, seed=1, missing=missing)
    labels = labels[:, (labels >= 0).any(axis=0)]
    fit = dawid_skene(labels, n_labels=n_labels, starts=1)
    top, confusion = naive_fit(labels.tolist(), n_labels)
    assert fit.log_likelihood == pytest.approx(top, abs=1e-9)
    assert fit.confusion == pytest.approx(np.array(confusion), abs=1e-9)


def test_judges_and_truth_are_found_without_labels() -> None:
    matrices = [np.array([[0.95, 0.05], [0.3, 0.7]]), coin(0.9), coin(0.6), coin(0.85)]
    truth, labels = made(matrices, [0.3, 0.7], 2000, seed=2)
    fit = dawid_skene(labels, n_labels=2)
    assert fit.confusion == pytest.approx(np.array(matrices), abs=0.06)
    likely = fit.posterior.argmax(axis=1)
    majority = labels.mean(axis=0) > 0.5
    assert (likely == truth).mean() > (majority == truth).mean()
    assert fit.shared == ()
    assert fit.converged
    assert len(fit.tops) == 5
    assert fit.accuracy[1] == pytest.approx(0.9, abs=0.03)


def test_one_coin_has_one_share_of_right_labels() -> None:
    _, labels = made([coin(p, 3) for p in (0.9, 0.8, 0.6)], [0.5, 0.3, 0.2], 1500, seed=3)
    fit = dawid_skene(labels, n_labels=3, model="one-coin")
    assert fit.accuracy == pytest.approx([0.9, 0.8, 0.6], abs=0.05)
    assert fit.confusion[0, 0, 1] == fit.confusion[0, 1, 2] == fit.confusion[0, 2, 0]
    assert fit.log_likelihood <= dawid_skene(labels, n_labels=3).log_likelihood + 1e-6


def test_judges_that_err_together_are_named() -> None:
    _, labels = made([coin(0.85)] * 7, [0.5, 0.5], 1000, seed=4)
    labels[6, ::3] = labels[5, ::3]  # a third of what one says is the other's
    fit = dawid_skene(labels, n_labels=2)
    assert fit.shared == ((5, 6),)
    assert fit.residual[5, 6] == pytest.approx(1 / 3, abs=0.1)


def test_what_cannot_be_told_is_refused() -> None:
    _, labels = made([coin(0.8)] * 4, [0.5, 0.5], 100, seed=5)
    for few in (1, 2):
        with pytest.raises(ValueError, match=f"{few} judges?: who errs cannot be told"):
            dawid_skene(labels[:few], n_labels=2)
    apart = labels.copy()
    apart[:2, :50] = apart[2:, 50:] = -1
    with pytest.raises(ValueError, match="no item in common"):
        dawid_skene(apart, n_labels=2)
    with pytest.raises(ValueError, match="codes below 2"):
        dawid_skene(labels + 1, n_labels=2)


def test_constant_judges_say_nothing_of_the_truth() -> None:
    _, labels = made([coin(0.85)] * 3, [0.5, 0.5], 1000, seed=6)
    with_constant = np.vstack([labels, np.ones(1000, int)])
    fit = dawid_skene(with_constant, n_labels=2)
    alone = dawid_skene(labels, n_labels=2)
    assert fit.posterior == pytest.approx(alone.posterior, abs=1e-3)
    everyone = dawid_skene(np.ones((3, 50), int), n_labels=2)
    assert everyone.posterior[:, 1] == pytest.approx(1.0)
    assert everyone.log_likelihood == pytest.approx(0.0)
    assert np.isnan(everyone.confusion[:, 0]).all()  # no item of that label
    nobody = labels.copy()
    nobody[:, 0] = -1
    assert np.isnan(dawid_skene(nobody, n_labels=2).posterior[0]).all()


def test_ten_million_verdicts_take_as_much_as_their_patterns() -> None:
    drawn = np.random.default_rng(7)
    truth = drawn.random(1_000_000) < 0.5
    labels = np.array([truth ^ (drawn.random(len(truth)) < 0.2) for _ in range(10)], dtype=np.int8)
    tracemalloc.start()
    fit = dawid_skene(labels, n_labels=2, starts=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fit.accuracy == pytest.approx(0.8, abs=0.01)
    assert peak < 150e6
