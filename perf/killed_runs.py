"""The killed run of the tests, with four times as many kills: nothing lost, nothing paid twice.

The test checks after every kill that no question is asked again whose reply was kept, that no
process is left, and at the end that the board is that of an undisturbed run.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

KILLS = 200
TEST = "tests/e2e/test_killed_runs.py"


def main() -> int:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", TEST, "--timeout", "3600"],
        cwd=Path(__file__).resolve().parents[1],
        env={**os.environ, "JUDGEBENCH_KILLS": str(KILLS)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout)
        return done.returncode
    said = next(line for line in done.stdout.splitlines() if " kills, " in line)
    seconds = time.monotonic() - began
    print(f"{said.strip('.')}; no question asked twice whose reply was kept, no process left")
    print(f"behind, same board as an undisturbed run; {seconds:.0f} s on {platform.platform()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
