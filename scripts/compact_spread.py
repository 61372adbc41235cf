"""Adds the spread of an ensemble to a card: ``python scripts/compact_spread.py CARD.json [RUNS_OR_CSV...]``.

RUNS: folders of runs of one swept device, one a seed, with RESET and SET repeated; CSV: such an ensemble as
``ionsim.compact.extraction.spread.write_rows`` wrote it. The spread is laid about what the card's model shows under its
own sweep, and the ensemble is written beside the card as ``ensemble.csv``. Universal metrics that the card has not are
filled in, without an ensemble from its pulse trains.
"""

import sys
from pathlib import Path

import numpy as np

from ionsim.compact.card import load_card
from ionsim.compact.extraction.experiments import measurement
from ionsim.compact.extraction.spread import SCALES, complete, observe, read_rows, with_spread, write_rows
from ionsim.results import Run


def main() -> None:
    """Read, add, write, say what was found."""
    target, sources = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    rows, seeds = [], []
    for source in sources:
        if source.suffix == ".csv":
            some, of = read_rows(source)
        else:
            runs = [Run.open(path.parent) for path in sorted(source.rglob("run.h5"))]
            some, of = observe([measurement(run, "spread") for run in runs if run.status == "complete"])
        rows.append(some)
        seeds.append(of)
    card = load_card(target)
    if rows:
        table, devices = np.concatenate(rows), np.concatenate(seeds)
        card, notes = with_spread(card, table, devices, SCALES[card.family])
        sys.stdout.write("\n".join(notes) + "\n")
        write_rows(target.parent / "ensemble.csv", table, devices)
    complete(card, []).save(target)


if __name__ == "__main__":
    main()
