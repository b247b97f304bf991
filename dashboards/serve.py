"""`streamlit run app.py`, with what every page imports loaded before the first visitor comes.

python dashboards/serve.py --server.port 8501 -- --store sqlite:///results/judgebench.db
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

PAGES_IMPORT = (
    "altair",
    "pandas.io.formats.style",
    "judgebench.report.leaderboard",
    "judgebench.store",
)


def main(options: list[str]) -> None:
    """Serve until it is stopped; ``options`` are those of `streamlit run`."""
    for name in PAGES_IMPORT:
        importlib.import_module(name)
    from streamlit.web import cli

    sys.argv = ["streamlit", "run", str(Path(__file__).with_name("app.py")), *options]
    cli.main()


if __name__ == "__main__":
    main(sys.argv[1:])
