"""What would be forgotten, or was, and what it would take to have it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from judgebench.plain_text import counted, dollars
from judgebench.reports.document import Cells, Report, Rows, Table, column, table
from judgebench.store import Store
from judgebench.store.copy import Forgotten

_ASKED = ("live", "batch")


def usd_per_call(store: Store) -> dict[str, float]:
    """What a call of each judge, by id, cost on average, over all runs; without those not known."""
    calls: dict[str, int] = {}
    cost: dict[str, float] = {}
    spend = store.spend()
    names = ("judge_id", "how", "calls", "unpriced_calls", "cost_usd")
    for judge, how, n, unpriced, usd in zip(*(spend[name] for name in names), strict=True):
        if judge is not None and how in _ASKED:
            calls[judge] = calls.get(judge, 0) + n - unpriced
            cost[judge] = cost.get(judge, 0.0) + usd
    return {judge: cost[judge] / n for judge, n in calls.items() if n}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenReport(Report):
    """What goes, or went; as `store.copy.Forgotten` says, with what it takes to have it again.

    removed
        Whether it is gone already.
    judges
        Of each judge; ``cost_usd`` is None where nobody can be asked, or the price is not known.
    """

    ROWS: ClassVar = (
        Rows(
            of="judges",
            row=(
                *("judge", "judge_id", "judgments", "elsewhere", "replies"),
                *("prompt_tokens", "completion_tokens", "uncounted", "cost_usd"),
            ),
        ),
    )

    removed: bool
    judges: tuple[Mapping[str, Any], ...]
    judgments: int
    verdicts: int
    replies: int
    runs: tuple[str, ...]
    shared: int
    pinned: int
    needed_replies: int
    earlier: int
    anchors: int
    failures: int

    def tables(self) -> list[Table]:
        """The judgments of each judge, and what asking for them again would take."""
        columns: list[Cells[Mapping[str, Any]]] = [
            column("judge", lambda row: row["judge"], wraps=True),
            column("judgments", lambda row: f"{row['judgments']:,}", align="right"),
            column("replies", lambda row: f"{row['replies']:,}", align="right"),
            column("tokens in", lambda row: f"{row['prompt_tokens']:,}", align="right", spare=True),
            column(
                "tokens out", lambda row: f"{row['completion_tokens']:,}", align="right", spare=True
            ),
            column("to have them again", _again, align="right"),
        ]
        title = "forgotten" if self.removed else "would be forgotten"
        return [
            table(
                f"{title}: {counted(self.judgments, 'judgment')}, which served as "
                f"{counted(self.verdicts, 'verdict')} in {counted(len(self.runs), 'run')}",
                self.judges,
                columns,
                notes=self._notes(),
            )
        ]

    def _notes(self) -> list[str]:
        replies = counted(self.needed_replies, "reply", "replies")
        costs = [one["cost_usd"] for one in self.judges if one["replies"]]
        said = {
            f"kept: {counted(self.shared, 'judgment')} that serve elsewhere as well; running "
            "again uses them and does not ask anew": self.shared,
            f"kept: {counted(self.pinned, 'judgment')}, as anchors of their judge": self.pinned,
            f"kept: {replies} that other verdicts were read from": self.needed_replies,
            f"{counted(self.earlier, 'verdict')} of the same judges on the same answers count "
            "again in their place, so that nobody is asked there": self.earlier,
            f"with them {counted(self.anchors, 'anchor')} and every look at these": self.anchors,
            f"with them {counted(self.failures, 'failure')}": self.failures,
            "tokens: those that replies state, which not all of them do": any(
                one["uncounted"] for one in self.judges
            ),
            "cost: as the calls of each judge cost until now, on average": any(
                cost is not None for cost in costs
            ),
            "what they took stays on record, and so do runs, models, judges and answers": (
                self.removed
            ),
            "nothing is removed yet: --yes removes it, for good; the next run then asks anew": (
                not self.removed
            ),
        }
        return [words for words, holds in said.items() if holds]


def forgotten_report(
    found: Forgotten, names: Mapping[bytes, str], per_call: Mapping[str, float], *, removed: bool
) -> ForgottenReport:
    """The report on what goes, or went.

    Parameters
    ----------
    names
        Judge's key -> name.
    per_call
        Judge's id -> US dollars (`usd_per_call`).
    removed
        Whether it is gone already.
    """
    counts = ("verdicts", "shared", "pinned", "needed_replies", "earlier", "anchors", "failures")
    return ForgottenReport(
        removed=removed,
        judges=tuple(_of_judge(one, names, per_call) for one in found.judges),
        judgments=found.judgments,
        replies=sum(one["replies"] for one in found.judges),
        runs=found.runs,
        **{name: getattr(found, name) for name in counts},
    )


def _of_judge(
    one: Mapping[str, Any], names: Mapping[bytes, str], per_call: Mapping[str, float]
) -> dict[str, Any]:
    judge_id, replies = one["judge"].hex()[:12], one["replies"]
    each = per_call.get(judge_id) if replies else 0.0
    return {
        "judge": names[one["judge"]],
        "judge_id": judge_id,
        **{name: value for name, value in one.items() if name != "judge"},
        "cost_usd": None if one["elsewhere"] or each is None else replies * each,
    }


def _again(row: Mapping[str, Any]) -> str:
    cost = row["cost_usd"]
    if row["elsewhere"]:
        return "import them again"
    if not row["replies"]:
        return "no call"
    price = "price not known" if cost is None else f"about {dollars(cost)} USD"
    return f"{counted(row['replies'], 'call')}, {price}"
