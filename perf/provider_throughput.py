"""Calls per second and CPU per call of the whole provider stack, against the bare client.

    python perf/provider_throughput.py [--calls 2000] [--in-flight 64] [--latency 0.05]

The server is ``tests/loopback.py`` in a process of its own. Both are measured in turns in one run,
so that only their ratio depends on us and not on the machine of the day.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from judgebench.config import Endpoint
from judgebench.providers.compose import Providers
from judgebench.records import ChatRequest, Message, Reply, Request, Spend

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.written import WrittenAtOnce

LOOPBACK = Path(__file__).parents[1] / "tests" / "loopback.py"
PROMPT = "word " * 400
ROUNDS = 3


class Forgetful(WrittenAtOnce):
    """Replies that are not kept: what is measured is the way there and back."""

    def reply(self, key: bytes) -> Reply | None:
        return None

    def put_reply(
        self,
        key: bytes,
        request: Request,
        reply: Reply,
        spend: Spend | None = None,
        asked: str | None = None,
    ) -> None:
        return

    def put_spend(self, spends: Sequence[Spend]) -> None:
        return


async def measure(call: Callable[[str], Awaitable[object]], calls: int) -> tuple[float, float]:
    """Calls per second and CPU milliseconds per call."""
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(call(f"{i} {PROMPT}") for i in range(calls)))
    return calls / (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu) / calls


async def compare(url: str, calls: int, in_flight: int) -> None:
    from openai import AsyncOpenAI, DefaultAioHttpClient

    client = AsyncOpenAI(
        base_url=url, api_key="none", max_retries=0, http_client=DefaultAioHttpClient()
    )
    slots = asyncio.Semaphore(in_flight)

    async def bare(text: str) -> object:
        async with slots:
            return await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": text}], temperature=0
            )

    providers = Providers(Forgetful())
    stack = providers.get(
        Endpoint(provider="openai_compatible", model="m", base_url=url, max_connections=in_flight)
    )

    async def ours(text: str) -> object:
        messages = (Message(role="user", content=text),)
        return await stack.complete(
            ChatRequest(
                provider="openai_compatible",
                model="m",
                messages=messages,
                decoding={"temperature": 0},
            )
        )

    best: dict[str, tuple[float, float]] = {}
    try:
        for call in (bare, ours):  # open the connections
            await measure(call, in_flight)
        for _ in range(ROUNDS):
            for name, call in (("AsyncOpenAI, aiohttp", bare), ("whole stack", ours)):
                best[name] = max(best.get(name, (0.0, 0.0)), await measure(call, calls))
    finally:
        await providers.close()
        await client.close()
    print(f"{calls} calls, {in_flight} in flight, best of {ROUNDS}:")
    for name, (rate, cpu_ms) in best.items():
        print(f"  {name:<22}{rate:7.0f} calls/s {cpu_ms:6.2f} CPU ms per call")
    (bare_rate, bare_ms), (our_rate, our_ms) = best.values()
    print(f"  ratio                 {our_rate / bare_rate:7.2f}         {our_ms / bare_ms:6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds, of the server")
    options = parser.parse_args()
    child = subprocess.Popen(
        [sys.executable, str(LOOPBACK), "--delay", str(options.latency)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        url = f"http://127.0.0.1:{int(child.stdout.readline())}/v1"
        asyncio.run(compare(url, options.calls, options.in_flight))
    finally:
        child.kill()
        child.communicate()


if __name__ == "__main__":
    main()
