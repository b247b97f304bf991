"""The JSON Schema of a suite, as published for editors."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import yaml

from judgebench.config import Suite

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "docs" / "suite.schema.json"


def current_schema() -> str:
    """What the published file has to hold; run this file to write it."""
    schema = {"title": "A judgebench suite", **Suite.model_json_schema()}
    return json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def test_the_published_schema_is_current() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == current_schema(), f"run python {__file__}"


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
    SCHEMA.write_text(current_schema(), encoding="utf-8")
