"""The values of a leaderboard: boards and their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from judgebench.metrics.accuracy import NO_ONE_NUMBER
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.win_rate import WEIGHTED, WIN_RATE
from judgebench.plain_text import counted
from judgebench.records import Estimate
from judgebench.reports.answer_flags import SUSPICIOUS
from judgebench.reports.document import json_after, json_field
from judgebench.reports.estimates import UNDEFINED
from judgebench.reports.reference_board import PublishedBeside


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model. ``rank_low`` and ``rank_high`` are the ends of its set of ranks.

    The sets of all models of a board hold at once, at the level of its intervals: a model is first
    where ``rank_high`` is 1.

    ``metrics`` are named as the contract names them, that of the board first. Ranks are None for a
    model without a readable verdict, and for one that is ``excluded`` from the ranking.
    ``suspicious`` says why its answers may be meant for the judge; such models are excluded unless
    they are asked for. ``published`` are figures of the model on a published board,
    by metric, where that board's judge and opponent are this one's. ``columns`` are the metrics
    that are asked for, in this order; all where none are.
    """

    model: str
    model_id: str
    version: str = ""
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    metrics: Mapping[str, Estimate] = json_field(hidden=True)
    counts: Mapping[str, int]
    flags: tuple[str, ...]
    suspicious: str | None = json_field(omit_empty=True, default=None)
    excluded: bool = json_field(hidden=True, default=False)
    published: Mapping[str, float] = json_field(omit_empty=True, default_factory=dict)
    columns: tuple[str, ...] = json_field(hidden=True, default=())

    @property
    @json_after("rank_high", "metrics")
    def asked_for(self) -> Mapping[str, Estimate]:
        """The metrics that are asked for; all where none are."""
        if not self.columns:
            return self.metrics
        return {name: self.metrics[name] for name in self.columns if name in self.metrics}

    @property
    def marked_name(self) -> str:
        """The model, where no heading says whether it is excluded."""
        return f"{self.model} ({SUSPICIOUS})" if self.excluded else self.model

    @property
    def rank_set(self) -> str:
        """``1–3``: the ranks that it may have; a dash where it has none."""
        if self.rank is None:
            return UNDEFINED
        ends = (self.rank_low, self.rank_high)
        return f"{ends[0]}" if ends[0] == ends[1] else f"{ends[0]}–{ends[1]}"

    @property
    def may_be_first(self) -> bool:
        """Whether its set of ranks holds 1, whatever its rank."""
        return self.rank_low == 1

    @property
    def leading(self) -> Estimate:
        """The estimate that ranks."""
        return next(iter(self.metrics.values()))

    @property
    def judged(self) -> Estimate:
        """The estimate that rests on all verdicts: what lengths are not known of is judged too."""
        return self.metrics.get(WIN_RATE, self.leading)


def rank_note(rows: Sequence[Row], level: float) -> list[str]:
    """What the ranks in brackets are, where there are any."""
    if all(row.rank_low is None or row.rank_low == row.rank_high for row in rows):
        return []
    return [f"ranks in brackets: sets that hold for all models at once ({level:.0%})"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The models in the eyes of one judge, or of a panel of judges.

    metric
        What ranks: ``accuracy``, ``score``, ``win_rate`` or ``length_controlled_win_rate``; None
        where nothing could be ranked.
    scale
        The lowest and the highest value that the metric can have; None for a scale without ends, or
        where scores are on several.
    opponent, opponent_id
        Whose answers those of the models are compared with; None where each stands alone.
    judge_id
        None for a panel, whose verdicts are in no store.
    judge_is
        What the judge is, in words.
    notes
        What the numbers rest on besides.
    style_set
        The models that style-controlled scores are fitted on together; empty without any.
    groups
        By way of grouping, the groups of items that have a metric of their own.
    parts
        The parts of scores that groups are measured by besides.
    figures
        What stands in the place of one number, where there is none: metrics of their own.
    beside
        The published boards of this version that figures are here of, of this judge and of others.
    columns
        The metrics that are asked for, in this order; all where none are.
    """

    benchmark: str
    version: str
    metric: str | None
    scale: tuple[float, float] | None
    judge: str
    judge_id: str | None
    judge_is: str
    opponent: str | None = None
    opponent_id: str | None = None
    served_models: tuple[str, ...] = ()
    official_prompt: bool | None = None
    rows: tuple[Row, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    style_set: tuple[str, ...] = json_field(omit_empty=True, default=())
    groups: Mapping[str, tuple[str, ...]] = json_field(hidden=True, default_factory=dict)
    parts: tuple[str, ...] = json_field(hidden=True, default=())
    figures: tuple[str, ...] = json_field(hidden=True, default=())
    beside: tuple[PublishedBeside, ...] = json_field(hidden=True, default=())
    columns: tuple[str, ...] = json_field(hidden=True, default=())

    def __str__(self) -> str:
        """Which data, in whose eyes, compared with whom."""
        against = f", against {self.opponent}" if self.opponent is not None else ""
        among = counted(len(self.style_set), "model")
        among = f", style-controlled among {among}" if self.style_set else ""
        return f"{self.benchmark}@{self.version}, judged by {self.judge}{against}{among}"

    @property
    def ranked(self) -> tuple[Row, ...]:
        """The models that have a rank, the best first."""
        return tuple(row for row in self.rows if row.rank is not None)

    def who_leads(self, most: int) -> str:
        """Who is first, in words that the sets of ranks allow; of more than so many how many.

        One is first where its set is {1}. Nobody is where a model with a win rate has no rank,
        though it is not excluded.
        """
        ranked, first = self.ranked, [row.model for row in self.ranked if row.may_be_first]
        if not ranked:
            why = f": {NO_ONE_NUMBER}" if self.figures else ""
            return f"Nobody is ranked by {self.judge}{why}."
        rest = (row for row in self.rows if row.rank is None and not row.excluded)
        if any(WIN_RATE in row.metrics and not isnan(row.metrics[WIN_RATE].value) for row in rest):
            return f"{len(ranked)} of {len(self.rows)} models are ranked; nobody is first of all"
        if len(ranked) == 1:
            return f"{first[0]} is the only model{' with a rank' * (len(self.rows) > 1)}"
        if any(row.rank_high == 1 for row in ranked):
            return f"{first[0]} is first"
        if len(first) > most:
            return f"{len(first)} of {len(ranked)} models may be first"
        return f"{', '.join(first[:-1])} or {first[-1]} may be first"

    @property
    def published(self) -> PublishedBeside | None:
        """The published board of this very judge and opponent."""
        return next((one for one in self.beside if one.because is None), None)

    @property
    def level(self) -> float:
        """Of the intervals."""
        return self.rows[0].leading.level if self.rows else 0.95

    @property
    def items(self) -> int:
        """How many items were judged."""
        return self.rows[0].counts["items"] if self.rows else 0

    @property
    def ungrouped(self) -> str:
        """What groups are measured by; a board may be ranked by something else."""
        return WIN_RATE if self.metric in (LENGTH_CONTROLLED, WEIGHTED) else self.metric or ""

    def of_group(self, group: str) -> tuple[str, ...]:
        """The metrics of a group of items."""
        bases = dict.fromkeys(name.split("/")[0] for name in self.figures or [self.ungrouped])
        bases |= dict.fromkeys(f"{self.ungrouped}/{part}" for part in self.parts)
        return tuple(f"{base}/{group}" for base in bases)
