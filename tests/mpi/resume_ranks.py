"""Run by test_resume_families on several ranks: runs that are stopped and gone on with, against runs that are not.

argv: a folder, the seed, names of resume_devices. Into found.json there go, by name, [differences, stops, points].
"""

import json
import sys
from pathlib import Path

from mpi4py import MPI

sys.path.insert(0, str(Path(__file__).parents[1]))

from resume_checks import broken, differences
from resume_devices import DEVICES

import ionsim


def main(folder: Path, seed: int, names: list[str]) -> None:
    """Compare all of them."""
    found = {}
    for name in names:
        make, every = DEVICES[name]
        one = ionsim.Simulation(make(), seed=seed).run(folder / name / "one")
        two, stops = broken(make(), seed, folder / name / "two", every)
        found[name] = [differences(one, two), stops, len(one.series["time_s"])]
    if MPI.COMM_WORLD.rank == 0:
        (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")


main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
