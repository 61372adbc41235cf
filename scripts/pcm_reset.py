"""RESET of a mushroom cell by pulses of 50 ns: resistance, melting, current and energy; tables, CSV files, a picture.

python scripts/pcm_reset.py --part curve --part melt --part radius
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ionsim.analysis.pcm_pulses import COARSE, Outcome, Shape, circuit, power_law, pulse, reset_threshold, started
from ionsim.analysis.pcm_pulses import resistance_ohm as read
from ionsim.analysis.pcm_pulses import row as numbers
from ionsim.config import PcmDevice, load
from ionsim.config.pcm_geometry import Mushroom, Pillar
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import BLUE, GREEN, VERMILLION, new_figure, save, styled

console = Console()

_NO_BOUNDARY = ("boundaries.heater_m2K_per_GW=0", "boundaries.dielectric_m2K_per_GW=0")

#: Amplitudes of the curve in V, radii in nm, current per radius to begin with (A/nm).
_AMPLITUDES_V = (0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.1, 2.4)
_RADII_NM = (10.0, 15.0, 20.0, 30.0)
_GUESS_A_PER_NM = 70e-6

#: Pulses that melted less than this are left out of the fit of energies: fronts have a width.
_LEAST_NM3 = 2000.0

#: A melt has begun where the crystalline share has fallen below this.
_BEGUN = 0.99


def device(name: str, changes: Sequence[str]) -> PcmDevice:
    """A device file, which must be of the family ``pcm``."""
    found = load(name, changes)
    if not isinstance(found, PcmDevice):
        raise DeviceFileError(f"family: {found.family!r}; pulses that melt need a device of the family 'pcm'")
    return found


def curve(base: PcmDevice, amplitudes_V: Sequence[float], from_V: float) -> dict[str, list[Outcome]]:
    """Outcomes by amplitude, from the crystalline state and from what a pulse of ``from_V`` leaves."""
    cell, found = started(base), dict[str, list[Outcome]]()
    read(cell)
    for begin in ("crystalline", "amorphous"):
        if begin == "amorphous":
            pulse(cell, Shape(from_V))
        saved, found[begin] = cell.checkpoint(), []
        for amplitude_V in amplitudes_V:
            cell.restore(saved)
            found[begin].append(pulse(cell, Shape(amplitude_V)))
            last = found[begin][-1]
            console.print(f"  {begin}, {amplitude_V:g} V: {last.resistance_ohm:.3g} Ohm", style="dim")
        cell.restore(saved)
    return found


def print_curve(found: dict[str, list[Outcome]]) -> None:
    table = Table(
        "begin",
        "V",
        "I (mA)",
        "V of cell",
        "material (K)",
        "molten (nm3)",
        "glass (nm3)",
        "r, h (nm)",
        "face covered",
        "R (Ohm)",
        "E (pJ)",
    )
    for begin, outcomes in found.items():
        for o in outcomes:
            table.add_row(
                begin,
                f"{o.amplitude_V:g}",
                f"{1e3 * o.current_A:.3f}",
                f"{o.device_V:.3f}",
                f"{o.material_K:.0f}",
                f"{o.molten_nm3:.0f}",
                f"{o.left_nm3:.0f}",
                f"{o.radius_nm:.0f}, {o.height_nm:.0f}",
                f"{o.covers:.0%}",
                f"{o.resistance_ohm:.3g}",
                f"{1e12 * o.energy_J:.1f}",
            )
    console.print(table)


def melt_onset(base: PcmDevice, ramp_s: float, until_V: float, points: int = 200) -> tuple[float, float, float]:
    """Hottest temperature of the material (K), current (A) and voltage (V) where a slow ramp begins to melt it."""
    cell = started(base)
    outside, last_K = circuit(cell), np.nan
    for share in np.arange(1, points + 1) / points:
        cell.advance(share * ramp_s, share * until_V, outside)
        inside = cell.crystalline[cell.inside]
        if inside.min() < _BEGUN:
            return 0.5 * (last_K + cell.material_K), cell.current_A, cell.applied_V
        last_K = cell.material_K
    return np.nan, np.nan, np.nan


Threshold = tuple[float, Outcome, list[Outcome]]


def _radius_key(name: str) -> str:
    """Key of the radius that confines the current: of the heater, or of a pillar's plug."""
    geometry = device(name, ()).geometry
    if isinstance(geometry, Mushroom):
        return "heater_radius_nm"
    if isinstance(geometry, Pillar):
        return "radius_nm"
    raise DeviceFileError(f"geometry.kind: {geometry.kind!r}; RESET against a radius needs a mushroom or a pillar")


def radii(name: str, changes: Sequence[str], radii_nm: Sequence[float]) -> dict[str, list[Threshold]]:
    """RESET thresholds by radius of the heater, with and without boundary resistance: radius, threshold, all pulses."""
    found: dict[str, list[Threshold]] = {"with": [], "without": []}
    for radius_nm in radii_nm:
        guess_A = _GUESS_A_PER_NM * radius_nm
        for label, more in (("with", ()), ("without", _NO_BOUNDARY)):
            base = device(name, [*changes, *more, f"geometry.{_radius_key(name)}={radius_nm}"])
            threshold, tried = reset_threshold(base, guess_A)
            guess_A = 1.2 * threshold.current_A
            found[label].append((radius_nm, threshold, tried))
            console.print(
                f"  radius {radius_nm:g} nm, {label}: {1e3 * threshold.current_A:.3f} mA at "
                f"{threshold.amplitude_V:.3f} V, {len(tried)} pulses",
                style="dim",
            )
    return found


def print_radii(found: dict[str, list[Threshold]]) -> None:
    table = Table("radius (nm)", "boundaries", "I (mA)", "V", "V of cell", "molten (nm3)", "face covered", "E (pJ)")
    for label, entries in found.items():
        for radius_nm, o, _ in entries:
            table.add_row(
                f"{radius_nm:g}",
                label,
                f"{1e3 * o.current_A:.3f}",
                f"{o.amplitude_V:.3f}",
                f"{o.device_V:.3f}",
                f"{o.molten_nm3:.0f}",
                f"{o.covers:.0%}",
                f"{1e12 * o.energy_J:.1f}",
            )
    console.print(table)
    for label, entries in found.items():
        size = np.array([entry[0] for entry in entries])
        current = np.array([entry[1].current_A for entry in entries])
        exponent, error, _ = power_law(size, current)
        console.print(f"RESET current ~ radius^({exponent:.2f} +- {error:.2f}), {label} boundary resistance")
    for pair in zip(found["with"], found["without"], strict=True):
        less = 1.0 - pair[0][1].current_A / pair[1][1].current_A
        console.print(f"boundary resistance lowers the RESET current by {less:.0%} at {pair[0][0]:g} nm")


def print_energy(found: dict[str, list[Threshold]]) -> list[Outcome]:
    """Fits of the energy to the molten volume: at the thresholds of all radii, and over all pulses that melted.

    Returns the latter.
    """
    molten = [o for _, _, tried in found["with"] for o in tried if o.molten_nm3 > _LEAST_NM3]
    for label, outcomes in (("thresholds", [o for _, o, _ in found["with"]]), ("pulses", molten)):
        volume, energy = (np.array([getattr(o, key) for o in outcomes]) for key in ("molten_nm3", "energy_J"))
        exponent, error, _ = power_law(volume, energy)
        console.print(f"energy ~ molten volume^({exponent:.2f} +- {error:.2f}) over {len(outcomes)} {label}")
    return molten


def picture_curve(found: dict[str, list[Outcome]], path: Path) -> Path:
    """R after the pulse against its current."""
    with styled():
        figure = new_figure(4.0, 3.0)
        axes = figure.add_subplot()
        for (begin, outcomes), colour in zip(found.items(), (BLUE, VERMILLION), strict=True):
            axes.semilogy(
                [1e3 * o.current_A for o in outcomes],
                [o.resistance_ohm for o in outcomes],
                "o-",
                ms=3,
                color=colour,
                label=f"from {begin}",
            )
        axes.set(xlabel="current at the end of the pulse (mA)", ylabel="resistance 100 ns after it (Ohm)")
        axes.legend()
        return save(figure, path)


def picture_radius(thresholds: dict[str, list[Threshold]], molten: Sequence[Outcome], path: Path) -> Path:
    """RESET current against radius, energy against molten volume."""
    with styled():
        figure = new_figure(6.0, 2.6)
        left, right = figure.subplots(1, 2)
        for (label, entries), colour in zip(thresholds.items(), (BLUE, GREEN), strict=True):
            left.loglog(
                [e[0] for e in entries],
                [1e3 * e[1].current_A for e in entries],
                "o-",
                ms=3,
                color=colour,
                label=f"{label} boundary resistance",
            )
        left.set(xlabel="radius (nm)", ylabel="RESET current (mA)")
        left.set_xticks([e[0] for e in thresholds["with"]], [f"{e[0]:g}" for e in thresholds["with"]])
        left.xaxis.set_minor_formatter("")
        left.legend(fontsize=7)
        least = [o for _, o, _ in thresholds["with"]]
        for outcomes, look, label in ((molten, "o", "all pulses"), (least, "s-", "thresholds")):
            volume, energy = ([getattr(o, key) for o in outcomes] for key in ("molten_nm3", "energy_J"))
            right.loglog(1e-3 * np.array(volume), 1e12 * np.array(energy), look, ms=3, label=label)
        right.legend(fontsize=7)
        right.set(xlabel="molten volume (1000 nm3)", ylabel="energy of the pulse (pJ)")
        return save(figure, path)


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Rows of the same keys as CSV."""
    lines = [
        ",".join(rows[0]),
        *(",".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in r.values()) for r in rows),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(
    part: Annotated[list[str] | None, typer.Option(help="curve, melt, radius; repeatable, all by default.")] = None,
    name: Annotated[str, typer.Option("--device", help="A device file or an example's name.")] = "gst_mushroom",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    amplitude: Annotated[list[float] | None, typer.Option(help="Amplitude of the curve in V; repeatable.")] = None,
    from_V: Annotated[float, typer.Option(help="Pulse that makes the amorphous state, V.")] = 2.0,
    radius: Annotated[list[float] | None, typer.Option(help="Radius of the heater in nm; repeatable.")] = None,
    fine: Annotated[bool, typer.Option(help="The mesh of the device file, not the coarse one.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of CSV files and picture.")] = Path("pcm_reset"),
) -> None:
    """Run the parts one after the other."""
    parts = set(part or ("curve", "melt", "radius"))
    if unknown := parts - {"curve", "melt", "radius"}:
        raise typer.BadParameter(f"{unknown.pop()}: parts are curve, melt and radius")
    out.mkdir(parents=True, exist_ok=True)
    changes = [*(() if fine else COARSE), *(changes or ())]
    base = device(name, changes)
    if "curve" in parts:
        found = curve(base, amplitude or list(_AMPLITUDES_V), from_V)
        print_curve(found)
        write(out / "curve.csv", [{"begin": begin, **numbers(o)} for begin, os in found.items() for o in os])
        console.print(f"wrote {picture_curve(found, out / 'pcm_reset.png')}")
    if "melt" in parts:
        for ramp_s in (1e-7, 1e-6):
            kelvin, current_A, voltage_V = melt_onset(base, ramp_s, 2.0)
            console.print(
                f"melting begins at {kelvin:.0f} K (melting point {base.phase('melting_K'):g} K), "
                f"{1e3 * current_A:.3f} mA, "
                f"{voltage_V:.2f} V on a ramp of {1e-6 * 2.0 / ramp_s:g} V/us"
            )
    if "radius" in parts:
        thresholds = radii(name, changes, sorted(radius or _RADII_NM))
        print_radii(thresholds)
        molten = print_energy(thresholds)
        rows = [
            {"boundaries": label, "cell_radius_nm": r, **numbers(o)}
            for label, es in thresholds.items()
            for r, o, _ in es
        ]
        write(out / "radius.csv", rows)
        write(out / "energy.csv", [dict(numbers(o)) for o in molten])
        console.print(f"wrote {picture_radius(thresholds, molten, out / 'pcm_reset_radius.png')}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"pcm_reset: error: {error}", style="red")
        raise SystemExit(2) from None
