"""Adds the spread of an ensemble to a card: ``python scripts/compact_spread.py CARD.json [RUNS_OR_CSV...]``.

RUNS: folders of runs of one device, one a seed, with RESET and SET repeated; CSV: such an ensemble as
``ionsim.compact.extraction.cycles.write_ensemble`` wrote it. Without either: ``ensemble.csv`` beside the card, where it
is there. The spread is laid about what the card's model shows under its own drive, and the ensemble is written
beside the card. Trains of pulses in the runs go to ``trains.json`` beside the card, and into a card that has none.
Universal metrics that the card has not are filled in from all that and from its held-out traces.
"""

import json
import sys
from functools import reduce
from pathlib import Path

import numpy as np

from ionsim.compact.card import Card, load_card, make_card
from ionsim.compact.cardparts import PulseTrain
from ionsim.compact.extraction.cycles import Ensemble, observe, read_ensemble, write_ensemble
from ionsim.compact.extraction.ensembles import trains_of
from ionsim.compact.extraction.experiments import measurement
from ionsim.compact.extraction.extract import extraction_of
from ionsim.compact.extraction.protocol import Fitted, Measurement
from ionsim.compact.extraction.spread import ENOUGH, complete, with_spread
from ionsim.compact.extraction.traces import read_traces
from ionsim.results import Run
from ionsim.results.atomic import write_text


def read(source: Path) -> tuple[Ensemble, list[PulseTrain]]:
    """Cycles and trains of a CSV file, or of complete runs below a folder."""
    if source.suffix == ".csv":
        return read_ensemble(source), []
    runs = [Run.open(path) for path in sorted(source.rglob("run.h5"))]
    measured = [measurement(run, "spread") for run in runs if run.status == "complete"]
    return observe(measured), trains_of(measured)


def times(card: Card, measured: list[Measurement]) -> list[tuple[str, bool, float, float]]:
    """Switching times of held-out traces, where the family has them."""
    method = getattr(extraction_of(card.family), "switching_times", None)
    fitted = Fitted(card.values(), (), np.zeros((0, 0)), {}, 0.0, 0.0)
    return [] if method is None or not measured else method(fitted, measured)


def main() -> None:
    """Read, add, write, say what was found."""
    target, sources = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    card, beside, kept = load_card(target), target.parent / "ensemble.csv", target.parent / "trains.json"
    if not sources and beside.is_file():
        sources = [beside]
    found = [read(source) for source in sources]
    if trains := [train.model_dump(mode="json") for _, some in found for train in some]:
        write_text(kept, json.dumps(trains, indent=1) + "\n")
    if not card.pulses and kept.is_file():
        card = make_card(card.model_dump(mode="json") | {"pulses": json.loads(kept.read_text(encoding="utf-8"))})
    ensembles = [some for some, _ in found if some.whole.any()]
    if ensembles and (ensemble := reduce(Ensemble.joined, ensembles)).whole.sum() >= ENOUGH:
        card, notes = with_spread(card, ensemble)
        sys.stdout.write("\n".join(notes) + "\n")
        write_ensemble(beside, ensemble)
    folder = target.parent / "heldout"
    measured = read_traces(folder) if folder.is_dir() else []
    complete(card, measured, times(card, measured)).save(target)


if __name__ == "__main__":
    main()
