"""``python -m ionsim.bench``: one job, for :func:`ionsim.bench.child.run`."""

import sys

from ionsim.bench.child import main

main(sys.argv[1:])
