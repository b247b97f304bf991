"""`.ci/install`: uv is told what pip is told, and pip installs where uv cannot."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

INSTALL = Path(__file__).resolve().parents[2] / ".ci" / "install"

# Stands for the interpreter: says what pip's settings are, notes what it is asked, fails as UV says
PYTHON = """#!/bin/sh
echo "$* | $UV_DEFAULT_INDEX | $UV_FIND_LINKS" >> "$NOTES"
case "$2 $3" in
  "pip config") printf '%s\\n' ":env:.find-links='/wheels'" "global.constraint='/etc/most.txt'" \\
    "global.find-links='/wheels'" "global.index-url='https://index.example/simple'" ;;
  "uv --version") [ "$UV" != none ] ;;
  "uv pip") [ "$UV" = works ] ;;
  "pip install") case "$*" in *--no-compile\\ uv*) [ "$UV" != none ] ;; esac ;;
esac
"""


def _asked(folder: Path, uv: str, **more: str) -> list[str]:
    python, notes = folder / "python", folder / "notes"
    python.write_text(PYTHON)
    python.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("UV_")}
    subprocess.run(
        [INSTALL, python, "--editable", "."],
        env=environment | {"NOTES": str(notes), "UV": uv, **more},
        check=True,
        capture_output=True,
    )
    return notes.read_text().splitlines()


def test_uv_is_told_what_pip_is_told(tmp_path: Path) -> None:
    said, index, links = _asked(tmp_path, "works")[-1].split(" | ")
    assert said.startswith("-m uv pip install") and said.endswith(
        "--editable . --constraint /etc/most.txt"
    )
    assert (index, links) == ("https://index.example/simple", "/wheels")


def test_pip_installs_where_uv_is_not_to_be_had_or_fails(tmp_path: Path) -> None:
    for uv in ("none", "fails"):
        last = _asked(tmp_path, uv)[-1]
        assert last.startswith("-m pip install") and "--editable ." in last


def test_an_environment_without_tools_of_its_own_is_installed_into(tmp_path: Path) -> None:
    assert _asked(tmp_path, "works", INTO="there")[-1].startswith(
        "-m uv pip install --quiet --python there --editable ."
    )
    assert _asked(tmp_path, "none", INTO="there")[-1].startswith("-m pip --python there install")


def test_what_is_asked_for_is_constrained() -> None:
    """But for what the machine decides, and what the tests do without."""
    root = INSTALL.parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    asked = {
        re.split(r"[\[<>=]", one)[0].replace("_", "-").lower()
        for one in chain(project["dependencies"], *extras)
    }
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    kept = [line.split("==")[0].replace("_", "-").lower() for line in lines if "==" in line]
    assert asked - {*kept} == {"torch", "litellm", "judgebench-harness"}
    assert len({*kept}) == len(kept)
