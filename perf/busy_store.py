"""Nothing paid for is lost to another writer: `tests/faults/busy_store.py`, at full size.

    python perf/busy_store.py [--hold 100] [--rows 1000000]

A run with 64 calls under way, while its store is held for 100 s by another program (an SQLite
transaction) and by another judgebench (the writer's turn), and while a file of a million verdicts
is imported. Takes ten to twenty minutes. Ends with 1 where a reply was lost or asked for twice.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.faults.busy_store import Figures, held, imported

JUDGMENTS = 2_000
BESIDE_IMPORT, DELAY_S = 9_600, 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hold", type=float, default=100.0, help="seconds")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the imported file")
    options = parser.parse_args()
    whole = True

    def tell(what: str, measure: Callable[[Path], Figures]) -> None:
        nonlocal whole
        with tempfile.TemporaryDirectory() as folder:
            found = measure(Path(folder))
        print(f"{what}\n  {found.report()}", flush=True)
        if found.imported:
            print(f"  {found.imported}", flush=True)
        whole &= (found.code, found.twice, found.lost) == (0, 0, 0)

    if options.hold:
        for how in ("by another program", "by the writer's turn"):
            tell(
                f"the store held for {options.hold:.0f} s {how}",
                partial(held, judgments=JUDGMENTS, hold_s=options.hold, how=how),
            )
    if options.rows:
        tell(
            f"an import of {options.rows:,} verdicts",
            lambda folder: imported(folder, BESIDE_IMPORT, options.rows, DELAY_S),
        )
    print(f"on {platform.platform()}")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
