"""``python -m benchmarks``: the speed of the generated code."""

from .speed import main

raise SystemExit(main())
