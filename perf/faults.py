"""Nothing paid twice, nothing lost: the fault tests of `tests/faults`, at full size.

20,000 judgments against a server that fails in every way; a run killed at each of its steps in
turn; 10,000 stored replies under a changed reader. Takes up to ten minutes, most of it waiting
between attempts. Ends with 1 where something does not hold.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.faults import kill_points, many_judgments, reread

JUDGMENTS = 20_000
ITEMS = 6
REPLIES = 10_000


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("many", "killed", "reread"):
            (folder / part).mkdir()
        figures = many_judgments.measure(folder / "many", JUDGMENTS)
        print(many_judgments.report(figures))
        if wrong := many_judgments.violations(figures):
            print("\n".join(["does NOT hold:", *wrong]))
            return 1
        print(kill_points.kill_at_every_step(folder / "killed", items=ITEMS))
        again = reread.reread(folder / "reread", REPLIES)
        print(again)
        print(f"on {platform.platform()}")
        return 1 if again.asked_again else 0


if __name__ == "__main__":
    sys.exit(main())
