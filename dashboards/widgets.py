"""What every page shows in the same way. Foreign text (names, reasons, errors) is shown as text.

Streamlit reads Markdown, HTML, emoji codes and colour directives in most places where it takes a
string, headings, captions and error boxes included. Only `st.text`, `st.code`, the options of a
select box and tables show a string as it is, so whatever was not written in this folder goes
through those.

How the pages fit a narrow window: what Streamlit leaves empty, or puts beside each other, moves.

From 800 pixels on no number is cut. A drawing needs `DRAWING_PX`, and tables what their first
columns take, so that the navigation goes above the page where both would not fit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import pandas as pd
import streamlit as st
from charts import GAP, INK, Axis, Ink, number, text_px
from long_text import visible
from open_store import shown_url
from pandas.io.formats.style import Styler
from pictures import Draws, as_of, captioned, plotted, save_buttons
from streamlit.delta_generator import DeltaGenerator

from judgebench.columns import grouped
from judgebench.records import Estimate
from judgebench.reports.document import Table
from judgebench.reports.estimates import to_json

DRAWING_PX, WIDE_PX, SMALL_PX, TABLE_PX = 480, 620, 300, 280
"""The least width of a drawing that has something beside it: with names of 34 characters at its
left, or with their differences and numbers as well, or without names; and of a table.
"""

WIDE, SMALL = "wide-drawings", "small-drawings"
"""How the keys of containers begin whose drawings are such."""

NARROW = f"""
@media (max-width: 1500px) {{
  [data-testid=stMainBlockContainer] {{ padding-left: 1.5rem; padding-right: 1.5rem; }}
}}
[data-testid=stHorizontalBlock]:has(
  > [data-testid=stColumn] :is(
    [data-testid=stVegaLiteChart], [data-testid=stSelectbox], [data-testid=stPopover]
  )
) {{ flex-wrap: wrap; }}
[data-testid=stColumn]:has([data-testid=stVegaLiteChart]) {{
  min-width: min({DRAWING_PX}px, 100%);
}}
[class*=st-key-{WIDE}] [data-testid=stColumn]:has([data-testid=stVegaLiteChart]) {{
  min-width: min({WIDE_PX}px, 100%);
}}
[class*=st-key-{SMALL}] [data-testid=stColumn]:has([data-testid=stVegaLiteChart]) {{
  min-width: min({SMALL_PX}px, 100%);
}}
[data-testid=stColumn]:has([data-testid=stDataFrame]):not(:has([data-testid=stVegaLiteChart])) {{
  min-width: min({TABLE_PX}px, 100%);
}}
[data-testid=stSelectbox] input {{ field-sizing: content; min-width: min-content; }}
[role=group]:has(> [data-testid=stMultiSelectTagsContainer]) {{
  height: auto; max-height: none;
}}
[data-testid=stMultiSelectTagsContainer] {{
  flex-wrap: wrap; max-height: 12rem; overflow: hidden auto;
}}
[data-testid=stColumn]:has([data-testid=stSelectbox], [data-testid=stPopover]):not(
  :has([data-testid=stVegaLiteChart], [data-testid=stDataFrame])
) {{ min-width: fit-content; max-width: 100%; }}
@media (max-width: 1099px) {{
  [data-testid=stAppViewContainer] {{ flex-direction: column; }}
  [data-testid=stSidebar] {{
    transform: none !important; width: 100% !important; min-width: 100% !important;
    max-width: 100% !important; flex: none; max-height: 40vh;
  }}
  [data-testid=stSidebar] > * {{ width: 100% !important; }}
  [data-testid=stSidebarHeader], [data-testid=stNavSectionHeader] {{ display: none; }}
  [data-testid=stSidebarNav] {{ padding: 0.5rem 1.5rem 0; }}
  [data-testid=stSidebarNavSeparator] {{ display: none; }}
  [data-testid=stMainBlockContainer] {{ padding-top: 1.5rem !important; }}
  [data-testid=stSidebarNavItems], [data-testid=stSidebarNavItems] > div {{
    display: flex; flex-wrap: wrap; align-items: center; column-gap: 0.75rem; margin: 0;
    padding: 0; max-height: none;
  }}
  [data-testid=stSidebarUserContent] {{ padding: 0 1.5rem 0.5rem; }}
  [data-testid=stSidebarUserContent] [data-testid=stVerticalBlock] {{
    flex-direction: row; flex-wrap: wrap; align-items: baseline; column-gap: 1rem; row-gap: 0;
  }}
  [data-testid=stSidebarUserContent] [data-testid=stElementContainer] {{ width: auto !important; }}
}}
"""


def ink() -> Ink:
    """The colours of the theme that the reader's browser shows."""
    return INK["dark" if st.context.theme.type == "dark" else "light"]


def distinct(names: Sequence[str]) -> list[str]:
    """The names with a number behind those that occur again."""
    seen: Counter[str] = Counter()
    disambiguate = []
    for name in names:
        seen[name] += 1
        disambiguate.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return disambiguate


MOST_ROWS = 60
"""Of a drawing."""

NAMED, MOST_NOTES = 3, 12
"""Who is named beside a reason that holds for several, and lines of notes that stand open."""

NO_ESTIMATE = Estimate(value=math.nan, n=0, units=0, undefined="not reported")


def numbers(estimate: Mapping[str, Any] | Estimate, scale: float) -> dict[str, Any]:
    """An estimate's columns, maybe as JSON; nan where the report has null."""
    estimate = to_json(estimate) if isinstance(estimate, Estimate) else estimate
    ends = {name: estimate.get(name) for name in ("value", "low", "high")}
    return {name: math.nan if end is None else end * scale for name, end in ends.items()} | {
        "n": estimate["n"],
        "missing": estimate["missing"],
        "undefined": estimate.get("undefined") or "",
    }


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def scaled(estimate: Estimate, scale: float) -> dict[str, float]:
    """The number and the ends of its interval, times something."""
    return {name: getattr(estimate, name) * scale for name in ("value", "low", "high")}


def with_counts(row: Mapping[str, Any] | Estimate, said: str) -> str:
    """What is said of a number, and of how many it is; of none, why there is none."""
    if isinstance(row, Estimate):
        row = {one: getattr(row, one) for one in ("value", "n", "missing", "undefined")}
    counts = f"n {row['n']:,}" + (f", {row['missing']:,} missing" if row["missing"] else "")
    said = f"{GAP} {row['undefined']}" if math.isnan(row["value"]) else said
    return f"{said} · {counts}"


def note(row: Mapping[str, Any], digits: int) -> str:
    """What stands at the right of a bar: number, interval, n, what is missing; or why nothing."""
    return with_counts(row, f"{number(row['value'], digits)} {_interval(row, digits)}")


def signed(value: float, digits: int) -> str:
    """A number with its sign; a dash where there is none."""
    if math.isnan(value):
        return GAP
    return ("+" if value > 0 else "") + number(value, digits)


def signed_interval(row: Mapping[str, float], digits: int) -> str:
    """``+2.1 [+0.3, +3.9]``."""
    value, low, high = (signed(row[end], digits) for end in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def in_brackets(estimate: Mapping[str, Any] | Estimate) -> str | None:
    """``0.62 [0.48, 0.75]``; None where undefined, which a table shows as a dash."""
    row = numbers(estimate, 1.0)
    return None if math.isnan(row["value"]) else f"{number(row['value'], 2)} {_interval(row, 2)}"


def worst_case(estimate: Estimate, scale: float, digits: int) -> str:
    """Where the number would lie with all that is missing at its worst, and at its best."""
    ends = (estimate.worst_low, estimate.worst_high)
    if not estimate.missing or None in ends:
        return ""
    return "[{}, {}]".format(*(number(end * scale, digits) for end in ends if end is not None))


def _interval(row: Mapping[str, Any], digits: int) -> str:
    if math.isnan(row["low"]) or math.isnan(row["high"]):
        return "[no interval]"
    return f"[{number(row['low'], digits)}, {number(row['high'], digits)}]"


RANK_SETS = "The sets of all models hold at once (95 %)."


def columns_of(axis: Axis) -> dict[str, Any]:
    """How the columns of a board are headed."""
    number_of = st.column_config.NumberColumn
    return {
        "rank": number_of("rank", width=50, help="Among all models of the board."),
        "rank_low": number_of("from", width=50, help=f"Lowest rank of the set. {RANK_SETS}"),
        "rank_high": number_of("to", width=50, help=f"Highest rank of the set. {RANK_SETS}"),
        "model": st.column_config.TextColumn("model"),  # as wide as the names
        "value": number_of(axis.short),
        "lc value": number_of("LC %", help="Length-controlled win rate."),
        "raw value": number_of("win rate %", help="Plain, not length-controlled."),
        "raw low": number_of("win rate low"),
        "raw high": number_of("win rate high"),
        "lc low": number_of("LC low"),
        "lc high": number_of("LC high"),
        "lc undefined": st.column_config.TextColumn("LC undefined"),
    }


def greyed(rows: pd.DataFrame, quiet: Sequence[bool], digits: int, colours: Ink) -> Styler:
    """The rows with their numbers printed, those that do not count in grey, flags on their tint."""
    grey = [f"color: {colours.faint}" if is_quiet else "" for is_quiet in quiet]
    styled = rows.style.format(precision=digits, na_rep=GAP).apply(lambda _: grey, axis=0)
    if "flags" not in rows:
        return styled
    return styled.map(lambda said: _tint(said, colours), subset=["flags"])


def _tint(said: str, colours: Ink) -> str:
    """The ground of a cell of flags; what they are, their shapes and words say."""
    if not said:
        return ""
    ground = colours.notice if said.startswith("●") else colours.warning
    return f"background-color: {ground}; color: {colours.text}"


FIRST_COLUMNS, SEEN_ROWS, PADDING_PX, WIDEST_PX = 3, 5, 32, 500
"""Of a table: the columns that are shown whole, and rows of which a browser measures every one."""


def table(rows: pd.DataFrame | Styler, **options: Any) -> Any:
    """A table; what is selected in it, where that is asked for."""
    config = whole(
        rows.data if isinstance(rows, Styler) else rows,  # type: ignore[attr-defined]
        options.pop("column_config", {}),
    )
    return st.dataframe(
        rows, hide_index=True, width="stretch", placeholder=GAP, column_config=config, **options
    )


def listed(found: Table) -> None:
    """A table of a report, all of its texts whole, with its notes; whole numbers sort as such."""
    rows = pd.DataFrame(found.rows, columns=distinct([one.title for one in found.columns]))
    for name in rows:
        if rows[name].str.fullmatch(r"\d+").all():
            rows[name] = rows[name].astype(int)
    table(rows, column_config=whole(rows, {}, rows.shape[1]))
    notes([visible(note) for note in found.notes])


def whole(
    rows: pd.DataFrame, config: Mapping[str, Any], n_columns: int = FIRST_COLUMNS
) -> dict[str, Any]:
    """How columns are headed, the first ones as wide as their longest text, wherever it stands.

    A browser measures the first rows, and of more than five leaves out what is twice as wide as
    they are on average.
    """
    found = dict(config)
    for name in [*rows][:n_columns]:
        texts = [text for text in rows[name] if isinstance(text, str)]
        if len(texts) > SEEN_ROWS and not (found.get(name) or {}).get("width"):
            width = min(WIDEST_PX, text_px([*texts, name]) + PADDING_PX)
            found[name] = {**(found.get(name) or {}), "width": width}
    return found


def drawable(rows: pd.DataFrame, all_in: str = "the table") -> pd.DataFrame:
    """The rows that have a value, so many that they fit a drawing; says so where some are left."""
    drawn = rows[rows["value"].notna()].head(MOST_ROWS)
    if len(drawn) < len(rows):
        st.text(f"{len(drawn)} of {len(rows):,} are drawn; {all_in} has all.")
    return drawn


def drawing(draws: Draws, *, alt: str, place: DeltaGenerator | None = None) -> None:
    """A drawing without a caption, as one that another takes the place of."""
    (place or st).vega_lite_chart(spec=plotted(draws), theme=None, alt=alt)


def chart(
    draws: Draws,
    said: str = "",
    *,
    alt: str,
    name: str = "",
    share: float = 1.0,
    **options: Any,
) -> Any:
    """A drawing with its caption, and what saves both as PNG and as SVG; what is chosen in it.

    Parameters
    ----------
    said
        The caption: what is drawn, of whom, in whose eyes, how many. Store and date follow it.
    alt
        For those who do not see it.
    name
        Of the saved file, without its suffix; also tells drawings of one page apart.
    share
        Of the page's width, that the drawing has.
    """
    url, mark = st.session_state["store"], st.session_state["mark"]
    source = f"judgebench · {shown_url(url)} as of {as_of(mark)}"
    with st.container(gap="xxsmall"):
        picked = st.vega_lite_chart(
            spec=captioned(draws, f"{said} · {source}" if said else source, ink(), share=share),
            theme=None,
            alt=alt,
            **options,
        )
        save_buttons(name or alt, key=f"save {name or alt}")
    return picked


def notes(lines: Sequence[str]) -> None:
    """Warnings and reasons below a table; many of them are there when they are asked for."""
    if lines:
        many = len(lines) > MOST_NOTES
        with st.expander(f"{len(lines)} notes") if many else nullcontext():
            st.text("\n".join(lines))


def reasons(said: Iterable[tuple[str, str]]) -> None:
    """Why there is no number, once for all of whom it is so: names and reasons, or nothing."""
    of = grouped((why, name) for name, why in said if why)
    more = {why: f" and {n:,} more" for why, its in of.items() if (n := len(its) - NAMED) > 0}
    notes([visible(f"– {', '.join(of[why][:NAMED])}{more.get(why, '')}: {why}") for why in of])


def download(label: str, name: str, csv: str, key: str) -> None:
    st.download_button(label, csv, file_name=name, mime="text/csv", key=key, on_click="ignore")
