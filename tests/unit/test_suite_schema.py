"""The JSON Schemas of a suite and of a paper's table, as published for editors."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import yaml

from judgebench.config import Suite
from judgebench.reports.paper import Paper

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "docs" / "suite.schema.json"
OF_PAPERS = ROOT / "docs" / "paper.schema.json"


def current_schemas() -> dict[Path, str]:
    """What the published files have to hold; run this file to write them."""
    schemas = {
        SCHEMA: {"title": "A judgebench suite", **Suite.model_json_schema()},
        OF_PAPERS: {"title": "The table of a paper", **Paper.model_json_schema()},
    }
    return {
        path: json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        for path, schema in schemas.items()
    }


def test_the_published_schemas_are_current() -> None:
    for path, schema in current_schemas().items():
        assert path.read_text(encoding="utf-8") == schema, f"run python {__file__}"


def test_the_demos_paper_is_valid_by_it_and_a_misspelt_key_is_not() -> None:
    schema = json.loads(OF_PAPERS.read_text(encoding="utf-8"))
    paper = yaml.safe_load((ROOT / "suites" / "paper.yaml").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    assert not list(validator.iter_errors(paper))
    paper["benchmarks"][0]["metrics"] = "accuracy"
    assert list(validator.iter_errors(paper))


def test_the_demo_is_valid_by_it_and_a_misspelt_key_is_not() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    suite = yaml.safe_load((ROOT / "suites" / "demo.yaml").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    assert not list(validator.iter_errors(suite))
    for cards in ("0-7", 3, [0, 1]):
        suite["gpus"] = {"devices": cards}
        assert not list(validator.iter_errors(suite))
    suite["benchmarks"][0]["limits"] = 3
    assert list(validator.iter_errors(suite))


if __name__ == "__main__":
    for file, content in current_schemas().items():
        file.write_text(content, encoding="utf-8")
