"""What a judge's options, prompts and settings may not be, of every kind of judge that asks."""

from __future__ import annotations

from typing import Any

import pytest

from judgebench.errors import ConfigError
from judgebench.judges.kinds import KINDS
from judgebench.protocols import JudgeSettings
from judgebench.template import PromptText
from tests.table import over_rows


@over_rows(
    ("kind", "options", "message"),
    [
        ("consistency", {"prompt": "short"}, "no prompt called 'short'"),
        ("consistency", {"prompt": "official/x"}, "official prompt 'x' is not in the data home"),
        ("consistency", {"reader": "lenient"}, "reader"),
        ("consistency", {"exact_match": True}, "exact_match"),
        ("consistency", {"max_answer_chars": 0}, "max_answer_chars"),
        ("equivalence", {"prompt": "short"}, "no prompt called 'short'"),
        ("equivalence", {"prompt": "official/x"}, "official prompt 'x' is not in the data home"),
        ("equivalence", {"reader": "lenient"}, "reader"),
        ("equivalence", {"exact_match": True}, "exact_match"),
        ("reference", {"prompt": "shrot"}, "did you mean 'short'"),
        ("reference", {"prompt": "official/plian"}, "not in the data home"),
        ("reference", {"promt": "short"}, "did you mean 'prompt'"),
        ("reference", {"format": "xml"}, "options: format"),
        ("reference", {"max_answer_chars": 0}, "options: max_answer_chars"),
        ("reference", {"format": "json", "reader": "upstream"}, "format is json"),
        ("reference", {"format": "json", "maybe": "accept"}, "format is json"),
        ("reference", {"unparsed": "incorrect"}, "needs 'reader: upstream'"),
        ("reference", {"reader": "upstream", "maybe": "accept"}, "always accepts"),
        ("reference", {"verdict": "logprobs", "format": "json"}, "how the reply begins"),
        ("reference", {"verdict": "likelihood", "reader": "upstream"}, "how the reply begins"),
        ("reference", {"verdict": "logprobs", "maybe": "accept"}, "needs 'verdict: text'"),
        ("pairwise", {"prompt": "defualt"}, "did you mean 'default'"),
        ("pairwise", {"prompt": "official/none"}, "not in the data home"),
        ("pairwise", {"format": "brackets"}, "what official prompts ask for"),
        ("pairwise", {"identifiers": ["m", "M"]}, "are of official prompts"),
        ("pairwise", {"prompt": "official/x", "identifiers": ["m", "m"]}, "two 'identifiers'"),
        ("pairwise", {"identifiers": ["a b", "c"]}, "options: identifiers"),
        ("pairwise", {"verdict": "logprobs", "explain": True}, "how the reply begins"),
        ("pairwise", {"verdict": "likelihood", "format": "json"}, "how the reply begins"),
        ("pairwise", {"reader": "upstream"}, "needs 'verdict: logprobs'"),
        ("pairwise", {"tie": "allow"}, "did you mean 'ties'"),
        ("pairwise", {"top_logprobs": 1}, "options: top_logprobs"),
        *(
            ("stated_confidence", options, message)
            for options, message in [
                ({"examples": [{"question": "", "confidence": 0.5}]}, r"examples\[0\]\.question"),
                ({"examples": [{"question": "x"}]}, r"examples\[0\]\.confidence"),
                ({"examples": [{"question": "x", "confidence": 0, "a": 1}]}, "no key called 'a'"),
                ({"examples": "a file"}, "examples"),
                ({"prompt": "short"}, "no prompt called 'short'"),
                ({"prompt": "official/x"}, "the official prompt 'x' is not in the data home"),
                ({"reader": "lenient"}, "reader"),
                *(
                    ({"examples": [{"question": "x", "confidence": sure}]}, r"\[0\]\.confidence")
                    for sure in (-0.01, 1.01, 80, float("nan"), float("inf"), "high", None)
                ),
            ]
        ),
    ],
)
def test_options_that_make_no_sense(kind: str, options: dict[str, Any], message: str) -> None:
    two = PromptText(name="x", text="{question} {output_1} {output_2}", official=True)
    prompts = {"x": two} if "two" in message else {}
    with pytest.raises(ConfigError, match=message):
        KINDS[kind].make(JudgeSettings(model="m", provider="p", options=options, prompts=prompts))


@over_rows(
    ("kind", "text", "message"),
    [
        ("consistency", "{question} {first}", "never shows further"),
        ("consistency", "{question} {sample_ans}", "never shows first"),
        ("consistency", "{first} {further}", "never shows question"),
        ("consistency", "{question} {first} {further} {tone}", "has the placeholders tone"),
        ("equivalence", "{question} {answer}", "never shows the answer"),
        ("equivalence", "{question} {prediction}", "never shows the accepted answers"),
        ("equivalence", "{answer} {prediction}", "never shows question"),
        ("equivalence", "{question} {answer} {prediction} {tone}", "has the placeholders tone"),
        ("reference", "{question} {references} {response} {tag}", "has the placeholders tag"),
        ("reference", "{question} {response}", "never shows references"),
        ("reference", "{question} {references}", "never shows answer"),
        ("pairwise", "{question} {output_1}", "never shows the second answer"),
        ("stated_confidence", "How sure?", "never shows the question"),
        ("stated_confidence", "{question} {answer}", "has the placeholders answer"),
    ],
)
def test_a_prompt_has_the_right_placeholders(kind: str, text: str, message: str) -> None:
    prompts = {"x": PromptText(name="official/x", text=text, official=True)}
    options = {"prompt": "official/x"}
    with pytest.raises(ConfigError, match=message):
        KINDS[kind].make(JudgeSettings(model="m", provider="p", options=options, prompts=prompts))


@over_rows("kind", ["consistency", "equivalence", "pairwise", "reference", "stated_confidence"])
def test_a_model_is_needed(kind: str) -> None:
    with pytest.raises(ConfigError, match="give its 'provider' and 'model'"):
        KINDS[kind].make(JudgeSettings())
