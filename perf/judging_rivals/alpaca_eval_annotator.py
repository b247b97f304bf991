"""alpaca-eval comparing each answer with its reference: one call for each pair.

    python alpaca_eval_annotator.py ROWS BASE_URL CONNECTIONS FOLDER [--cache]

Its pairwise annotator over its own ``openai_completions``, with the prompt and the parser of its
``chatgpt`` configuration. CONNECTIONS 0 leaves its concurrency and its chunks of 128 rows as they
are by default; otherwise the rows are one chunk, which is the best that it can do. The leaderboard
that its command adds is left out.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

path, base_url, connections, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
os.environ |= {"OPENAI_API_BASE": base_url, "OPENAI_API_KEY": "none"}

import yaml  # noqa: E402 - alpaca_eval reads its address on import
from alpaca_eval import constants  # noqa: E402
from alpaca_eval.annotators import PairwiseAnnotator  # noqa: E402


def configuration() -> Path:
    """Its ``chatgpt`` annotator, asking our model."""
    shipped = Path(constants.EVALUATORS_CONFIG_DIR, "chatgpt")
    (config,) = yaml.safe_load((shipped / "configs.yaml").read_text()).values()
    config["prompt_template"] = str(shipped / "basic_prompt.txt")
    config["completions_kwargs"] |= {"model_name": "judge", "price_per_token": 0.0}
    if connections:
        config["completions_kwargs"]["num_procs"] = connections
    written = folder / "annotator" / "configs.yaml"
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text(yaml.safe_dump({"judge": config}))
    return written


def main(cache: bool) -> None:
    with Path(path).open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    pairs = [
        {"instruction": r["question"], "output_1": r["reference"], "output_2": r["answer"]}
        for r in rows
    ]
    annotator = PairwiseAnnotator(
        annotators_config=configuration(),
        caching_path=folder / "annotations.json" if cache else None,
    )
    annotated = annotator(pairs, chunksize=None if connections else 128)
    done = sum(row["preference"] in (1, 2) for row in annotated)
    if done != len(rows):
        sys.exit(f"alpaca-eval: {done} of {len(rows)} pairs annotated")


if __name__ == "__main__":
    main("--cache" in sys.argv)
