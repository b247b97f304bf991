"""``report``: the table of a paper."""

from __future__ import annotations

from pathlib import Path

import click

import judgebench
from judgebench.cli.options import report_options, show, suite_store_option


@click.command("report")
@click.argument("paper", type=click.Path(path_type=Path), metavar="PAPER.yaml")
@click.option(
    "--standalone",
    is_flag=True,
    help="LaTeX as a document that compiles by itself; else a table to be taken in with \\input.",
)
@report_options
@suite_store_option
def report(
    paper: Path, standalone: bool, form: str, outputs: tuple[Path, ...], store: str | None
) -> int:
    """The table of a paper: the models and benchmarks that PAPER.yaml names, with intervals.

    A row is a model of the store, or of a published board; a column one metric of a benchmark in
    the eyes of one judge or panel. Each number has its interval, and the digits of its metric; the
    best of a column is bold, by the metric's direction. Figures of another judge, version or prompt
    than the column's have a letter, and a note that says which; so has what is not there, and why.

    With tests, every model of the table is tested against one of them, or against the best of each
    column, as `judgebench compare` tests: paired, over the items that both were judged on, p-values
    adjusted over all tests of the table. * is better, † is worse.

    Below stands a paragraph for the methods section: benchmarks with versions and items, judges
    with served models and prompts, how intervals and tests are made, seeds, versions.

    \b
    Examples:
      judgebench report paper.yaml
      judgebench report paper.yaml --output table.tex --output table.html --output table.csv
      judgebench report paper.yaml --standalone --output paper.tex

    \b
    PAPER.yaml (docs/papers.md has every key):
      title: Three ways of alignment
      label: tab:main
      tests: {against: sft, correction: holm}
      models:
        - {name: sft, title: SFT, group: Ours}
        - {name: dpo, title: DPO, group: Ours, published: true}
        - {published: gpt4_1106_preview, title: GPT-4 Turbo, group: Published}
      benchmarks:
        - {name: alpaca_eval@2, judge: gpt-4-turbo, metric: length_controlled_win_rate, title: LC}
        - {name: alpaca_eval@2, judge: gpt-4-turbo, metric: win_rate, title: WR}
        - {name: mt_bench, judge: gpt-4, metric: score/math}
      store: sqlite:///results/judgebench.db
    """
    document = judgebench.report(paper, store=store).document()
    document.standalone = standalone
    show(document, form, outputs)
    return 0
