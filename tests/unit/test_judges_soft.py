"""Verdicts from probabilities: shares, what is not listed, and what is no number."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.judges.kinds import KINDS
from judgebench.judges.readers.logprobs import first_token_shares, likelihood_shares
from judgebench.judges.readers.words import Names
from judgebench.protocols import JudgeSettings
from judgebench.records import Preference, Reply, TokenLogprob, Unreadable
from judgebench.template import PromptText
from tests.table import over_rows
from tests.unit.judging import case_of, listing, scoring, talk

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "alpaca_eval"
_PROMPT = PromptText(name="clf", text="{instruction} {output_1} {output_2}", official=True)
LOG = math.log


def test_a_verdicts_share_is_among_the_verdicts() -> None:
    shares = first_token_shares(listing(("A", LOG(0.6)), ("B", LOG(0.2)), ("I", LOG(0.1))), "AB")
    assert shares == {"A": pytest.approx(0.75), "B": pytest.approx(0.25)}


def test_spellings_of_a_verdict_are_added() -> None:
    reply = listing((" A", LOG(0.3)), ("A", LOG(0.3)), ("B\n", LOG(0.2)), ("a", LOG(0.1)))
    assert first_token_shares(reply, "AB") == {"A": pytest.approx(0.75), "B": pytest.approx(0.25)}


def test_the_beginning_of_a_long_verdict_is_enough() -> None:
    reply = listing(("inc", LOG(0.5)), ("Correct", LOG(0.25)), ("in", LOG(0.2)))
    shares = first_token_shares(reply, ("correct", "incorrect"))
    assert shares == {"correct": pytest.approx(1 / 3), "incorrect": pytest.approx(2 / 3)}


def test_a_token_that_begins_both_verdicts_states_neither() -> None:
    reply = listing(("output", LOG(0.9)), ("output_2", LOG(0.05)))
    found = first_token_shares(reply, ("output_1", "output_2"))
    assert found == Unreadable(reason="verdicts have less than 0.5 of the first token")


def test_what_is_not_listed_has_the_most_it_can() -> None:
    least = first_token_shares(listing(("A", LOG(0.6)), ("I", LOG(0.1))), "AB")
    assert least == {"A": pytest.approx(0.6 / 0.7), "B": pytest.approx(0.1 / 0.7)}
    rest = first_token_shares(listing(("A", LOG(0.95)), ("I", LOG(0.04))), "AB")
    assert rest == {"A": pytest.approx(0.95 / 0.96), "B": pytest.approx(0.01 / 0.96)}
    sure = first_token_shares(listing(("A", 0.0), ("I", LOG(0.04))), "AB")
    assert sure == {"A": 1.0, "B": 0.0}


def test_the_sampled_token_counts_where_it_is_not_listed() -> None:
    reply = listing(("I", LOG(0.3)), ("A", LOG(0.25)), token="B", logprob=LOG(0.25))
    assert first_token_shares(reply, "AB") == {"A": pytest.approx(0.5), "B": pytest.approx(0.5)}


@over_rows(
    ("reply", "reason"),
    [
        (Reply(text="A"), "no log-probabilities in the reply"),
        (Reply(text="A", logprobs=()), "no log-probabilities in the reply"),
        (listing(("I", -0.1), ("The", -3)), "no verdict among the likeliest first tokens"),
        (listing(("I", LOG(0.6)), ("A", LOG(0.4))), "verdicts have less than 0.5"),
        (listing(("A", math.nan)), "no verdict among the likeliest first tokens"),
        (listing(("A", -math.inf)), "no verdict among the likeliest first tokens"),
        (Reply(text="", finish_reason="content_filter"), "refused"),
    ],
)
def test_first_tokens_that_are_no_verdict(reply: Reply, reason: str) -> None:
    found = first_token_shares(reply, "AB")
    assert isinstance(found, Unreadable)
    assert found.reason.startswith(reason)


def test_upstreams_rule_takes_zero_for_what_is_not_listed() -> None:
    reply = listing(("I", LOG(0.9)), ("m", LOG(0.01)), (" M", LOG(0.005)))
    assert first_token_shares(reply, "mM", upstream=True) == {"m": 1.0, "M": 0.0}


def test_likelihoods_become_shares() -> None:
    assert likelihood_shares(scoring(LOG(0.03), LOG(0.01)), "AB") == {
        "A": pytest.approx(0.75),
        "B": pytest.approx(0.25),
    }
    assert likelihood_shares(scoring(-5000.0, -math.inf), "AB") == {"A": 1.0, "B": 0.0}


@over_rows(
    ("reply", "reason"),
    [
        (Reply(text="A"), "not 2 log-probabilities, as were asked for"),
        (scoring(-1.0), "not 2 log-probabilities, as were asked for"),
        (scoring(-1.0, math.nan), "log-probabilities that are no numbers"),
        (scoring(-math.inf, -math.inf), "log-probabilities that are no numbers"),
        (scoring(math.inf, 0.0), "log-probabilities that are no numbers"),
        (Reply(text="", finish_reason="refusal", scores=(-1.0, -2.0)), "refused"),
    ],
)
def test_likelihoods_that_are_none(reply: Reply, reason: str) -> None:
    assert likelihood_shares(reply, "AB") == Unreadable(reason=reason)


LOGPROBS = st.floats(max_value=0.0) | st.floats()
TOKENS = st.sampled_from(["A", " A", "B", "tie", "inc", "", "\n"]) | st.text(max_size=4)


@given(st.lists(st.tuples(TOKENS, LOGPROBS), max_size=6), TOKENS, LOGPROBS, st.booleans())
def test_any_first_token_has_shares_or_a_reason(
    top: list[tuple[str, float]], token: str, logprob: float, upstream: bool
) -> None:
    first = TokenLogprob(token=token, logprob=logprob, top=tuple(top))
    reply = Reply(text=token, logprobs=(first,))
    found = first_token_shares(reply, ("A", "B", "tie"), upstream=upstream)
    if isinstance(found, Unreadable):
        assert found.reason
    else:
        assert all(0 <= share <= 1 for share in found.values())
        assert math.fsum(found.values()) == pytest.approx(1)


@given(st.lists(st.floats(), min_size=3, max_size=3))
def test_any_scores_have_shares_or_a_reason(scores: list[float]) -> None:
    found = likelihood_shares(scoring(*scores), "ABC")
    if isinstance(found, Unreadable):
        assert found.reason
    else:
        assert math.fsum(found.values()) == pytest.approx(1)


@pytest.mark.skipif(not GOLD.exists(), reason="the gold data (../shared/gold) is not here")
def test_alpaca_evals_stored_log_probabilities_give_its_preferences() -> None:
    """One record of four of 29 models, in the words of a judge that is set up as AlpacaEval's."""
    pandas = pytest.importorskip("pandas")
    rows = pandas.read_parquet(GOLD / "annotations.parquet").dropna(subset=["top_tokens"])[::4]
    switched = pandas.read_parquet(GOLD / "instructions.parquet").set_index("index")["is_switched"]
    options = {
        "prompt": "official/clf",
        "identifiers": ["m", "M"],
        "ties": "forbid",
        "verdict": "logprobs",
        "reader": "upstream",
    }
    judge = KINDS["pairwise"].make(
        JudgeSettings(model="m", provider="p", options=options, prompts={"clf": _PROMPT})
    )
    worst, n = 0.0, 0
    for index, tokens, logprobs, preference in zip(
        rows["index"], rows["top_tokens"], rows["top_logprobs"], rows["preference"], strict=True
    ):
        reply = listing(*zip(tokens, map(float, logprobs), strict=True))
        _, verdict = talk(judge, case_of("x", "y"), reply)
        if isinstance(verdict, Unreadable):
            assert math.isnan(preference)
            continue
        assert isinstance(verdict, Preference)
        p_second = 1 - verdict.p_first  # of the answer shown second; switched, that is output_1
        mine = 1 + (1 - p_second if switched[index] else p_second)
        worst, n = max(worst, abs(mine - preference)), n + 1
    assert n > 3_750
    assert worst < 1e-9


@over_rows(
    ("tie", "winner"),
    [(0.39, 0), (0.4, 0), (0.41, None)],
)
def test_a_tie_wins_where_it_is_likelier_than_either_answer(tie: float, winner: int | None) -> None:
    """As likely as the likelier answer, it does not: that answer is preferred to the other."""
    shares = {"A": 0.4, "B": 0.6 - tie, "C": tie}
    found = Names(tie="C").soft_preference(shares)
    assert found == Preference(winner=winner, p_first=0.4 + tie / 2)
