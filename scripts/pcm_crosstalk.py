"""Thermal crosstalk in an array of phase-change cells: what a RESET does to the neighbours, against the pitch.

One cell of a 2 x 2 array is RESET; the temperature of each of the other three is followed through pulse and cooling.
From it follows what many such pulses would do to a neighbour that is amorphous: a pulse moves its crystal front by the
integral of u(T(t)) and bears the integral of I(T(t)) nuclei per volume, at the hottest point of the neighbour. After N
pulses a dome of glass has lost 1 - (1 - g/r)^3 exp(-pi/3 n g^3), with g = N int u dt, n = N int I dt and the dome's
radius r: all of it is taken to be as hot as its hottest point, pulses are taken to add up and not to change the dome.

python scripts/pcm_crosstalk.py --pitch 60 --pitch 80 --pitch 100 --pitch 140
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
from ionsim.drive import Circuit
from ionsim.errors import expected_errors
from ionsim.materials.crystallisation import Crystallisation
from ionsim.plots.style import new_figure, save, styled

console = Console()
Array = NDArray[np.float64]

#: Neighbours of the selected cell 0_0: what they share with it, and their names.
NEIGHBOURS = {"same word line": "cell_0_1", "same bit line": "cell_1_0", "diagonal": "cell_1_1"}

#: Radius of the neighbour's dome of glass, nm: chosen, the width of its heater.
_DOME_NM = 20.0


@dataclass(frozen=True)
class Lost:
    """What N pulses do to a dome of glass: way of its front (nm), nuclei per nm^3, crystallised share (0 to 1)."""

    front_nm: float
    nuclei_per_nm3: float
    share: float


def lost(kinetics: Crystallisation, times_s: Array, kelvin: Array, pulses: float, dome_nm: float = _DOME_NM) -> Lost:
    """What ``pulses`` times the temperatures (n,) at times (n,) would do; trapezoids."""
    grown_nm = pulses * 1e9 * float(np.trapezoid(kinetics.velocity_m_per_s(kelvin), times_s))
    nuclei = pulses * 1e-27 * float(np.trapezoid(kinetics.nucleation_per_m3s(kelvin), times_s))
    kept = max(1.0 - grown_nm / dome_nm, 0.0) ** 3 * np.exp(-np.pi / 3.0 * nuclei * grown_nm**3)
    return Lost(grown_nm, nuclei, float(1.0 - kept))


def pulse(cell: Pcm, amplitude_V: float, series_ohm: float, points: int = 12) -> tuple[Array, dict[str, Array], float]:
    """A RESET of 50 ns and 100 ns of cooling: times (n,), hottest temperature (n,) of each neighbour, melted share."""
    regions = {name: cell.problem.volume_m3(name) > 0.0 for name in NEIGHBOURS.values()}
    circuit = Circuit(series_ohm, None)
    stages = ((3e-9, amplitude_V, 3), (44e-9, amplitude_V, points), (3e-9, 0.0, 3))
    times_s, found = [0.0], {name: [cell.device.ambient_K] for name in regions}
    ends = [(cell.time_s + length_s * (k + 1) / count, begin_V + (end_V - begin_V) * (k + 1) / count)
            for begin_V, (length_s, end_V, count) in zip((0.0, amplitude_V, amplitude_V), stages, strict=True)
            for k in range(count)]  # fmt: skip
    offsets = np.repeat(np.cumsum([0.0, *(stage[0] for stage in stages[:-1])]), [stage[2] for stage in stages])
    ends = [(until_s + offset, volts) for (until_s, volts), offset in zip(ends, offsets, strict=True)]
    last_s = ends[-1][0]
    ends += [(last_s + after_s, 0.0) for after_s in np.geomspace(1e-9, 100e-9, 8)]
    melted = 1.0
    for until_s, volts in ends:
        cell.advance(until_s, volts, circuit)
        times_s.append(until_s)
        melted = min(melted, cell.crystalline_share)
        for name, inside in regions.items():
            found[name].append(cell.halo.maximum(float(cell.problem.temperature_K[inside].max(initial=0.0))))
    return np.array(times_s), {name: np.array(values) for name, values in found.items()}, 1.0 - melted


def array(pitch_nm: float, size_nm: float, margin_nm: float, material: str, ambient_K: float = 300.0) -> PcmDevice:
    """Two word lines and two bit lines; the cell at the first crossing is driven."""
    return PcmDevice.model_validate({
        "name": "crosstalk", "family": "pcm", "ambient_K": ambient_K,
        "geometry": {
            "kind": "pcm_array", "rows": 2, "columns": 2, "selected_row": 0, "selected_column": 0,
            "pitch_nm": pitch_nm, "margin_nm": margin_nm, "size_nm": size_nm, "growth": 1.4,
        },
        "phase_change": {"material": material}, "crystallisation": {"nucleation": False},
        "drive": {"kind": "constant", "voltage_V": 0.1, "duration_s": 1e-9},
    })  # fmt: skip


def main(
    pitch: Annotated[list[float] | None, typer.Option(help="Pitch, nm; repeatable.")] = None,
    amplitude_V: Annotated[float, typer.Option(help="Voltage of the RESET pulse.")] = 1.0,
    series_ohm: Annotated[float, typer.Option(min=0.0, help="Series resistor.")] = 1e3,
    pulses: Annotated[float, typer.Option(min=1.0, help="Pulses to extrapolate to.")] = 1e5,
    size_nm: Annotated[float, typer.Option(min=1.0, help="Mesh size in the cells.")] = 6.0,
    margin_nm: Annotated[float, typer.Option(min=30.0, help="From the crossings to the sides.")] = 100.0,
    material: Annotated[str, typer.Option(help="Material set.")] = "GST-225",
    ambient: Annotated[float, typer.Option(min=200.0, help="Ambient temperature, K.")] = 300.0,
    out: Annotated[Path, typer.Option(help="CSV file; the picture has its name.")] = Path("pcm_crosstalk.csv"),
) -> None:
    """One RESET for each pitch."""
    pitches_nm = sorted(pitch or [60.0, 80.0, 100.0, 140.0])
    table = Table("pitch", "neighbour", "T peak (K)", "share of heating", "front (nm)", "nuclei", "lost",
                  title=f"{material}: {pulses:g} RESET pulses of 50 ns, {amplitude_V:g} V, {ambient:g} K", padding=0,
                  caption=f"front, nuclei in and lost share of a dome of {_DOME_NM:g} nm after all pulses")  # fmt: skip
    lines, curves, peaks = [], {}, {}
    for pitch_nm in pitches_nm:
        begun = time.monotonic()
        cell = Pcm(array(pitch_nm, size_nm, margin_nm, material, ambient), np.random.SeedSequence(1))
        cell.initialise()
        times_s, kelvins, melted = pulse(cell, amplitude_V, series_ohm)
        console.print(f"  {pitch_nm:g} nm: {cell.halo.size} nodes, {cell.problem.method}, own {cell.peak_K:.0f} K, "
                      f"melted {melted:.3f} of all cells, {cell.n_steps} steps, {time.monotonic() - begun:.0f} s",
                      style="dim")  # fmt: skip
        for what, name in NEIGHBOURS.items():
            kelvin = kelvins[name]
            found = lost(cell.cell.kinetics, times_s, kelvin, pulses)
            volume_nm3 = 2.0 / 3.0 * np.pi * _DOME_NM**3
            table.add_row(f"{pitch_nm:g}", what, f"{kelvin.max():.0f}",
                          f"{(kelvin.max() - ambient) / (cell.peak_K - ambient):.3f}", f"{found.front_nm:.1e}",
                          f"{found.nuclei_per_nm3 * volume_nm3:.1e}", f"{found.share:.1e}")  # fmt: skip
            lines += [f"{pitch_nm:g},{name},{when:.6g},{value:.6g}"
                      for when, value in zip(times_s, kelvin, strict=True)]  # fmt: skip
            peaks.setdefault(what, []).append(kelvin.max())
            if what == "same word line":
                curves[pitch_nm] = (times_s, kelvin)
    console.print(table)
    out.write_text("\n".join(["pitch_nm,cell,time_s,hottest_K", *lines]) + "\n", encoding="utf-8")
    with styled():
        figure = new_figure(7.2, 3.0)
        left, right = figure.subplots(1, 2)
        for pitch_nm, (times_s, kelvin) in curves.items():
            left.plot(1e9 * times_s, kelvin, label=f"{pitch_nm:g} nm")
        left.set(xlabel="time (ns)", ylabel="hottest point of the neighbour (K)", title="same word line")
        for what, values in peaks.items():
            right.plot(pitches_nm, values, "o-", markersize=3, label=what)
        right.set(xlabel="pitch (nm)", ylabel="peak temperature of the neighbour (K)")
        for axes in (left, right):
            axes.legend(frameon=False)
        console.print(f"wrote {out} and {save(figure, out.with_suffix('.png'))}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except (*expected_errors(), fem.FemError) as error:
        console.print(f"pcm_crosstalk: error: {error}", style="red")
        raise SystemExit(2) from None
