"""When nobody else uses the core: other guests of a shared machine take half of the speed of
memory, for some milliseconds at a time.

Whether it is quiet is seen from how long it takes to fill an array, never from what is measured:
that would choose the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

ENTRIES = 2**19  # 4 MB: more than the second cache, less than the last
LOUD = 1.2  # times the shortest time of the probe
PATIENCE = 0.5  # seconds of waiting and repeating for one measurement
LONGEST = 0.05  # measurements that take more seconds are not repeated: quiet does not last so long


class Quiet:
    """Measures in quiet moments, and counts in how many it succeeded."""

    def __init__(self) -> None:
        self.array = np.ones(ENTRIES)
        self.shortest = min(self._probe() for _ in range(5000))
        self.short, self.quiet = 0, 0

    def _probe(self) -> float:
        start = time.perf_counter()
        self.array.fill(1.0)
        return time.perf_counter() - start

    def now(self) -> bool:
        """Whether the core is ours at this moment."""
        found = min(self._probe(), self._probe())
        self.shortest = min(self.shortest, found)
        return found <= LOUD * self.shortest

    def measure(self, run: Callable[[], float], seconds: float) -> float:
        """What `run` finds, which takes about so many seconds, in a moment that is quiet before
        and after; in the last one if none is.
        """
        start = time.perf_counter()
        repeated = seconds <= LONGEST
        while True:
            while repeated and not self.now() and time.perf_counter() - start < PATIENCE:
                pass
            found = run()
            quiet = self.now()
            if quiet or not repeated or time.perf_counter() - start >= PATIENCE:
                self.short, self.quiet = self.short + repeated, self.quiet + (quiet and repeated)
                return found

    def report(self) -> str:
        return (
            f"timings of at most {LONGEST * 1000:.0f} ms: {self.short}, of them in a quiet "
            f"moment: {self.quiet / max(self.short, 1):.0%}"
        )
