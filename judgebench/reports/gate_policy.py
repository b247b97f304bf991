"""The files of a gate: the policy that says what is tested, and the JSON of what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from judgebench import yaml_file
from judgebench.config import Amount, Section, check
from judgebench.errors import InputError
from judgebench.execution.recheck import Unconfirmed
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.paired import METRIC_OF
from judgebench.metrics.paired_confidences import CONFIDENCE_METRICS
from judgebench.metrics.win_rate import WEIGHTED, WIN_RATE
from judgebench.reports.stack_anchors import TOLERANCE

Alpha = Annotated[float, Field(gt=0, lt=0.5, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

NIGHTS_PER_YEAR = 365


class GateTest(Section):
    """One question: has the candidate dropped, on this metric, by more than the allowed drop?

    ``max_drop`` is in the metric's own units: percent for win rates, a share for accuracy, points
    of the scale for scores, and of a metric of which lower is better a rise. ``head_to_head``:
    percent below the 50 of a model that wins as often as it loses.
    """

    benchmark: str = Field(description="NAME or NAME@VERSION")
    judge: str | None = Field(None, description="the only judge that has judged both, if unset")
    metric: str | None = Field(
        None,
        description="accuracy, score, win_rate, weighted_win_rate, length_controlled_win_rate, "
        "auroc, ece, brier or alignment; of a group: score/GROUP",
    )
    confidence: str | None = Field(
        None, description="whose auroc, ece, brier or alignment; the only one both have, if unset"
    )
    max_drop: Amount = Field(description="the allowed drop; of ece and brier, the allowed rise")
    strict_drop: Amount | None = Field(
        None,
        description="a smaller drop: a pass that needs more says so, and a regression at this one "
        "stays a regression",
    )
    head_to_head: bool = Field(
        False, description="the candidate's answers were compared with the baseline's own"
    )
    opponent: str | None = Field(
        None, description="with whom both were compared; where there is one only, unset"
    )
    corrected: bool = Field(
        False,
        description="as people would compare the two, by their labels on a random sample of the "
        "answers (PPI++); min_n then counts labels",
    )
    min_n: PositiveInt = Field(1, description="items of which both need a verdict")
    coverage_floor: Share | None = Field(
        None, description="share of verdicts that must be readable; the benchmark's if unset"
    )
    stack_tolerance: Share = Field(
        TOLERANCE,
        description="share of prompts that another stack may answer with another text",
    )
    min_kappa: float | None = Field(None, description="of the judge against people, at least")
    reference: str = Field("human", description="who the people are")
    fresh_anchors: bool = Field(
        False, description="the judge has been asked about its anchors since it judged both"
    )
    served_models: list[str] = Field(
        default_factory=list, description="who may have served the judge's replies; anybody if none"
    )

    @model_validator(mode="after")
    def _belongs_together(self) -> GateTest:
        metric, _, group = (self.metric or "").partition("/")
        if self.confidence is not None and metric not in CONFIDENCE_METRICS:
            known = ", ".join(CONFIDENCE_METRICS)
            raise ValueError(f"confidence: only a metric of confidences has one: {known}")
        if self.head_to_head and metric not in ("", WIN_RATE):
            raise ValueError(f"head_to_head: what is won is a {WIN_RATE}, not {metric}")
        if self.head_to_head and self.opponent is not None:
            raise ValueError("opponent: of a test head to head it is the baseline")
        if metric in (LENGTH_CONTROLLED, WEIGHTED) and group:
            raise ValueError(f"metric: {metric} is of all items together, of no group")
        if self.corrected and (group or metric not in ("", *METRIC_OF.values())):
            known = ", ".join(METRIC_OF.values())
            raise ValueError(f"corrected: on all items together, of {known}, not of {self.metric}")
        if self.strict_drop is not None and self.strict_drop > self.max_drop:
            raise ValueError("strict_drop: it is not larger than max_drop")
        return self

    @property
    def margin_source(self) -> str:
        """Who said the allowed drop."""
        return "policy"


class ChosenTest(GateTest):
    """A test whose allowed drop nobody wrote into a policy; ``source`` says where it is from."""

    source: str

    @property
    def margin_source(self) -> str:
        return self.source


class Policy(Section):
    """The tests of a gate, and how sure it has to be.

    ``alpha`` bounds the chance that any of them calls an unchanged model worse. In its place stand
    ``false_alarms_per_year``, for a gate that is run so many ``nights_per_year``. With ``confirm``
    a regression is called once the judge, asked afresh about both models, says so again. The
    baseline is the mean of its last ``baseline_nights``, where it was asked as often.

    With ``fixed_baseline``, named as a baseline of the gate is, all nights of the candidate's name
    since then are tested together for a slide, with an error rate of their own: ``alpha`` over all
    nights and all tests.
    """

    tests: list[GateTest] = Field(min_length=1)
    alpha: Alpha = 0.05
    false_alarms_per_year: Amount | None = None
    nights_per_year: PositiveInt = NIGHTS_PER_YEAR
    correction: Literal["holm", "bh"] = "holm"
    confirm: bool = False
    fixed_baseline: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="a baseline that moves by hand only, for the sequential test of all nights",
    )
    baseline_nights: PositiveInt = Field(
        1, description="nights on which the unchanged baseline was asked, averaged item by item"
    )

    @model_validator(mode="after")
    def _one_rate(self) -> Policy:
        if self.false_alarms_per_year is not None:
            if "alpha" in self.model_fields_set:
                raise ValueError("say 'alpha' or 'false_alarms_per_year', not both")
            if self.false_alarms_per_year >= self.nights_per_year / 2:
                raise ValueError("false_alarms_per_year: every other night would be a false alarm")
        return self

    @property
    def level(self) -> float:
        """The alpha of one run of the gate."""
        if self.false_alarms_per_year is None:
            return self.alpha
        return self.false_alarms_per_year / self.nights_per_year

    @property
    def slide_threshold(self) -> float:
        """How much evidence calls a slide: over all tests and nights, wrongly at alpha."""
        return len(self.tests) / self.alpha


def read_policy(path: Path) -> Policy:
    """A policy from its file.

    Raises
    ------
    ConfigError
        Naming the file and, where there is one, the line and the field.
    """
    written = yaml_file.read_mapping(path, "a policy is a mapping with the key 'tests'")
    return check(Policy, written.data, path, written.lines)


# what a gate said ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFile:
    """What matters of a gate's JSON: its verdict, whom it was about, what it left to be confirmed.

    ``candidates`` are short ids of models by benchmark and version.
    """

    path: Path
    verdict: str
    candidates: dict[tuple[str, str], str]
    unconfirmed: tuple[Unconfirmed, ...] = ()


def read_gate(path: Path) -> GateFile:
    """The JSON that ``judgebench gate --output gate.json`` wrote.

    Raises
    ------
    InputError
        Naming the file and what it lacks.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not the JSON of a gate: {error}") from None
    try:
        tests = [
            ((_text(one["benchmark"]), _text(one["version"])), _text(one["candidate_id"]))
            for one in data["tests"]
        ]
        verdict = _text(data["verdict"])
        unconfirmed = tuple(
            Unconfirmed(
                benchmark=_text(one["benchmark"]),
                version=_text(one["version"]),
                judge=_text(one["judge"]),
                judge_id=_text(one["judge_id"]),
                models=(_text(one["candidate_id"]), _text(one["baseline_id"])),
            )
            for one in data["tests"]
            if one.get("confirmation") == "wanted"
        )
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not the JSON of a gate ({error}); `judgebench gate … --output gate.json` "
            "writes it"
        ) from None
    if not tests:
        raise InputError(f"{path}: a gate that tested nothing")
    return GateFile(
        path=path,
        verdict=verdict,
        candidates=dict(tests),
        unconfirmed=tuple(dict.fromkeys(unconfirmed)),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {value!r}")
    return value
