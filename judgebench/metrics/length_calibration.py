"""What instructions' difficulty is, and whose comparisons it was calibrated for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from judgebench.stats.length_control import CANDIDATES, Anchors

Origin: TypeAlias = Literal["published", "recovered", "own"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LengthCalibration:
    """A calibration of length-controlled win rates, which holds for one judge and one baseline.

    origin
        ``published``: its authors' files. ``recovered``: what those must hold, worked out from
        published results. ``own``: fitted from the judgments of a store.
    note
        Which one it is, in words for a board.
    difficulty
        By item id, in log-odds; large is easy for the models.
    anchors
        Rows of the baseline with its length changed, in the order in which cross-validation folds
        them; None where there are none.
    published_c
        By model, the strength with which its length-controlled win rate was published.
    """

    origin: Origin
    note: str
    difficulty: Mapping[str, float]
    anchors: Anchors | None
    published_c: Mapping[str, float] = field(default_factory=dict)

    @property
    def c(self) -> float | None:
        """The strength of a fit, or None where cross-validation chooses it.

        Without anchors, intervals hold better at hardly any penalty (see `length_control.exact`).
        """
        return CANDIDATES[-1] if self.anchors is None else None


def to_json(difficulty: Mapping[str, float], anchors: Anchors | None) -> dict[str, Any]:
    """The numbers of a calibration, as a store keeps them."""
    return {
        "difficulty": dict(difficulty),
        "anchors": None
        if anchors is None
        else {
            "std_length": anchors.std_length.tolist(),
            "difficulty": anchors.difficulty.tolist(),
            "preference": anchors.preference.tolist(),
            "weight": anchors.weight,
        },
    }


def from_json(content: Mapping[str, Any], note: str) -> LengthCalibration:
    """A calibration of one's own, as `to_json` wrote it."""
    anchors = content["anchors"]
    return LengthCalibration(
        origin="own",
        note=note,
        difficulty=content["difficulty"],
        anchors=None if anchors is None else Anchors(**anchors),
    )
