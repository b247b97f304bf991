"""A server that speaks chat completions and fails in every way that is known of providers.

    python tests/faults/server.py --log asked.log --calm calm

What it does with a question follows from the question and from how often it has arrived, so that a
run can be repeated. The log holds one line for each arrival, the SHA-256 of the body and what was
done. As long as the file ``--calm`` is not there, about four in ten arrivals go wrong, and whatever
goes wrong carries the opposite of the true verdict: taken for a verdict, it is seen.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

#: What is done, and how often of a thousand arrivals; the rest is answered properly.
FAULTS = {
    "429": 50,
    "429 retry-after": 40,
    "429 retry-after-ms": 40,
    "500": 40,
    "503": 30,
    "529": 30,
    "cut": 40,
    "hang": 3,
    "half json": 40,
    "empty choices": 30,
    "unreadable": 30,
    "truncated": 30,
    "refusal": 20,
}
#: What comes as a success with a choice in it, and so is a reply: kept, and paid for.
ANSWERED = ("ok", "unreadable", "truncated", "refusal")

WAITS: Mapping[str, Mapping[str, str]] = {
    "429 retry-after": {"retry-after": "0.02"},
    "429 retry-after-ms": {"retry-after-ms": "5"},
}

VERDICTS = ("incorrect", "correct")


def true_verdict(question: str) -> str:
    """What an undisturbed server says of a question."""
    return VERDICTS[_digit(question)]


def false_verdict(question: str) -> str:
    """What stands in everything that goes wrong."""
    return VERDICTS[1 - _digit(question)]


def _digit(question: str) -> int:
    return int(hashlib.sha256(question.encode()).hexdigest()[:8], 16) % 2


def fate(sha: str, seen: int, *, calm: bool) -> str:
    """What is done with the arrival of a question, the ``seen``-th of it."""
    if calm:
        return "ok"
    draw = random.Random(f"{sha}/{seen}")
    names = list(FAULTS)
    return draw.choices([*names, "ok"], [*FAULTS.values(), 1000 - sum(FAULTS.values())])[0]


def completion(body: dict[str, Any], text: str, finish: str = "stop") -> dict[str, Any]:
    """A chat completion as the wire has it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body.get("model", ""),
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 2, "total_tokens": 102},
    }


class Faulty:
    """The server's state: what has arrived, and the log."""

    def __init__(self, log: Path, calm: Path, hang_s: float, latency_s: float) -> None:
        self.seen: Counter[str] = Counter()
        self.log = log.open("a", encoding="ascii", buffering=1)
        self.calm = calm
        self.hang_s = hang_s
        self.latency_s = latency_s

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        sha = hashlib.sha256(raw).hexdigest()
        self.seen[sha] += 1
        # Taken once for each arrival, so that what is logged is what is done.
        what = fate(sha, self.seen[sha], calm=self.calm.exists())
        self.log.write(f"{sha} {what.replace(' ', '_')}\n")
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        body = json.loads(raw)
        return await self._done(request, body, what)

    async def _done(
        self, request: web.Request, body: dict[str, Any], what: str
    ) -> web.StreamResponse:
        question = body["messages"][-1]["content"]
        false = false_verdict(question)
        if what[:3].isdigit():
            said = {"error": {"message": f"{false}: this is a {what}", "code": None}}
            return web.json_response(said, status=int(what[:3]), headers=WAITS.get(what))
        if what in {"cut", "half json"}:
            return await _broken(request, completion(body, false), cut=what == "cut")
        if what == "hang":
            await asyncio.sleep(self.hang_s)
        payload = {
            "ok": lambda: completion(body, true_verdict(question)),
            "unreadable": lambda: completion(body, f"I would not say that it is {false}."),
            "truncated": lambda: completion(body, false, "length"),
            "refusal": lambda: completion(body, false, "content_filter"),
            "hang": lambda: completion(body, false),
            "empty choices": lambda: completion(body, false) | {"choices": []},
        }[what]()
        return web.json_response(payload)


async def _broken(request: web.Request, answer: Any, *, cut: bool) -> web.StreamResponse:
    """All of an answer but its last bytes: the connection ends before them, or the JSON does."""
    whole = json.dumps(answer).encode()
    part = whole[:-2]
    headers = {"content-type": "application/json"}
    headers["content-length"] = str(len(whole) if cut else len(part))
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    await response.write(part)
    if cut and request.transport is not None:
        request.transport.close()
    return response


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--calm", type=Path, required=True)
    parser.add_argument("--hang-s", type=float, default=30.0)
    parser.add_argument("--latency-s", type=float, default=0.0)
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> None:
    faulty = Faulty(arguments.log, arguments.calm, arguments.hang_s, arguments.latency_s)
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/chat/completions", faulty.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
