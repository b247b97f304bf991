"""The official client alone: one question for each row, nothing kept, nothing read.

python bare_openai.py ROWS BASE_URL CONNECTIONS {default,aiohttp}
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from openai import AsyncOpenAI, DefaultAioHttpClient

PROMPT = (
    "Does the answer mean the same as the reference? Say correct or incorrect.\n\n"
    "Question: {question}\nReference: {reference}\nAnswer: {answer}"
)


async def ask_all(rows: list[dict[str, str]], client: AsyncOpenAI, connections: int) -> None:
    waiting = iter(rows)

    async def slot() -> None:
        for row in waiting:
            await client.chat.completions.create(
                model="judge",
                messages=[{"role": "user", "content": PROMPT.format(**row)}],
                temperature=0,
                max_tokens=32,
            )

    async with client, asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(slot())


async def main(rows: list[dict[str, str]], base_url: str, connections: int, aiohttp: bool) -> None:
    http = DefaultAioHttpClient() if aiohttp else None
    client = AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0, http_client=http)
    await ask_all(rows, client, connections)


if __name__ == "__main__":
    path, base_url, connections, transport = sys.argv[1:]
    with Path(path).open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    asyncio.run(main(rows, base_url, int(connections), transport == "aiohttp"))
