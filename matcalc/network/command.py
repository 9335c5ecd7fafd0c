"""The command ``matcalc network``: the back-propagation of a network on stdout, the verdict on
stderr.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .module import TARGETS
from .network import Network
from .vocabulary import ACTIVATIONS, LOSSES

EXAMPLES = """examples:
  matcalc network 784-128-64-10                              one sample as a column
  matcalc network 784-128-64-10 --batch --explain            a batch as rows, step by step
  matcalc network 64-32-1 --activation tanh --loss logistic  another network
  matcalc network 64-32-10 --to numpy > network.py           as a program that needs numpy only"""


def network(argv: Sequence[str]) -> int:
    """Run the command; the exit status is 0 if every line is verified."""
    options = _parser().parse_args(argv)
    found = Network(
        "-".join(options.widths),
        options.activation,
        options.loss,
        options.output,
        batch=options.batch,
    )
    if options.explain:
        print(found.explain())
    elif options.to in ("latex", "text"):
        print(found.latex() if options.to == "latex" else found)
    else:
        print(found.source(options.to), end="")
    print(found.recursion.verdict, file=sys.stderr)
    return 0 if found.recursion.verified else 1


def _parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="matcalc network", description=EXAMPLES, formatter_class=plain, allow_abbrev=False
    )
    parser.add_argument(
        "widths",
        nargs="+",
        metavar="WIDTHS",
        help="the widths of the layers, such as 784-128-64-10",
    )
    parser.add_argument(
        "--activation",
        choices=list(ACTIVATIONS),
        default="relu",
        help="between the layers (default: relu)",
    )
    parser.add_argument(
        "--loss",
        choices=list(LOSSES),
        default="cross_entropy",
        help="default: cross_entropy, of the softmax of the last z",
    )
    parser.add_argument(
        "--output",
        choices=list(ACTIVATIONS),
        default="linear",
        help="activation of the last layer (default: linear)",
    )
    parser.add_argument(
        "--batch", action="store_true", help="many samples, as the rows of a matrix"
    )
    parser.add_argument("--explain", action="store_true", help="show each derivation step by step")
    parser.add_argument(
        "--to",
        choices=("text", "latex", *TARGETS),
        default="text",
        help="what to print (default: text)",
    )
    return parser
