"""Adds the spread of an ensemble to a card: ``python scripts/compact_spread.py CARD.json [RUNS_OR_CSV...]``.

RUNS: folders of runs of one swept device, one a seed, with RESET and SET repeated; CSV: such an ensemble as
``ionsim.compact.extraction.cycles.write_ensemble`` wrote it. The spread is laid about what the card's model shows under
its own sweep, and the ensemble is written beside the card as ``ensemble.csv``. Universal metrics that the card has not
are filled in, without an ensemble from its pulse trains.
"""

import sys
from functools import reduce
from pathlib import Path

from ionsim.compact.card import load_card
from ionsim.compact.extraction.cycles import Ensemble, observe, read_ensemble, write_ensemble
from ionsim.compact.extraction.experiments import measurement
from ionsim.compact.extraction.spread import complete, with_spread
from ionsim.results import Run


def ensemble(source: Path) -> Ensemble:
    """What a CSV file, or complete runs below a folder, hold."""
    if source.suffix == ".csv":
        return read_ensemble(source)
    runs = [Run.open(path) for path in sorted(source.rglob("run.h5"))]
    return observe([measurement(run, "spread") for run in runs if run.status == "complete"])


def main() -> None:
    """Read, add, write, say what was found."""
    target, sources = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    card = load_card(target)
    if sources:
        found = reduce(Ensemble.joined, map(ensemble, sources))
        card, notes = with_spread(card, found)
        sys.stdout.write("\n".join(notes) + "\n")
        write_ensemble(target.parent / "ensemble.csv", found)
    complete(card, []).save(target)


if __name__ == "__main__":
    main()
