"""Where the comparison of two models stopped, or would have stopped, and what that saves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from judgebench.metrics.paired import PairedModels
from judgebench.metrics.registry import metric
from judgebench.metrics.sequential import EarlyDecision, SequentialPlan, early_decisions
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.board_data import plans_behind
from judgebench.reports.cost import judge_costs
from judgebench.reports.document import Table, column, table

if TYPE_CHECKING:
    from judgebench.reports.model_pairs import PairData

METHOD = "repeated confidence interval"
OPPOSITE: Mapping[str, Any] = {"better": "worse", "worse": "better", "undecided": "undecided"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(EarlyDecision):
    """A decision, and what is not judged for it.

    judgments_saved, usd_saved
        Of both models; nan where they, or the price, are not known.
    """

    judgments_saved: float = math.nan
    usd_saved: float = math.nan

    def estimate(self, of: Estimate) -> Estimate:
        """The difference at the stop, with its interval."""
        return replace(
            of, value=self.difference, low=self.low, high=self.high, level=self.level,
            units=self.items, method=METHOD,
        )  # fmt: skip

    def text(self, name: str) -> str:
        """The difference of a metric at the stop, as everywhere else."""
        none = Estimate(value=math.nan, n=self.items, units=self.items)
        return estimates.text(self.estimate(none), digits=metric(name).digits)

    @property
    def note(self) -> str:
        """What a reader has to know of an estimate after it."""
        how = "stopped early" if self.early else "could have stopped early"
        return (
            f"judging {how}, after {self.items} of {self.of} items: the decision is that of its "
            f"plan, and the difference is that of these items, with a {METHOD}"
        )


def replayed(data: PairData, pair: PairedModels, *, alpha: float) -> Stop | None:
    """Where a plan over all items of a pair would have stopped; None where none is defined."""
    if pair.why_not is not None or pair.stratum.any():
        return None
    items = tuple(dict.fromkeys(pair.questions))
    n = len(items)
    plan = SequentialPlan(baseline="", candidates=("",), sizes=(n,), alpha=alpha, seed=0)
    (found,) = early_decisions(plan, [pair], items, n)
    saved = round(float(pair.expected.sum()) * (1.0 - found.items / max(1, n)))
    store, which = data.board.store, data.which
    (cost,) = judge_costs(store, which.name, which.version, data.board.judges, [pair.judge])
    usd = saved * cost.usd if saved else 0.0
    return Stop(**asdict(found), judgments_saved=saved, usd_saved=usd)


def recorded(data: PairData, judge: str, two: tuple[str, str]) -> Stop | None:
    """How the plan ended by which a judge judged the two; None without one.

    A run without a plan that judged the rest has taken its place.
    """
    first, second = (data.board.model_ids[model] for model in two)
    for ended, baseline in plans_behind(data.board, data.judge_id(judge), {first}):
        candidate = second if baseline == first else first
        if baseline in (first, second) and candidate in ended:
            told = ended[candidate]
            if baseline == first:
                low, high, decision = -told["high"], -told["low"], OPPOSITE[told["decision"]]
                turned = {"difference": -told["difference"], "low": low, "high": high}
                told = {**told, **turned, "decision": decision}
            return Stop(**told)
    return None


def stops_table(rows: list[tuple[str, str, str, Stop]]) -> Table:
    """Benchmark, judge, metric, and where it stopped."""
    return table(
        "Where it is decided, judged in a random order",
        rows,
        [
            column("decision", lambda one: one[3].decision),
            column("benchmark", lambda one: one[0], wraps=True),
            column("judge", lambda one: one[1], wraps=True),
            column("metric", lambda one: one[2], wraps=True),
            column("after", lambda one: f"{one[3].items:,} of {one[3].of:,}", align="right"),
            column(
                "judgments saved",
                lambda one: estimates.number(one[3].judgments_saved, ",.0f"),
                align="right",
            ),
            column(
                "USD saved", lambda one: estimates.number(one[3].usd_saved, ".2f"), align="right"
            ),
            column("difference then", lambda one: one[3].text(one[2]), align="right"),
        ],
        subtitle="looked at every 2.5 % of the items from 20 on; the error rate is shared by all "
        f"tests (Bonferroni); the interval is a {METHOD}",
    )
