"""Threshold switching of amorphous bridges: S-shaped curves, threshold and hold against length and temperature.

The phase is frozen and each point is a steady state: what is shown is the electronic and thermal switch alone. A load
resistor makes every point of the S a stable one; with none the current jumps.

python scripts/pcm_threshold.py --length 30 --length 60 --length 100
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import fem
from ionsim.config.pcm import PcmDevice
from ionsim.devices.pcm import Pcm
from ionsim.errors import expected_errors
from ionsim.plots.style import new_figure, save, styled

console = Console()
Array = NDArray[np.float64]

#: A step of the trace is halved while it would change log10 of the current by more than this; smallest step, V.
_DECADES, _LEAST_V = 0.15, 1e-5


@dataclass(frozen=True)
class Trace:
    """A characteristic: applied voltage (n,), voltage of the cell (n,), current (n,), largest temperature (n,)."""

    applied_V: Array
    cell_V: Array
    current_A: Array
    hottest_K: Array

    @property
    def threshold(self) -> int:
        """Index of the largest voltage across the cell before it first falls; -1 without a fall."""
        falls = np.flatnonzero(np.diff(self.cell_V) < 0.0)
        return int(falls[0]) if falls.size else -1

    @property
    def hold(self) -> int:
        """Index of the least voltage of the ON branch, beyond the threshold; -1 without one."""
        first = self.threshold
        return -1 if first < 0 else first + int(np.argmin(self.cell_V[first:]))


def bridge(material: str, length_nm: float, ambient_K: float, size_nm: float) -> PcmDevice:
    """An amorphous bridge of 50 nm width and 20 nm thickness."""
    return PcmDevice.model_validate({
        "name": f"{material} bridge", "family": "pcm", "ambient_K": ambient_K,
        "geometry": {"kind": "line_cell", "length_nm": length_nm, "size_nm": size_nm},
        "phase_change": {"material": material, "initial": "amorphous"},
        "drive": {"kind": "constant", "voltage_V": 0.1, "duration_s": 1e-9},
    })  # fmt: skip


def trace(cell: Pcm, series_ohm: float, last_A: float, back: bool = True) -> tuple[Trace, Trace]:
    """The characteristic up to a current, and back down through the same applied voltages.

    Steps are halved where the current would change much or no steady state is found. Raises FemError when a step of
    10 uV fails as well, or the current jumps, as it does with a small load.
    """
    problem, share = cell.problem, cell.cell.share

    def solve(applied_V: float) -> tuple[float, float, float, float]:
        state = problem.steady(applied_V, series_ohm=series_ohm * share)
        return applied_V, state.cell_V, state.current_A * share, cell.halo.maximum(float(problem.temperature_K.max()))

    def rise(step_V: float) -> list[tuple[float, float, float, float]]:
        size_V, found = step_V, [solve(0.5 * step_V)]
        while found[-1][2] < last_A:
            saved = problem.save()
            try:
                row = solve(found[-1][0] + size_V)
                far = abs(np.log10(row[2] / found[-1][2])) > _DECADES
            except fem.FemError:
                far = True
                if size_V < _LEAST_V:
                    raise
            if far:
                problem.restore(saved)
                size_V *= 0.5
                if size_V < _LEAST_V:
                    raise fem.FemError(f"the current jumps at {found[-1][0]:.4g} V: take a larger load")
                continue
            found.append(row)
            size_V = min(1.5 * size_V, max(step_V, 0.05 * row[0]))
        return found

    up = rise(0.1)
    down = [solve(row[0]) for row in up[:0:-1]] if back else [up[-1]]
    return Trace(*np.array(up).T), Trace(*np.array(down[::-1]).T)


def jump(cell: Pcm, threshold_V: float) -> tuple[float, float]:
    """Current just below the threshold and just above it without any resistor, A; nan where nothing steady is there.

    Above, the temperature runs away: it is followed in time up to the melting point.
    """
    problem, share = cell.problem, cell.cell.share
    problem.temperature_K = np.full(cell.halo.local, cell.device.ambient_K)
    below = problem.steady(0.98 * threshold_V).current_A * share
    control = fem.TimeControl(0.0, 1e-5, 1e-11, dt_min_s=1e-16, limits={"temperature_K": 50.0})
    current_A = below
    while not control.finished and problem.temperature_K.max() < cell.device.phase("melting_K"):
        step = control.advance(lambda dt_s: problem.attempt(dt_s, 1.02 * threshold_V))
        current_A = step.attempt.result.current_A * share
    return below, current_A


def main(
    material: Annotated[str, typer.Option(help="Material set.")] = "GST-225",
    length: Annotated[list[float] | None, typer.Option(help="Length of the bridge, nm; repeatable.")] = None,
    ambient: Annotated[list[float] | None, typer.Option(help="Ambient temperature, K; repeatable.")] = None,
    series_ohm: Annotated[float, typer.Option(min=0.0, help="Load resistor.")] = 1e6,
    last_A: Annotated[float, typer.Option(min=0.0, help="Current at which the trace turns back.")] = 1.2e-3,
    size_nm: Annotated[float, typer.Option(min=0.5, help="Mesh size in the bridge.")] = 2.0,
    out: Annotated[Path, typer.Option(help="CSV file; the picture has its name.")] = Path("pcm_threshold.csv"),
) -> None:
    """Trace the characteristics of several lengths at 300 K, and of the middle length at other temperatures."""
    lengths_nm = sorted(length or [30.0, 60.0, 100.0])
    middle_nm = lengths_nm[len(lengths_nm) // 2]
    cases = [(one, 300.0) for one in lengths_nm]
    cases += [(middle_nm, one) for one in sorted(ambient or [275.0, 325.0, 350.0]) if one != 300.0]
    table = Table(
        "nm", "K", "Vth", "V/um", "uA", "T (K)", "Vh", "V/um", "uA", "T (K)", "n", "diff",
        title=f"{material}: threshold and hold, load {series_ohm:g} Ohm",
        padding=0, caption="Vth: threshold, Vh: hold; n: points up and back, diff: their largest difference in ln I",
    )  # fmt: skip
    found, lines = {}, []
    for length_nm, ambient_K in cases:
        begun = time.monotonic()
        cell = Pcm(bridge(material, length_nm, ambient_K, size_nm), np.random.SeedSequence(1))
        up, down = trace(cell, series_ohm, last_A)
        first, last = up.threshold, up.hold
        differ = float(np.abs(np.log(down.current_A / up.current_A[1:])).max())
        found[length_nm, ambient_K] = up
        cells = [f"{length_nm:g}", f"{ambient_K:g}"]
        for at in (first, last):
            cells += [f"{up.cell_V[at]:.2f}", f"{1e3 * up.cell_V[at] / length_nm:.1f}", f"{1e6 * up.current_A[at]:.3g}",
                      f"{up.hottest_K[at]:.0f}"]  # fmt: skip
        table.add_row(*cells, f"{len(up.applied_V) + len(down.applied_V)}", f"{differ:.0e}")
        console.print(f"  {length_nm:g} nm, {ambient_K:g} K: {up.cell_V[first]:.3f} V, "
                      f"{time.monotonic() - begun:.0f} s", style="dim")  # fmt: skip
        for way, sweep in (("up", up), ("down", down)):
            lines += [f"{length_nm:g},{ambient_K:g},{way}," + ",".join(f"{value:.8g}" for value in row)
                      for row in zip(sweep.applied_V, sweep.cell_V, sweep.current_A, sweep.hottest_K, strict=True)
                      ]  # fmt: skip
        if (length_nm, ambient_K) == (middle_nm, 300.0):
            jumped = jump(cell, float(up.cell_V[first]))
    console.print(table)
    thresholds_V = np.array([found[one, 300.0].cell_V[found[one, 300.0].threshold] for one in lengths_nm])
    if len(lengths_nm) > 1:
        slope, start = np.polyfit(lengths_nm, thresholds_V, 1)
        console.print(f"threshold voltage against length: {1e3 * slope:.1f} V/um, {start:.2f} V at no length")
    console.print(f"{middle_nm:g} nm without a resistor: {1e6 * jumped[0]:.3g} uA at 0.98 of the threshold voltage, "
                  f"runs away to {1e6 * jumped[1]:.3g} uA at 1.02 of it")  # fmt: skip
    header = "length_nm,ambient_K,way,applied_V,cell_V,current_A,hottest_K"
    out.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    with styled():
        figure = new_figure(7.2, 3.2)
        left, right = figure.subplots(1, 2)
        for (length_nm, ambient_K), up in found.items():
            axes, label = (left, f"{length_nm:g} nm") if ambient_K == 300.0 else (right, f"{ambient_K:g} K")
            axes.semilogy(up.cell_V, 1e6 * up.current_A, label=label)
        up = found[middle_nm, 300.0]
        right.semilogy(up.cell_V, 1e6 * up.current_A, label="300 K")
        left.set(title=f"{material}, 300 K")
        right.set(title=f"{material}, {middle_nm:g} nm")
        for axes in (left, right):
            axes.set(xlabel="voltage across the bridge (V)", ylabel="current (uA)", ylim=(1e-4, None))
            axes.legend(frameon=False)
        console.print(f"wrote {out} and {save(figure, out.with_suffix('.png'))}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"pcm_threshold: error: {error}", style="red")
        raise SystemExit(2) from None
