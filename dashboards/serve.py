"""`streamlit run app.py`, with what every page needs loaded before the first visitor comes.

python dashboards/serve.py --server.port 8501 -- --store sqlite:///results/judgebench.db
"""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path

PAGES_IMPORT = (
    "altair",
    "pandas.io.formats.style",
    "streamlit.emojis",
    "judgebench.exchange.labelling",
    "judgebench.report.compare",
    "judgebench.report.confidence_choice",
    "judgebench.report.leaderboard",
    "judgebench.report.nights",
    "judgebench.report.training",
    "judgebench.run.plan",
    "judgebench.store",
    "judgebench.store.item_history",
    "judgebench.store.search_places",
)


def main(options: list[str]) -> None:
    """Serve until it is stopped; ``options`` are those of `streamlit run`."""
    warm()
    from streamlit.web import cli

    sys.argv = ["streamlit", "run", str(Path(__file__).with_name("app.py")), *options]
    cli.main()


def warm() -> None:
    """Have done once what takes longer the first time, half a second of a first page in all."""
    for name in PAGES_IMPORT:
        importlib.import_module(name)
    import charts
    import pandas as pd
    import pyarrow as pa

    rows = pd.DataFrame(
        {"name": "one", "value": 0.5, "low": 0.4, "high": 0.6, "note": "n 1", "tone": "rest"}, [0]
    )
    charts.intervals(rows, charts.axis_of("accuracy", rows), charts.INK["light"]).to_dict()
    pa.Table.from_pandas(rows)
    inspect.stack()  # Streamlit asks so whether it runs in a shell: it looks into every module


if __name__ == "__main__":
    main(sys.argv[1:])
