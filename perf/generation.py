"""Generation through judgebench against the same lm-eval call alone, on the demo's model.

    python perf/generation.py [--items 16] [--pairs 10] [--model FOLDER]

Both answer the first items of ``trivia_judging_mini`` greedily, in batches of 8, float32, on one
thread, each call in a process of its own, one after the other and in turns. What is compared is
CPU, since others may be at work: of judgebench that of the run and of its worker from ``ready`` to
the last answer in the store (finish reasons, token counts, log-probabilities and commits in it);
of lm-eval that of ``generate_until`` alone, and of all of ``simple_evaluate`` on the loaded model.
What comes before (imports, loading) and after is the fixed part, which grows with no item.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TASK = "trivia_judging_mini"
BATCH = 8
AT_MOST = 1.03
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def through_judgebench(model: str, items: int, folder: Path) -> dict[str, Any]:
    """One run of a suite without judges; the CPU of answering, and the answers."""
    import psutil

    import judgebench
    from judgebench.protocols import NoProgress

    suite = {
        "name": "generation",
        "models": [{"name": "m", "lm_eval": {
            "model": "hf", "device": "cpu", "batch_size": BATCH, "apply_chat_template": True,
            "model_args": {"pretrained": model, "dtype": "float32"},
        }}],
        "benchmarks": [{"name": TASK, "judges": [], "limit": items}],
    }  # fmt: skip
    path = folder / "suite.yaml"
    path.write_text(json.dumps(suite))

    def cpu_s() -> float:
        here = psutil.Process()
        times = [one.cpu_times() for one in (here, *here.children(recursive=True))]
        return sum(each.user + each.system for each in times)

    marks: list[float] = []

    class Clock(NoProgress):
        def stage(self, name: str, total: int | None) -> None:
            if name == "m: answering":
                marks[:] = [cpu_s()]

        def advance(self, n: int = 1, **_: Any) -> None:
            marks[1:] = [cpu_s()]

    store = f"sqlite:///{folder / 'store.db'}"
    done = judgebench.run(path, store=store, progress=Clock())
    assert done.answered == items, done.failed
    found = judgebench.answers(TASK, store=store)
    return {
        "cpu_s": marks[1] - marks[0],
        "texts": dict(zip(found["item_id"], found["text"], strict=True)),
    }


def through_lm_eval(model: str, items: int) -> dict[str, Any]:
    """``simple_evaluate`` on the model; the CPU of it, that of generating, and the answers."""
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    lm = HFLM(pretrained=model, dtype="float32", device="cpu", batch_size=BATCH)
    lm.model.generation_config.max_new_tokens = None
    generate, spent = lm.generate_until, 0.0

    def timed(requests: Any, **how: Any) -> Any:
        nonlocal spent
        began = time.process_time()
        try:
            return generate(requests, **how)
        finally:
            spent += time.process_time() - began

    lm.generate_until = timed
    manager = TaskManager(include_path=str(ROOT / "tasks" / TASK), include_defaults=False)
    began = time.process_time()
    found = lm_eval.simple_evaluate(
        model=lm, tasks=[TASK], task_manager=manager, limit=items, apply_chat_template=True,
        bootstrap_iters=0, log_samples=True,
    )  # fmt: skip
    texts = {one["doc"]["id"]: one["resps"][0][0] for one in found["samples"][TASK]}
    return {"cpu_s": spent, "evaluate_s": time.process_time() - began, "texts": texts}


def child(who: str, model: str, items: int) -> dict[str, Any]:
    """One call in a process of its own; with ``whole_s``, the CPU of all of it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--call", who, folder]
        command += ["--model", model, "--items", str(items)]
        environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        out = Path(folder) / "out.json"
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(said.decode()[-2000:])
        return {**json.loads(out.read_text()), "whole_s": used.ru_utime + used.ru_stime}


def spread(values: Sequence[float]) -> str:
    """Median, and from the first to the third quartile."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:6.3f} ({low:.3f} to {high:.3f})"


def compare(model: str, items: int, pairs: int) -> bool:
    print(
        f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, one "
        f"thread each; {items} items in batches of {BATCH}, {pairs} pairs in turns"
    )
    load = os.getloadavg()[0]
    found: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
    for number in range(pairs):
        order = ("judgebench", "lm-eval")[:: 1 if number % 2 else -1]
        done = {who: child(who, model, items) for who in order}
        found.append((done["judgebench"], done["lm-eval"]))
    ratios = [ours["cpu_s"] / bare["cpu_s"] for ours, bare in found]
    every = [ours["cpu_s"] / bare["evaluate_s"] for ours, bare in found]
    fixed = [
        (ours["whole_s"] - ours["cpu_s"]) - (bare["whole_s"] - bare["cpu_s"])
        for ours, bare in found
    ]
    same = sum(ours["texts"][i] == text.strip() for ours, bare in found[:1]
               for i, text in bare["texts"].items())  # fmt: skip
    for name, side in (("judgebench", 0), ("lm-eval", 1)):
        values = [pair[side]["cpu_s"] for pair in found]
        print(f"{name:<12} CPU s of answering    {spread(values)}")
    print(f"ratio of answering, judgebench to generate_until alone   {spread(ratios)}")
    print(f"ratio of answering, judgebench to simple_evaluate        {spread(every)}")
    print(f"CPU s more before and after (store, planning, a process more)  {spread(fixed)}")
    print(f"texts that are equal: {same} of {items}")
    reached = statistics.median(ratios) <= AT_MOST
    print(f"{'pass' if reached else 'FAIL'}: at most {AT_MOST} times; load {load:.1f} to "
          f"{os.getloadavg()[0]:.1f}")  # fmt: skip
    return bool(reached)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=16)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--model", default="", help="a checkpoint; the demo's if not given")
    parser.add_argument("--call", nargs=2, metavar=("WHO", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.call:
        who, folder = options.call
        call = (options.model, options.items)
        ours = who == "judgebench"
        done = through_judgebench(*call, Path(folder)) if ours else through_lm_eval(*call)
        (Path(folder) / "out.json").write_text(json.dumps(done))
        return
    model = options.model
    if not model:
        from suites.demo_model import demo_model

        model = str(demo_model().folder)
    sys.exit(0 if compare(model, options.items, options.pairs) else 1)


if __name__ == "__main__":
    main()
