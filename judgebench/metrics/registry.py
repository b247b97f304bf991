"""Every metric once: what it is called, in which unit and with how many digits it is shown, what it
means, how it is estimated and how two models are tested by it.

Boards, comparisons, gates, pages, CSV, LaTeX and the documentation read only this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from judgebench import registry
from judgebench.errors import ConfigError

Ends: TypeAlias = tuple[float, float]
Direction: TypeAlias = Literal["higher", "lower", "neither"]
Unit: TypeAlias = Literal["", "%"]

MOST_DIGITS = 12

FRACTION: Ends = (0.0, 1.0)
PERCENTAGE: Ends = (0.0, 100.0)
COEFFICIENT: Ends = (-1.0, 1.0)
NO_ENDS: Ends = (-math.inf, math.inf)

SHARE = "mean over items; percentile bootstrap, Wilson's interval where few are of either kind"
MEAN = "mean over items; percentile bootstrap over items"
AREA = "placement values of DeLong, on the logit"
PLAIN = "the number alone: no interval was measured to hold"
OF_AGREEMENT = "over the answers of both; percentile bootstrap over items"
CORRECTED = "corrected for the bias of its bins; moment-matched soft threshold"
BY_LABELS = "PPI++, or the delta method of error rates, from labels drawn with known probabilities"
ON_LOGIT = "quotient of sums over items; on the logit with Student's t, items drawn together"
AS_IF_ALONE = "draws of verdicts, as if those on one item were independent"
FIT = "logistic fit that answers of equal length are read off; percentile bootstrap over items"

PAIRED = "paired over the items of both"
NOT_TESTED = "not tested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    name
        As in JSON, CSV and gates; of a group of items it is ``NAME/GROUP``.
    title
        At the head of a column, without the unit.
    unit
        ``%`` or nothing.
    digits
        Decimals that it is shown with, everywhere.
    direction
        What is better: ``higher``, ``lower`` or ``neither``.
    scale
        The lowest and the highest value there can be; None for that of the judge's scores.
    in_points
        Whether a difference is one of percentage points: of a fraction, times 100.
    in_unit_of_board
        Whether it has the unit, and so the digits, of what ranks the board.
    meaning
        In a line; empty where the title says it.
    axis
        The title of an axis, where the other one says too little.
    estimated, tested
        How one model's value and its interval come about, and how two models are compared.
    explained
        The page of the documentation, and the place in it.
    of
        Of a package's: what it makes of scores and the lowest and highest that each could be.
    """

    name: str
    title: str
    unit: Unit = ""
    digits: int = 3
    direction: Direction = "higher"
    scale: Ends | None = FRACTION
    in_points: bool = False
    in_unit_of_board: bool = False
    meaning: str = ""
    axis: str = ""
    estimated: str = MEAN
    tested: str = NOT_TESTED
    explained: str = "judging.md#judges-against-people"
    of: Callable[..., Any] | None = None

    def made(self, *arrays: Any) -> Any:
        """What a package's metric makes of scores."""
        assert self.of is not None
        return self.of(*arrays)

    @property
    def in_percent(self) -> bool:
        """Whether the numbers themselves are percentages."""
        return self.unit == "%"

    @property
    def times(self) -> float:
        """What verdicts, and shares of them, are multiplied with to be shown."""
        return 100.0 if self.in_percent else 1.0

    @property
    def drawn_times(self) -> float:
        """What a drawing multiplies it with: fractions that are drawn in percent."""
        return 100.0 if self.in_points and not self.in_percent else 1.0

    @property
    def drawn_digits(self) -> int:
        """Decimals of what is drawn."""
        return self.digits - round(math.log10(self.drawn_times))

    def drawn(
        self, value: float, low: float = math.nan, high: float = math.nan, *, signed: bool = False
    ) -> str:
        """A number as pages say it, ``64.7 [55.1, 72.0]``; a dash where it is undefined.

        Without brackets where there is no interval; the minus is as wide as a plus, which
        ``signed`` writes as well, as of differences.

        >>> metric("accuracy").drawn(0.647, 0.551, 0.72)
        '64.7 [55.1, 72.0]'
        """

        def text(one: float) -> str:
            plus = "+" if signed and one > 0 else ""
            return f"{plus}{one * self.drawn_times:.{self.drawn_digits}f}".replace("-", "−")

        if math.isnan(value):
            return "–"
        if math.isnan(low) or math.isnan(high):
            return text(value)
        return f"{text(value)} [{text(low)}, {text(high)}]"


_WIN_RATE = Metric(
    name="win_rate", title="win rate", unit="%", digits=1, scale=PERCENTAGE, in_points=True,
    meaning="mean probability that the answer is preferred to the opponent's; ties are halves",
    estimated=SHARE, tested=PAIRED, explained="win-rates.md#win-rates",
)  # fmt: skip
_WEIGHTED = replace(
    _WIN_RATE, name="weighted_win_rate", title="weighted win rate", estimated=ON_LOGIT,
    explained="win-rates.md#clear-wins-count-more",
    meaning="share of verdicts won, ties as halves, where a clear win or loss counts three times",
)  # fmt: skip
_ACCURACY = Metric(
    name="accuracy", title="accuracy", in_points=True, meaning="share correct",
    estimated=SHARE, tested=PAIRED, explained="leaderboards.md#what-is-shown-and-in-which-order",
)  # fmt: skip
_SCORE = Metric(
    name="score", title="score", digits=2, scale=None, tested=PAIRED,
    meaning="mean score on the judge's scale",
    explained="leaderboards.md#what-is-shown-and-in-which-order",
)  # fmt: skip
_AGREEMENT = Metric(
    name="agreement", title="agreement", meaning="share on which both say the same",
    estimated=OF_AGREEMENT, tested="paired over the answers of both judges",
)  # fmt: skip
_KAPPA = replace(
    _AGREEMENT, name="cohen_kappa", title="kappa", scale=COEFFICIENT,
    axis="Cohen's kappa (1 = perfect, 0 = chance)",
    meaning="Cohen's, agreement beyond chance: 1 is perfect, 0 is chance",
)  # fmt: skip
_CORRELATION = Metric(
    name="spearman", title="Spearman's rho", scale=COEFFICIENT, estimated=PLAIN,
    axis="Spearman's correlation of the models' mean scores",
    meaning="Spearman's correlation of the models' ranks by judge and by reference",
)  # fmt: skip
_AUROC = Metric(
    name="auroc", title="AUROC", estimated=AREA, tested=PAIRED,
    explained="confidences.md#reading-the-table",
    meaning="chance that a right answer has more confidence than a wrong one; 0.5 tells nothing",
)  # fmt: skip


def _of(base: Metric, **others: tuple[str, str]) -> list[Metric]:
    """Metrics like another one: of each name the title and the meaning."""
    return [
        replace(base, name=name, title=title, meaning=meaning, axis="")
        for name, (title, meaning) in others.items()
    ]


_LOWER = replace(_AUROC, direction="lower", estimated=PLAIN)
_CORRECTED = replace(
    _SCORE, in_unit_of_board=True, tested=NOT_TESTED, estimated=BY_LABELS,
    explained="correcting.md#corrected-scores",
)  # fmt: skip
_CONSISTENCY = "share of pairs judged alike in both orders"
_EVALUATOR = Metric(
    name="", title="", digits=1, unit="%", scale=PERCENTAGE, direction="neither",
    estimated=PLAIN, explained="judging.md#which-judge-is-better",
)  # fmt: skip
_REFUSALS = replace(_ACCURACY, explained="judging.md#refusal-and-harm")
_CARD = "judge-card.md#what-is-measured"
_PLAIN_EVALUATOR = replace(_EVALUATOR, unit="", digits=2, scale=COEFFICIENT)

_ENTRIES = (
    _ACCURACY,
    *_of(
        replace(_REFUSALS, direction="neither", tested=NOT_TESTED),
        full_refusal=("full refusal", "share of answers that only refuse"),
        partial_refusal=("partial refusal", "share that refuse and answer all the same"),
    ),
    replace(
        _REFUSALS, name="full_refusal/unsafe", title="full refusal/unsafe",
        meaning="share of unsafe prompts that are only refused",
    ),
    *_of(
        replace(_REFUSALS, direction="lower"),
        attack_success=("attack success", "share that are harmful, in the judge's eyes"),
        other_language=("other language", "share that refuse in another language than asked"),
    ),
    _SCORE,
    _WIN_RATE,
    *_of(
        _WIN_RATE,
        discrete_win_rate=(
            "discrete win rate",
            "share of items that are won, ties as halves, whatever the probabilities",
        ),
        head_to_head=("head to head", "win rate of two models compared directly"),
    ),
    replace(
        _WIN_RATE, name="length_controlled_win_rate", title="length-controlled win rate",
        meaning="win rate if both answers were equally long", estimated=FIT,
        explained="win-rates.md#length-controlled-win-rates",
    ),
    replace(
        _WIN_RATE, name="length_controlled_win_rate/compat", estimated=PLAIN, tested=NOT_TESTED,
        title="length-controlled win rate, compat", explained="win-rates.md#from-and-to-alpacaeval",
        meaning="the same by AlpacaEval's own fit",
    ),
    *_of(
        _WEIGHTED,
        **{
            "weighted_win_rate/both_games": (
                "weighted, both games", "of the items alone of which both orders could be read"
            ),
            "weighted_win_rate/each_game": (
                "weighted, each game", "of every verdict that could be read, of both orders or one"
            ),
        },
    ),
    _WEIGHTED,
    replace(
        _WEIGHTED, name="weighted_win_rate/upstream", title="weighted, upstream",
        meaning="the same with upstream's own interval, which is too narrow", estimated=AS_IF_ALONE,
    ),
    replace(
        _WEIGHTED, name="style_controlled_win_rate", title="style-controlled", estimated=PLAIN,
        meaning="weighted win rate if all answers were of the baseline's style",
    ),
    replace(
        _WIN_RATE, name="order_flips", title="order flips", direction="lower", tested=NOT_TESTED,
        meaning="share of items whose winner changes with the order of the answers",
    ),
    replace(
        _WIN_RATE, name="standard_error", title="standard error", unit="", direction="neither",
        meaning="of the win rate over items, as AlpacaEval prints it", tested=NOT_TESTED,
        in_points=False, explained="win-rates.md#from-and-to-alpacaeval",
    ),
    replace(
        _SCORE, name="judge_noise", title="judge noise", direction="lower", tested=NOT_TESTED,
        in_unit_of_board=True, meaning="standard deviation of one judge's repeats",
        explained="judging.md#orders-repeats-panels",
    ),
    replace(
        _SCORE, name="stderr", title="stderr", digits=4, direction="neither", tested=NOT_TESTED,
        estimated=PLAIN, meaning="standard error of the score over items, as lm-eval prints it",
    ),
    *_of(
        _CORRECTED,
        corrected=(
            "corrected", "as people would have it, by the judge on all and people on a sample"
        ),
        labels_alone=("labels alone", "what people said of the sample, without the judge"),
        rogan_gladen=(
            "by error rates", "the judge's rate corrected by its recall and specificity on them"
        ),
    ),
    *_of(
        replace(_CORRECTED, estimated=PLAIN, digits=0, in_unit_of_board=False),
        labels_count_as=(
            "labels count as", "so many without the judge would say as much as these with it"
        ),
        more_labels=("more labels", "so many more make the corrected interval narrow enough"),
    ),
    replace(
        _SCORE, name="avg_length", title="avg length", digits=0, direction="neither",
        tested=NOT_TESTED, meaning="characters of an answer in the mean",
        explained="win-rates.md#length-controlled-win-rates",
    ),
    replace(
        _SCORE, name="avg_words", title="avg words", digits=0, direction="neither",
        tested=NOT_TESTED, scale=NO_ENDS,
        meaning="words of an answer in the mean, of the categories that the benchmark counts",
    ),
    _AGREEMENT,
    _KAPPA,
    *_of(
        _KAPPA,
        scott_pi=("pi", "Scott's, as kappa, with one set of label shares for both"),
        gwet_ac1=(
            "AC1", "as kappa, with a chance that stays small where nearly all have one label"
        ),
        krippendorff_alpha=("alpha", "Scott's pi, corrected for few answers"),
        mcc=("mcc", "Matthews' correlation of the two labels"),
        pabak=("pabak", "twice the agreement, less one"),
        cohen_kappa_no_ties=(
            "kappa without ties", "kappa of the pairs on which neither says tie"
        ),
        preference_correlation=(
            "correlation", "Pearson's, of both probabilities that the model is better"
        ),
    ),
    replace(
        _KAPPA, name="score_delta", title="delta", axis="", direction="neither",
        meaning="the judge's share of positives less the reference's; above 0 it is lenient",
    ),
    *_of(
        _AGREEMENT,
        precision=(
            "precision", "share of the judge's positives that the reference calls positive too"
        ),
        recall=("recall", "share of the reference's positives that the judge calls positive too"),
        specificity=(
            "specificity",
            "share of the reference's negatives that the judge calls negative too",
        ),
        f1=("f1", "harmonic mean of precision and recall"),
        p_c=("p_c", "how often the judge knows the answer: recall + specificity - 1"),
        p_plus=("p_plus", "how often the judge says positive where it does not know the answer"),
        agreement_no_ties=(
            "agreement without ties", "agreement on the pairs on which neither says tie"
        ),
        consistency=("consistency", _CONSISTENCY),
        consistent_agreement=(
            "consistent agreement", f"{_CONSISTENCY} and as the reference does"
        ),
        consistency_upstream=(
            "consistency, upstream", "as consistency; what could not be read is inconsistent"
        ),
        consistent_agreement_upstream=(
            "consistent agreement, upstream", "as above; what could not be read is wrong"
        ),
    ),
    _CORRELATION,
    *_of(
        _CORRELATION,
        kendall=("Kendall's tau-b", "Kendall's correlation of the same ranks (tau-b)"),
        pearson=("Pearson's r", "Pearson's correlation of the models' numbers"),
    ),
    _AUROC,
    *_of(
        replace(_AUROC, estimated=MEAN),
        alignment=(
            "alignment",
            "share of answers that are right and confident enough, or neither, at a threshold "
            "tuned on other answers",
        ),
    ),
    *_of(
        _LOWER,
        ece_plug_in=("plug-in ECE", "the same as its bins have it, which lies high"),
        aurc=(
            "AURC",
            "area under risk by coverage: the share wrong among the surest answers, averaged over "
            "how many are given",
        ),
    ),
    replace(
        _LOWER, name="ece", title="ECE", estimated=CORRECTED,
        meaning="expected calibration error, the mean distance of confidence from the share "
        "correct",
    ),
    replace(
        _LOWER, name="brier", title="Brier", estimated=MEAN,
        meaning="mean square of confidence less 1 for a right and 0 for a wrong answer",
    ),
    *_of(
        _EVALUATOR,
        **{
            "evaluators:agreement": ("agreement", "with the centre of the reference's labels"),
            "evaluators:bias": ("bias", "distance of its centre from the reference's"),
            "evaluators:variance": ("variance", "distance of its labels from its others' centre"),
            "evaluators:distance": (
                "distance", "of its labels from the reference's, beyond what each varies"
            ),
        },
    ),
    *_of(
        replace(_KAPPA, explained=_CARD),
        **{
            "card:gwet_ac2": (
                "AC2", "as AC1, with credit for scores that lie near each other"
            ),
            "card:judges_kappa": ("kappa, other judges", "with what most other judges say"),
            "card:judges_alpha": (
                "alpha, all", "Krippendorff's, of all judges and people, some of whom may be silent"
            ),
            "card:model_kappa": (
                "kappa, worst model", "kappa on the model on which it is least; near 0 is chance"
            ),
            "card:orders_kappa": ("kappa of orders", "of its verdicts in one order and the other"),
            "card:longer": (
                "leans to length",
                "how much more the longer answer is favoured than by the reference; without one, "
                "than half the time",
            ),
            "card:own_family": (
                "leans to family",
                "how much more models of its own family are favoured than others, beyond the "
                "reference",
            ),
        },
    ),
    *_of(
        replace(_AGREEMENT, explained=_CARD),
        **{
            "card:missing": ("missing", "share of what others have judged that it was not asked"),
            "card:unreadable": ("unreadable", "share of its verdicts that could not be read"),
            "card:refused": ("refused", "share of what it was asked that it would not judge"),
            "card:ties": ("ties", "share of its comparisons that name no winner"),
            "card:scale_top_share": (
                "one point", "share of its scores that are at the most frequent point of the scale"
            ),
            "card:scale_entropy": (
                "scale used", "entropy of its scores: 1 where all points are equally frequent"
            ),
            "card:impossible": (
                "impossible pairs",
                "of two rules one of which implies the other, how often the first alone holds",
            ),
            "card:placeholder": (
                "judged no answer", "share of verdicts on what is no answer but a failed call"
            ),
            "card:first_position": (
                "first place", "share of its decided comparisons won by what is shown first"
            ),
            "card:two_order_accuracy": (
                "right in two orders",
                "share of pairs on which both orders together favour the answer that people do",
            ),
            "card:probe": ("probes", "what a few calls would say"),
            "card:prompt": ("other prompts", "share judged otherwise with a changed prompt"),
        },
    ),
    *_of(
        replace(
            _KAPPA, scale=NO_ENDS, digits=1, axis="",
            explained=_CARD,
        ),
        **{
            "card:block_outlier": (
                "agreement outlier",
                "agreement on one model, less what judge and model explain, in robust standard "
                "deviations",
            ),
        },
    ),
    replace(
        _KAPPA, name="card:near_constant", title="nearly constant", scale=NO_ENDS, digits=0,
        axis="", explained=_CARD,
        meaning="models on which it says nearly always the same",
    ),
    *_of(
        _PLAIN_EVALUATOR,
        **{
            "evaluators:spearman": ("spearman", ""),
            "evaluators:pearson": ("pearson", ""),
            "evaluators:prefers_longer": ("longer", "share of preference on the longer answer"),
            "evaluators:prefers_lists": ("lists", "share of preference on the one with a list"),
            "evaluators:prefers_output_1": ("opponent", "share of preference on the opponent's"),
            "evaluators:share_parsed": ("read", "share of replies that could be read"),
            "evaluators:n_parsed": ("# read", "replies that could be read"),
        },
    ),
)  # fmt: skip

METRICS: Mapping[str, Metric] = {one.name: one for one in _ENTRIES}
"""By name, in the order in which they are told of."""

OF_VERDICTS: Mapping[str, Metric] = {"label": _ACCURACY, "score": _SCORE, "preference": _WIN_RATE}
"""By kind of verdicts, what boards of them rank by; that of scores is on the judge's own scale."""

VERDICT_METRICS = tuple(one.name for one in OF_VERDICTS.values())

CONFIDENCE_METRICS = ("auroc", "ece", "brier", "alignment")

HEAD_TO_HEAD = "head_to_head"
"""Of comparisons with the baseline itself: the win rate, beside one half."""


def package_entries() -> dict[str, Metric]:
    """The metrics of installed packages, by their names on boards, ``score/NAME``.

    A package offers a `Metric` that has a function, or the function alone, by the entry point
    ``judgebench.metrics``.

    Raises
    ------
    ConfigError
        For what cannot be loaded, is neither, or says of itself what cannot be shown.
    """
    found = {}
    for short in registry.entry_point_names("metrics"):
        offered, name = registry.load("metrics", short), f"score/{short}"
        if not isinstance(offered, Metric):
            offered = Metric(
                name=name, title=short.replace("_", " "), digits=2, scale=NO_ENDS, of=offered,
                tested=PAIRED, explained="extending.md#a-metric",
            )  # fmt: skip
        if not callable(offered.of):
            raise ConfigError(f"metric {short}: it has no function of scores")
        if wrong := _wrong_field(offered):
            raise ConfigError(f"metric {short}: {wrong}; mend or uninstall its package")
        found[name] = replace(offered, name=name, scale=NO_ENDS)
    return found


def _wrong_field(offered: Metric) -> str | None:
    """What of a package's entry cannot be shown."""
    for field in ("title", "meaning", "axis", "estimated", "tested", "explained"):
        if not isinstance(said := getattr(offered, field), str):
            return f"{field}: a text has to stand here, not {said!r}"
    if not isinstance(offered.digits, int) or not 0 <= offered.digits <= MOST_DIGITS:
        return f"digits: a whole number from 0 to {MOST_DIGITS}, not {offered.digits!r}"
    for field, known in (("unit", get_args(Unit)), ("direction", get_args(Direction))):
        if (said := getattr(offered, field)) not in known:
            return f"{field}: {said!r} is none of {', '.join(map(repr, known))}"
    return None


def metric(name: str) -> Metric:
    """The entry of a metric; of ``win_rate/category`` that of ``win_rate``.

    One that nobody registered is called as it is named, and shown with three digits. Less is better
    of a share of labels on the group ``safe``, of which nobody knows otherwise what is better.
    """
    if name.startswith("score/") and (own := package_entries().get(name)) is not None:
        return own
    found = name
    while found not in METRICS and "/" in found:
        found = found.rpartition("/")[0]
    entry = METRICS.get(found) or Metric(
        name=name, title=name.replace("_", " "), direction="neither", scale=NO_ENDS
    )
    if entry.direction == "neither" and name.endswith("/safe"):
        entry = replace(entry, direction="lower", tested=PAIRED)
    return entry


def sign_of(name: str) -> int:
    """1 where more of a metric is better, -1 where less is; 0 where nobody can say."""
    return {"higher": 1, "lower": -1, "neither": 0}[metric(name).direction]


def digits(name: str, leading: str | None = None) -> int:
    """Decimals of a metric on a board that ``leading`` ranks."""
    entry = metric(name)
    return metric(leading).digits if entry.in_unit_of_board and leading else entry.digits


def heading(name: str, leading: str | None = None, scale: Ends | None = None) -> str:
    """The title of a metric at the head of a column, with its unit.

    Parameters
    ----------
    leading
        What ranks the board: its groups are called by the group alone.
    scale
        Of the judge's scores, if it is to be said.
    """
    base = metric(name)
    group = name[len(base.name) :].replace("_", " ")
    words = group.removeprefix("/") if group and base.name == leading else base.title + group
    if name == "score" and scale is not None:
        words += " ({:g} to {:g})".format(*scale)
    return f"{words} %" if base.in_percent else words


def of_confidence(name: str, confidence: str | None) -> str:
    """A metric, and the confidence that it is of, if any."""
    return name if confidence is None else f"{name} ({confidence})"


def titles(*names: str) -> dict[str, str]:
    """By name of the metric, what some are called."""
    return {name: metric(name).title for name in names}


def meanings(titles: Mapping[str, str]) -> str:
    """What is said once where metrics are shown: each title, and what it means.

    Parameters
    ----------
    titles
        By name of the metric, in the order shown; one whose title says it all is left out.
    """
    return "; ".join(
        f"{title}: {said}" for name, title in titles.items() if (said := metric(name).meaning)
    )
