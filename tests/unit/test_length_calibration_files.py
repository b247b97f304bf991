"""AlpacaEval's calibration files: the published ones, hand-made here, and the recovered figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from judgebench.benchmarks.data import calibration
from judgebench.benchmarks.description import find
from judgebench.errors import InputError
from judgebench.reports.length_calibrations import (
    ANCHORS,
    DIFFICULTY,
    published,
    read_recovered,
    recovered,
)
from tests.table import over_rows

GAMED = """preference,index,std_delta_len,instruction_difficulty,not_gamed_baseline,model
0.75,0,-1.5,2.25,False,verbose
,1,-0.5,-1.0,False,verbose
0.25,0,0.5,2.25,False,concise
0.125,1,1.25,-1.0,False,concise
"""
DIFFICULTIES = ",instruction_difficulty\n0,2.2\n1,-1.1\n2,0.5\n"


def files(folder: Path, gamed: str = GAMED, difficulties: str = DIFFICULTIES) -> dict[str, Path]:
    found = {ANCHORS: folder / ANCHORS, DIFFICULTY: folder / DIFFICULTY}
    for path, text in zip(found.values(), (gamed, difficulties), strict=True):
        path.write_text(text, encoding="utf-8")
    return found


def test_the_published_files(tmp_path: Path) -> None:
    found = published(files(tmp_path), tmp_path / "no figures")
    assert found is not None
    assert found.origin == "published"
    assert found.note == "the published one (df_gamed.csv, 3 anchor rows)"
    assert found.difficulty == {"0": 2.25, "1": -1.0, "2": 0.5}
    assert found.published_c == {}
    assert found.c is None
    assert found.anchors is not None
    assert found.anchors.preference.tolist() == [0.75, 0.25, 0.125]
    assert found.anchors.std_length.tolist() == [-1.5, 0.5, 1.25]
    assert found.anchors.difficulty.tolist() == [2.25, 2.25, -1.0]
    assert found.anchors.weight == 0.1


def test_one_file_is_not_enough(tmp_path: Path) -> None:
    one = files(tmp_path)
    del one[DIFFICULTY]
    assert published(one, tmp_path) is None


@over_rows(
    ("gamed", "difficulties", "said"),
    [
        (GAMED.replace("0.75,0", "1.75,0"), DIFFICULTIES,
         "df_gamed.csv:2: preference: between 0 and 1, not 1.75"),
        (GAMED.replace("False,concise", "True,concise"), DIFFICULTIES,
         "df_gamed.csv:4: not_gamed_baseline: an anchor row says False here"),
        (GAMED.replace("-1.5", "long"), DIFFICULTIES, "df_gamed.csv:2: std_delta_len: a number"),
        (GAMED.replace("std_delta_len", "length"), DIFFICULTIES,
         "df_gamed.csv:2: std_delta_len: is missing. Columns here"),
        (GAMED, "index\n0\n", "instruction_difficulty.csv:2: two columns"),
        (GAMED, ",d\n0,1\n0,2\n", "instruction_difficulty.csv:3: one row for each instruction"),
        (GAMED, ",d\n,1\n", "instruction_difficulty.csv:2: one row for each instruction"),
        (GAMED, ",d\n0,x\n", "instruction_difficulty.csv:2: d: a number"),
        (GAMED, "", "instruction_difficulty.csv: there is no row in it"),
    ],
)  # fmt: skip
def test_bad_files_are_named(tmp_path: Path, gamed: str, difficulties: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        published(files(tmp_path, gamed, difficulties), tmp_path)
    assert said in str(error.value)


def test_files_of_another_content_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path))
    folder = tmp_path / "alpaca_eval" / "calibration"
    folder.mkdir(parents=True)
    files(folder)
    assert calibration(find("alpaca_eval")[0]).here() == {}


def test_the_recovered_figures() -> None:
    figures = find("alpaca_eval")[1] / "figures"
    found, read = recovered(figures), read_recovered(figures)
    assert found is not None
    assert found.origin == "recovered"
    assert list(found.difficulty) == [str(i) for i in range(805)]
    assert list(found.difficulty.values()) == read.difficulty.tolist()
    assert found.anchors is not None
    assert len(found.anchors.preference) == 1610
    assert len(found.published_c) == 27  # the baseline needs none
    assert recovered(figures.parent) is None  # as in an installed package
