"""Crystallisation of a mushroom cell's amorphous dome: time against temperature, SET pulses, cooling rates.

python scripts/pcm_set.py --part isothermal --part pulses --part quench
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import fem
import meshes
from ionsim.analysis.pcm_pulses import COARSE, Outcome, Shape, circuit, disordered_nm3, fall, pulse, started
from ionsim.analysis.pcm_pulses import row as numbers
from ionsim.config import PcmDevice, load
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.materials.crystallisation import Crystallisation
from ionsim.plots.style import BLUE, GREEN, VERMILLION, new_figure, save, styled

console = Console()

Floats = NDArray[np.float64]

#: Dome: half a ball of this radius, in a crystal twice as large; sizes of mesh and front in nm.
_SIZE_NM, _WIDTH_NM = 1.5, 1.5

#: A dome of which this share is crystalline is done.
_DONE = 0.999

_TEMPERATURES_K = (450, 475, 500, 525, 550, 575, 600, 625, 650, 675, 700, 725, 750, 775, 800, 825, 850, 870, 885)
_RATES_K_PER_S = (1e8, 3e8, 1e9, 3e9, 1e10, 2e10, 3e10, 5e10, 1e11, 1e12)
_AMPLITUDES_V = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
_WIDTHS_NS = (50.0, 100.0, 200.0, 500.0, 1000.0)

#: Times of an isothermal run grow by this factor, and a temperature ramp is cut into steps of that many K.
_GROWTH, _STEP_K = 1.05, 2.0


class Dome:
    """A half ball of glass or melt of the device's material, phase only: the temperature is uniform and given.

    ``surrounded``: by crystal of the same material; else nothing crystalline touches it, and only nuclei begin.
    """

    def __init__(self, device: PcmDevice, radius_nm: float, surrounded: bool, nuclei: bool, seed: int) -> None:
        outer_nm = radius_nm + (12.0 * _WIDTH_NM if surrounded else 0.0)
        mesh = meshes.build(
            "pillar",
            {
                "radius_nm": outer_nm,
                "phase_change_nm": outer_nm,
                "size_nm": _SIZE_NM,
                "growth": 2.5,
                "largest_nm": 40.0,
                "outer_radius_nm": 2.0 * outer_nm,
                "bottom_nm": 20.0,
                "top_nm": 20.0,
            },
        )
        kinetics, keys = Crystallisation.of(device.phase), device.crystallisation
        # melting from grain boundaries is not looked at: the dome begins molten
        front = fem.PhaseFront(mesh, "phase_change", kinetics.velocity_m_per_s, _WIDTH_NM)
        inside_nm = front.elements.x_nm
        base_nm = inside_nm[front.inside, 1].min()
        self.distance_nm = np.hypot(inside_nm[:, 0], inside_nm[:, 1] - base_nm) - radius_nm
        front.set_distance(self.distance_nm if surrounded else np.full(self.distance_nm.shape, -100.0))
        self.front = front
        self.phase: fem.PhaseFront | fem.Nucleation = front
        if nuclei:
            self.phase = fem.Nucleation(
                front,
                lambda kelvin: keys.rate_factor * kinetics.nucleation_per_m3s(kelvin),
                seed,
                keys.nucleus_radius_nm,
            )
        self._dome = front.volume_m3 * (self.distance_nm < 0.0)
        self._begin = self._sum()

    @property
    def crystalline(self) -> float:
        """Share of the dome that has crystallised."""
        return (self._sum() - self._begin) / (float(self._dome.sum()) - self._begin)

    def advance(self, dt_s: float, begin_K: float, end_K: float) -> None:
        """Go on at a uniform temperature that changes linearly."""
        ones = np.ones(self.front.halo.local)
        self.phase.advance(dt_s, begin_K * ones, end_K * ones)

    def _sum(self) -> float:
        return float((self.front.value * self._dome).sum())


def isothermal_s(dome: Dome, kelvin: float, share: float, first_s: float, longest_s: float) -> float:
    """Time until a share of the dome is crystalline; nan if longer."""
    time_s, dt_s, before = 0.0, first_s, (0.0, 0.0)
    while time_s < longest_s:
        dome.advance(dt_s, kelvin, kelvin)
        time_s += dt_s
        now = dome.crystalline
        if now >= share:
            return before[0] + (share - before[1]) / (now - before[1]) * (time_s - before[0])
        before = (time_s, now)
        dt_s = max(first_s, (_GROWTH - 1.0) * time_s)
    return float("nan")


def isothermal(
    device: PcmDevice, temperatures_K: Sequence[float], radius_nm: float, share: float, seeds: int
) -> dict[str, Floats]:
    """Times (temperatures, seeds) by kind of dome: growth from its rim, nuclei alone, both."""
    velocity = Crystallisation.of(device.phase).velocity_m_per_s(np.array(temperatures_K))
    found: dict[str, Floats] = {}
    for kind, surrounded, nuclei in (("rim", True, False), ("nuclei", False, True), ("both", True, True)):
        repeats = seeds if nuclei else 1
        times_s = np.full((len(temperatures_K), repeats), np.nan)
        for row, kelvin in enumerate(temperatures_K):
            crossing_s = 1e-9 * radius_nm / float(velocity[row])
            for column in range(repeats):
                dome = Dome(device, radius_nm, surrounded, nuclei, column + 1)
                times_s[row, column] = isothermal_s(dome, kelvin, share, 1e-3 * crossing_s, 100.0 * crossing_s)
        console.print(f"  {kind}: done", style="dim")
        found[kind] = times_s
    return found


def quench(device: PcmDevice, rates_K_per_s: Sequence[float], radius_nm: float, seeds: int) -> dict[str, Floats]:
    """Crystalline share (rates, seeds) of a molten dome after linear cooling from 20 K above melting to 400 K."""
    begin_K, end_K = device.phase("melting_K") + 20.0, 400.0
    corners_K = np.linspace(begin_K, end_K, round((begin_K - end_K) / _STEP_K) + 1)
    found = {}
    for kind, surrounded in (("in crystal", True), ("alone", False)):
        shares = np.empty((len(rates_K_per_s), seeds))
        for row, rate in enumerate(rates_K_per_s):
            for column in range(seeds):
                dome = Dome(device, radius_nm, surrounded, nuclei=True, seed=column + 1)
                molten_K = [k for k in corners_K if k >= device.phase("melting_K")]
                for first_K, last_K in zip(corners_K[len(molten_K) - 1 :], corners_K[len(molten_K) :], strict=False):
                    dome.advance((first_K - last_K) / rate, float(first_K), float(last_K))
                    if dome.crystalline > _DONE:
                        break
                shares[row, column] = dome.crystalline
        found[kind] = shares
        console.print(f"  quench, {kind}: done", style="dim")
    return found


def pulses(
    base: PcmDevice, amplitudes_V: Sequence[float], widths_s: Sequence[float], reset_V: float
) -> Iterator[dict[str, float]]:
    """SET pulses of several lengths from the state that a RESET pulse leaves, a row for each.

    The plateau of the longest pulse is run once; the falling edge starts from it at each length.
    """
    cell = started(base)
    begin = pulse(cell, Shape(reset_V))
    yield {"amplitude_V": reset_V, "width_s": 40e-9, **_row(begin)}
    saved = cell.checkpoint()
    for amplitude_V in amplitudes_V:
        cell.restore(saved)
        start_s, start_J, shape = cell.time_s, cell.electrical_J, Shape(amplitude_V, fall_s=10e-9)
        cell.advance(start_s + shape.rise_s, amplitude_V, circuit(cell))
        for width_s in widths_s:
            cell.advance(start_s + shape.rise_s + width_s, amplitude_V, circuit(cell))
            plateau = cell.checkpoint()
            seen = (cell.observe(), cell.material_K, disordered_nm3(cell))
            yield {"amplitude_V": amplitude_V, "width_s": width_s, **_row(fall(cell, shape, *seen, start_J))}
            cell.restore(plateau)


def _row(outcome: Outcome) -> dict[str, float]:
    return {key: value for key, value in numbers(outcome).items() if key != "amplitude_V"}


def critical_rate(rates: Floats, shares: Floats, half: float = 0.5) -> float:
    """Rate at which the mean share falls through ``half``, between two rates by logarithms; nan where it does not."""
    mean = shares.mean(axis=1)
    for k in range(len(rates) - 1):
        if mean[k] >= half > mean[k + 1]:
            part = (mean[k] - half) / (mean[k] - mean[k + 1])
            return float(rates[k] * (rates[k + 1] / rates[k]) ** part)
    return float("nan")


def write(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """Rows of the same keys as CSV."""
    lines = [",".join(rows[0]), *(",".join(f"{v:.6g}" for v in r.values()) for r in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rows(name: str, column: Floats, found: dict[str, Floats], unit: str) -> list[dict[str, float]]:
    """A row for each value of the first column, with every kind and seed."""
    return [
        {name: float(value)}
        | {
            f"{kind.replace(' ', '_')}_{j + 1}{unit}": float(v[k, j])
            for kind, v in found.items()
            for j in range(v.shape[1])
        }
        for k, value in enumerate(column)
    ]


def print_isothermal(kelvin: Floats, times: dict[str, Floats]) -> None:
    table = Table("T (K)", "growth from the rim (s)", "nuclei alone: mean, least, most (s)", "both (s)")
    for k, value in enumerate(kelvin):
        alone, both = times["nuclei"][k], times["both"][k]
        three = f"{np.mean(alone):.3g}, {np.min(alone):.3g}, {np.max(alone):.3g}"
        table.add_row(f"{value:g}", f"{times['rim'][k, 0]:.3g}", three, f"{np.mean(both):.3g}")
    console.print(table)
    for kind, values in times.items():
        mean = values.mean(axis=1)
        if np.isfinite(mean).any():
            nose = int(np.nanargmin(mean))
            console.print(f"nose, {kind}: {mean[nose]:.3g} s at {kelvin[nose]:g} K")


def print_quench(rates: Floats, shares: dict[str, Floats]) -> None:
    table = Table("K/s", *(f"crystalline, {kind}: mean (least, most)" for kind in shares))
    for k, rate in enumerate(rates):
        cells = (f"{v[k].mean():.3f} ({v[k].min():.3f}, {v[k].max():.3f})" for v in shares.values())
        table.add_row(f"{rate:.0e}", *cells)
    console.print(table)
    for kind, values in shares.items():
        console.print(f"critical cooling rate, {kind}: {critical_rate(rates, values):.2g} K/s (half crystalline)")


def print_pulses(rows: Sequence[dict[str, float]], widths_ns: Sequence[float]) -> None:
    console.print(f"after RESET: {rows[0]['resistance_ohm']:.3g} Ohm")
    table = Table("V", "I (mA)", "material (K)", *(f"R after {w:g} ns (Ohm)" for w in widths_ns))
    for k in range(1, len(rows), len(widths_ns)):
        group = rows[k : k + len(widths_ns)]
        last = group[-1]
        table.add_row(
            f"{last['amplitude_V']:g}",
            f"{1e3 * last['current_A']:.3f}",
            f"{last['material_K']:.0f}",
            *(f"{r['resistance_ohm']:.3g}" for r in group),
        )
    console.print(table)


def picture_isothermal(kelvin: Floats, times: dict[str, Floats], share: float, path: Path) -> Path:
    """Time to crystallise against temperature."""
    with styled():
        figure = new_figure(3.6, 3.0)
        axes = figure.add_subplot()
        looks = {"both": ("-", BLUE), "rim": ("--", GREEN), "nuclei": ("o-", VERMILLION)}
        for kind, (line, colour) in looks.items():
            axes.semilogx(times[kind].mean(axis=1), kelvin, line, ms=3, color=colour, label=kind)
        axes.set(xlabel=f"time to {share:.0%} crystalline (s)", ylabel="temperature (K)")
        axes.legend()
        return save(figure, path)


def picture_quench(rates: Floats, shares: dict[str, Floats], path: Path) -> Path:
    """What has crystallised against the cooling rate."""
    with styled():
        figure = new_figure(3.6, 3.0)
        axes = figure.add_subplot()
        for (kind, values), colour in zip(shares.items(), (BLUE, VERMILLION), strict=True):
            axes.semilogx(rates, values.mean(axis=1), "o-", ms=3, color=colour, label=kind)
        axes.set(xlabel="cooling rate (K/s)", ylabel="crystalline share of the dome")
        axes.legend()
        return save(figure, path)


def picture_pulses(rows: Sequence[dict[str, float]], widths_ns: Sequence[float], path: Path) -> Path:
    """Resistance after SET pulses against their length, a line for each amplitude."""
    with styled():
        figure = new_figure(4.2, 3.0)
        axes = figure.add_subplot()
        for k in range(1, len(rows), len(widths_ns)):
            group = rows[k : k + len(widths_ns)]
            resistances = [r["resistance_ohm"] for r in group]
            axes.loglog(widths_ns, resistances, "o-", ms=3, label=f"{group[0]['amplitude_V']:g} V")
        axes.set(xlabel="length of the pulse (ns)", ylabel="resistance after it (Ohm)")
        axes.legend(fontsize=7, ncols=2)
        return save(figure, path)


def main(
    part: Annotated[
        list[str] | None, typer.Option(help="isothermal, quench, pulses; repeatable, all by default.")
    ] = None,
    name: Annotated[str, typer.Option("--device", help="A device file or an example's name.")] = "gst_mushroom",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    radius_nm: Annotated[float, typer.Option(help="Radius of the dome of uniform temperature, nm.")] = 20.0,
    share: Annotated[float, typer.Option(help="Crystalline share that ends an isothermal run.")] = 0.9,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 1 to this number of uniform temperature.")] = 3,
    reset_V: Annotated[float, typer.Option("--reset", help="Pulse before the SET pulses, V.")] = 1.9,
    amplitude: Annotated[list[float] | None, typer.Option(help="Amplitude of SET pulses, V; repeatable.")] = None,
    width_ns: Annotated[
        list[float] | None, typer.Option("--width", help="Plateau of SET pulses, ns; repeatable.")
    ] = None,
    fine: Annotated[
        bool, typer.Option(help="The mesh of the device file, not the coarse one, for the pulses.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder of CSV files and picture.")] = Path("pcm_set"),
) -> None:
    """Run the parts one after the other."""
    parts = set(part or ("isothermal", "quench", "pulses"))
    if unknown := parts - {"isothermal", "quench", "pulses"}:
        raise typer.BadParameter(f"{unknown.pop()}: parts are isothermal, quench and pulses")
    base = load(name, [*(() if fine else COARSE), *(changes or ())])
    if not isinstance(base, PcmDevice):
        raise DeviceFileError(f"family: {base.family!r}; crystallisation needs a device of the family 'pcm'")
    out.mkdir(parents=True, exist_ok=True)
    if "isothermal" in parts:
        kelvin = np.array(_TEMPERATURES_K, dtype=np.float64)
        times = isothermal(base, kelvin.tolist(), radius_nm, share, seeds)
        print_isothermal(kelvin, times)
        write(out / "isothermal.csv", _rows("temperature_K", kelvin, times, "_s"))
        console.print(f"wrote {picture_isothermal(kelvin, times, share, out / 'pcm_isothermal.png')}")
    if "quench" in parts:
        rates = np.array(_RATES_K_PER_S)
        shares = quench(base, rates.tolist(), radius_nm, seeds)
        print_quench(rates, shares)
        write(out / "quench.csv", _rows("rate_K_per_s", rates, shares, ""))
        console.print(f"wrote {picture_quench(rates, shares, out / 'pcm_quench.png')}")
    if "pulses" in parts:
        widths, rows = sorted(width_ns or _WIDTHS_NS), []
        for row in pulses(base, sorted(amplitude or _AMPLITUDES_V), [1e-9 * w for w in widths], reset_V):
            rows.append(row)
            console.print(
                f"  {row['amplitude_V']:g} V, {1e9 * row['width_s']:g} ns: {row['material_K']:.0f} K, "
                f"{row['resistance_ohm']:.3g} Ohm",
                style="dim",
            )
        print_pulses(rows, widths)
        write(out / "pulses.csv", rows)
        console.print(f"wrote {picture_pulses(rows, widths, out / 'pcm_set.png')}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"pcm_set: error: {error}", style="red")
        raise SystemExit(2) from None
