"""A gate inside a test: ``assert_no_regression`` fails with the gate's own words.

>>> from judgebench import assert_no_regression
>>> def test_tonight_is_no_worse():
...     assert_no_regression(candidate="nightly", baseline="last-green")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from judgebench.errors import UsageError

if TYPE_CHECKING:
    from judgebench.reports.gate_policy import Policy
    from judgebench.reports.gate_result import GateReport
    from judgebench.reports.pair_tests import Texts

said: list[str] = []
"""A line for each test of each gate, until the pytest plugin takes them into its report."""


class Inconclusive(AssertionError):  # noqa: N818 - the gate's word
    """The gate could not decide: nothing says that the candidate is worse, or that it is not."""


def assert_no_regression(
    *,
    candidate: str,
    baseline: str,
    store: str | Path | None = None,
    policy: str | Path | Policy | None = None,
    max_drop: float | None = None,
    alpha: float = 0.05,
    inconclusive: Literal["fail", "pass"] = "fail",
) -> None:
    """Carry out the regression gate as ``judgebench gate`` does, and fail where it does not pass.

    >>> judgebench.assert_no_regression(candidate="this-week", baseline="last-week", max_drop=0.02)
    Traceback (most recent call last):
    judgebench.assertions.Inconclusive: INCONCLUSIVE: this-week against last-week
    ...

    Parameters
    ----------
    candidate, baseline
        Names of models; the baseline's may be one that ``judgebench baseline set`` gave.
    store
        Where results are; else that of ``JUDGEBENCH_STORE``, else the usual one.
    policy
        What is tested, or the file that says so. Without one, all that both were judged on.
    max_drop, alpha
        Without a policy: the allowed drop as a share of the metric's scale, chosen as
        `judgebench gate` chooses it if None, and how often an unchanged model may be called worse.
    inconclusive
        Whether an open question fails the test.

    Raises
    ------
    AssertionError
        For a regression.
    Inconclusive
        For a gate that could not decide, unless that is to pass.
    JudgebenchError
        Where the gate cannot be carried out: a model, a baseline or a store that is not there, or
        another word for ``inconclusive``.
    """
    from judgebench import api

    __tracebackhide__ = True
    if inconclusive not in ("fail", "pass"):
        raise UsageError(f"inconclusive is 'fail' or 'pass', not {inconclusive!r}")
    report = api.gate(
        candidate=candidate,
        baseline=baseline,
        policy=policy,
        max_drop=max_drop,
        alpha=alpha,
        store=store,
    )
    words = _words(report, api.texts(report, store=store))
    said.extend(line for line in words[1:] if not line.startswith(" "))
    if report.verdict == "regression":
        raise AssertionError("\n".join(words))
    if report.verdict == "inconclusive" and inconclusive == "fail":
        raise Inconclusive("\n".join(words))


def _words(report: GateReport, texts: Texts) -> list[str]:
    """The verdict, then each test with the items that flipped; those that decided it first."""
    order = ("regression", "inconclusive", "pass")
    lines = [report.title]
    for one in sorted(report.tests, key=lambda test: order.index(test.verdict)):
        lines.append(f"{one.benchmark}@{one.version}, {one.judge}: {one.in_words()}")
        if one.verdict != "pass":
            lines += [f"    {line}" for line in one.flip_lines(texts)]
    return [*lines, *report.unchanged_words(), *report.notes]


__all__ = ["Inconclusive", "assert_no_regression"]
