"""How the pages fit a narrow window: what Streamlit leaves empty, or puts beside each other, moves.

From 800 pixels on no number is cut. A drawing needs `DRAWING_PX`, and tables what their first
columns take, so that the navigation goes above the page where both would not fit.
"""

from __future__ import annotations

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
