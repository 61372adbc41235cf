"""Adds the spread of an ensemble to a card: ``python scripts/compact_spread.py CARD.json RUNS_OR_CSV...``.

RUNS: folders of runs of one swept device, one a seed, RESET and SET repeated (``extraction.spread.ensemble_of``); CSV: such an ensemble as ``write_rows`` wrote it. The spread is laid about what the card's model shows under
its own sweep. The ensemble is written beside the card as ``ensemble.csv``.
"""

import sys
from pathlib import Path

import numpy as np

from ionsim.compact.card import load_card
from ionsim.compact.extraction.experiments import measurement
from ionsim.compact.extraction.spread import SCALES, observe, read_rows, with_spread, write_rows
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
    scales = {name: scale for name, scale in SCALES[card.family].items() if name in card.values()}
    changed, notes = with_spread(card, np.concatenate(rows), np.concatenate(seeds), scales)
    sys.stdout.write("\n".join(notes) + "\n")
    write_rows(target.parent / "ensemble.csv", np.concatenate(rows), np.concatenate(seeds))
    changed.save(target)


if __name__ == "__main__":
    main()
