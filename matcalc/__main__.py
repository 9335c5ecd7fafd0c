"""``python -m matcalc``."""

from .cli import main

raise SystemExit(main())
