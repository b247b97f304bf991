"""What docs/scale.md and docs/performance.md show: suites that load, and figures that are there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from judgebench.config import Suite, load_suite

ROOT = Path(__file__).resolve().parents[2]
SCALE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
FIGURE = (ROOT / "docs" / "figures" / "scale_model.txt").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", SCALE, re.S)


def changed(suite: str, diff: str) -> str:
    """A suite after a diff of one piece, whose old lines stand in it once."""
    lines = diff.splitlines()
    old = "".join(line[1:] + "\n" for line in lines if line[0] in " -")
    new = "".join(line[1:] + "\n" for line in lines if line[0] in " +")
    assert suite.count(old) == 1, old
    return suite.replace(old, new)


@pytest.fixture(scope="module")
def suites(tmp_path_factory: pytest.TempPathFactory) -> list[Suite]:
    (text,) = blocks("yaml")
    texts = [text]
    for diff in blocks("diff"):
        texts.append(changed(texts[-1], diff))
    path = tmp_path_factory.mktemp("scale") / "suite.yaml"
    loaded = []
    for text in texts:
        path.write_text(text, encoding="utf-8")
        loaded.append(load_suite(path))
    return loaded


def test_each_step_is_a_suite_and_says_what_the_page_says(suites: list[Suite]) -> None:
    laptop, cards, team, slurm, ray = suites
    assert [one.models[0].lm_eval.model for one in suites if one.models[0].lm_eval] == [
        "hf", *["vllm"] * 4
    ]  # fmt: skip
    assert laptop.executor is team.executor is None
    assert laptop.gpus is None
    assert cards.gpus is not None
    assert cards.gpus.place == "in_turn"
    assert team.limits.requests_per_minute == 3000
    assert (team.store or "").startswith("postgresql://")
    assert slurm.executor is not None
    assert slurm.executor.slurm is not None
    assert (slurm.executor.slurm.array, slurm.executor.slurm.gpus) == (16, 8)
    assert ray.executor is not None
    assert ray.executor.ray is not None
    assert ray.executor.ray.gpus_per_model == 1


def test_the_figures_of_the_page_are_those_of_the_simulation() -> None:
    shown = blocks("text")
    assert len(shown) == 5
    for block in shown:
        assert f"\n{block}" in FIGURE + "\n"


@pytest.fixture(scope="module")
def model() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "perf" / "scale_model.py"))


def test_one_node_takes_what_its_parts_take_together(model: dict[str, Any]) -> None:
    known, assumed = model["parts"](), model["ASSUMED"]
    (design,) = [d for d in model["designs"](known) if d.name.startswith("Ray") and
                 d.per_minute == 3000]  # fmt: skip
    seed = model["random"].Random(1)
    end, busy = model["Night"](design, 1, seed, known).run()
    batches = -(-model["ANSWERS"] // model["BATCH"])
    calls = batches * model["BATCH"] * model["CALLS_PER_ANSWER"]
    by_hand = assumed["load"].value + batches * model["batch_s"]() + calls * 60 / 3000
    assert end == pytest.approx(by_hand, rel=0.03)
    assert busy["provider's limit"] == pytest.approx(calls * 60 / 3000 / end)
    assert model["Night"](design, 1, model["random"].Random(1), known).run() == (end, busy)


def test_more_nodes_meet_the_bound_that_division_names(model: dict[str, Any]) -> None:
    known = model["parts"]()
    for design in model["designs"](known):
        if design.per_minute is None:
            continue
        end, busy = model["Night"](design, 50, model["random"].Random(2), known).run()
        calls = 50 * model["ANSWERS"] * model["CALLS_PER_ANSWER"]
        assert end > calls * 60 / design.per_minute, "no night is shorter than the limit allows"
        assert max(busy, key=lambda name: busy[name]) == "provider's limit"


def test_a_figure_that_lacks_a_number_is_named(model: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"docs/figures/claims\.txt has no thing"):
        model["measured"]("s", "thing", "claims.txt", "no such ([0-9]+)")


def test_the_page_of_performance_is_what_its_script_makes_of_the_figures() -> None:
    made = runpy.run_path(str(ROOT / "perf" / "performance_page.py"))
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert page == made["page"](), "run: python perf/performance_page.py"
    row = made["Row"]("nothing", "of_nobody.txt", r"(\d+)", "s")
    assert row.cells()[1] == made["NOT_MEASURED"]
    assert made["Row"]("x", "claims.txt", r"own keys +([\d,]+)", "", other=r"own keys +([\d,]+)",
                       beside="y").cells()[3] == "1.00"  # fmt: skip
