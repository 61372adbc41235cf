"""Running the experiments of an extraction: each with its seeds in DIR/runs/NAME/seed_n; finished ones are read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ionsim.compact.description import CompactError
from ionsim.compact.extraction.protocol import Experiment, Measurement
from ionsim.config import Device
from ionsim.results import Run
from ionsim.results.atomic import write_text
from ionsim.results.model import RUN_FILE

#: Called when a run is there: experiment, seed, wall time in s (of the run itself), whether it was there before.
OnRun = Callable[[Experiment, int, float, bool], None]


def run_experiments(
    plan: Sequence[Experiment], out: str | Path, workers: int | None = 1, on_run: OnRun | None = None
) -> list[Measurement]:
    """Run what is not finished under ``out``/runs, and read all of it back, in the plan's order.

    Raises CompactError for two experiments of one name, IonsimError where a run fails or a folder holds another device.
    """
    names = [experiment.name for experiment in plan]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CompactError(f"plan: two experiments named {', '.join(twice)}")
    found = []
    for experiment in plan:
        found += _run(experiment, Path(out) / "runs" / experiment.name, workers, on_run)
    return found


def _run(experiment: Experiment, folder: Path, workers: int | None, on_run: OnRun | None) -> list[Measurement]:
    from ionsim.simulation import ensemble  # with it come MPI and the solvers, which a plan can do without

    before = {seed for seed in experiment.seeds if _finished(folder / f"seed_{seed}")}
    begun = time.monotonic()

    def done(seed: int, summary: dict[str, Any]) -> None:
        if on_run is not None:
            on_run(experiment, seed, float(summary.get("wall_time_s", time.monotonic() - begun)), seed in before)

    folder.mkdir(parents=True, exist_ok=True)
    heading = f'name,role,kind,what\n{experiment.name},{experiment.role},{experiment.kind},"{experiment.what}"\n'
    write_text(folder / "experiment.csv", heading)
    ensemble(experiment.device, experiment.seeds, folder, workers=workers, on_done=done)
    return [
        measurement(Run.open(folder / f"seed_{seed}"), experiment.role, experiment.kind,
                    experiment.name if len(experiment.seeds) == 1 else f"{experiment.name}_seed{seed}")
        for seed in experiment.seeds
    ]


def _finished(folder: Path) -> bool:
    return (folder / RUN_FILE).exists() and Run.open(folder).status == "complete"


def measurement(run: Run, role: Any = "fit", kind: str = "sweep", name: str | None = None) -> Measurement:
    """What a finished run measured; raises CompactError for a run that is not complete."""
    if run.status != "complete":
        raise CompactError(f"{run.path}: status = {run.status!r}: a complete run is needed")
    return Measurement(
        name=name or run.folder.name,
        role=role,
        kind=kind,
        seed=run.seed,
        device=Device.from_toml(run.input_toml),
        series=run.series,
        stages=run.stages,
        run=run,
    )
