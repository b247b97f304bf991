"""inspect-ai grading answers that are there already: one call for each sample, its grader's.

    python inspect_ai_scorer.py ROWS BASE_URL CONNECTIONS FOLDER [--cache]

The solver puts the answer where a model's would stand, and ``model_graded_qa`` with its own prompt
grades it. The log is written as it is by default; as many samples run at once as connections.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

folder = Path(sys.argv[4])
os.environ["INSPECT_CACHE_DIR"] = str(folder / "cache")

import inspect_ai  # noqa: E402 - the folder of its cache is read on import
from inspect_ai.dataset import MemoryDataset, Sample  # noqa: E402
from inspect_ai.model import GenerateConfig, ModelOutput, get_model  # noqa: E402
from inspect_ai.scorer import model_graded_qa  # noqa: E402
from inspect_ai.solver import Generate, Solver, TaskState, solver  # noqa: E402


@solver  # type: ignore[untyped-decorator]  # Inspect AI is not read
def recorded_answer() -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output = ModelOutput.from_content("recorded", state.metadata["text"])
        return state

    return solve


def main(path: str, base_url: str, connections: int, cache: bool) -> None:
    with Path(path).open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    config = GenerateConfig(
        max_connections=connections, max_retries=0, temperature=0, max_tokens=32, cache=cache
    )
    grader = get_model(
        "openai-api/loopback/judge", base_url=base_url, api_key="none", config=config
    )
    samples = [
        Sample(input=r["question"], target=r["reference"], metadata={"text": r["answer"]})
        for r in rows
    ]
    task = inspect_ai.Task(
        dataset=MemoryDataset(samples),
        solver=recorded_answer(),
        scorer=model_graded_qa(model=grader),
    )
    (log,) = inspect_ai.eval(
        task,
        model="mockllm/model",
        max_samples=connections,
        display="none",
        log_dir=str(folder / "logs"),
    )
    graded = log.results.scores[0].scored_samples if log.results is not None else 0
    if log.status != "success" or graded != len(rows):
        sys.exit(f"inspect-ai: {log.status}, {graded} of {len(rows)} samples graded")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), "--cache" in sys.argv)
