"""What AlpacaEval keeps of a judge's reply, and the reply that it was.

``preference_raw_completion`` (in older files ``raw_completion``) is the text itself, or for judges
asked through OpenAI's client one choice of a chat completion, with ``text`` and ``total_tokens``
beside its own fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from judgebench.records import MOST_TOKENS, Reply, TokenLogprob, Usage
from judgebench.rows import Row

RAW = "raw_completion"

_NO_REPLY = ("", "NaN")
"""What stands in published files for an absent one."""


def reply_of(row: Row, field: str, seconds: float) -> Reply | None:
    """The reply in a field of a row; None where there is none.

    Raises
    ------
    InputError
        For what is neither a text nor such a choice.
    """
    raw = row.values.get(field)
    if raw is None or (isinstance(raw, float) and raw != raw):
        return None
    if isinstance(raw, str):
        return None if raw in _NO_REPLY else Reply(text=raw, seconds=seconds)
    if not isinstance(raw, Mapping):
        raise row.wrong(field, f"a text or an object has to stand here, not {raw!r:.60}")
    text, message = raw.get("text"), raw.get("message")
    if text is None and isinstance(message, Mapping):
        text = message.get("content")
    logprobs = raw.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    try:
        tokens = None if content is None else tuple(_token(one) for one in content)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise row.wrong(
            field, "logprobs.content is no list of tokens with their logprob and top_logprobs"
        ) from None
    finish = raw.get("finish_reason")
    return Reply(
        text=text if isinstance(text, str) else "",
        finish_reason=finish if isinstance(finish, str) else None,
        logprobs=tokens,
        usage=_usage(raw.get("total_tokens"), tokens),
        seconds=seconds,
    )


def _token(said: Mapping[str, Any]) -> TokenLogprob:
    top = tuple((_text(one["token"]), float(one["logprob"])) for one in said["top_logprobs"])
    return TokenLogprob(token=_text(said["token"]), logprob=float(said["logprob"]), top=top)


def _text(said: Any) -> str:
    if not isinstance(said, str):
        raise TypeError(f"a token is a text, not {said!r}")
    return said


def _usage(total: Any, tokens: Sequence[TokenLogprob] | None) -> Usage:
    """The sum alone stands in the file; where every token of the reply does too, both parts."""
    if tokens is None or isinstance(total, bool) or not isinstance(total, int | float):
        return Usage()
    if not len(tokens) <= total <= MOST_TOKENS or not float(total).is_integer():
        return Usage()
    return Usage(prompt_tokens=int(total) - len(tokens), completion_tokens=len(tokens))


def raw_of(reply: Reply) -> str | dict[str, Any]:
    """What AlpacaEval would have kept of a reply: the inverse of `reply_of`."""
    if reply.logprobs is None:
        return reply.text
    parts = reply.usage.prompt_tokens, reply.usage.completion_tokens
    return {
        "finish_reason": reply.finish_reason,
        "index": 0,
        "logprobs": {
            "content": [
                {
                    "token": one.token,
                    "logprob": one.logprob,
                    "bytes": None,
                    "top_logprobs": [
                        {"token": token, "logprob": logprob, "bytes": None}
                        for token, logprob in one.top
                    ],
                }
                for one in reply.logprobs
            ]
        },
        "message": {"content": reply.text, "role": "assistant"},
        "text": reply.text,
        "total_tokens": None if None in parts else sum(part or 0 for part in parts),
    }
