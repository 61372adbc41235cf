"""Vacancies at rest and in a uniform field: equilibrium, partition, conservation, electrodes, the drift of hops."""

import numpy as np
import scipy.constants
from numpy.typing import NDArray

import fem
from ionsim.verification import figure
from ionsim.verification.record import Record, case
from ionsim.verification.vacancy_meshes import grid

Array = NDArray[np.float64]
_K = scipy.constants.k / scipy.constants.elementary_charge
_SITES = 1e27


def _irregular(length_nm: float, count: int, seed: int) -> Array:
    """Grid lines at random places."""
    inner = np.sort(np.random.default_rng(seed).uniform(0.0, length_nm, count))
    return np.concatenate([[0.0], inner, [length_nm]])


def _logit(n: Array, sites: float | None) -> Array:
    return np.asarray(np.log(n) if sites is None else np.log(n / (sites - n)))


def settle(soret_eV: float, volts: float, rise_K: float, sites: float | None) -> tuple[float, float, float]:
    """A closed (r, z) body left for long: worst error of ln n (or ln n/(N-n)), lost vacancies, least over largest n.

    In a potential and a temperature linear in z the force vanishes for ln n = Q/kT - z e F/k ln(T) / (dT/dz).
    """
    cell = grid([_irregular(6.0, 5, 1), _irregular(10.0, 11, 2)], {"oxide": [(0.0, 6.0), (0.0, 10.0)]}, True)
    law = fem.VacancyRegion(1e-9, 0.3, soret_eV=soret_eV)
    body = fem.VacancyTransport(cell, {"oxide": law}, 1e26, 2.0, sites_per_m3=sites, hop_nm=0.3)
    z = body.space.tabulate_dof_coordinates()[:, 1] / 10.0
    kelvin, volt = 500.0 + rise_K * z, volts * z
    begin, dt_s = body.total, 1e-9
    for _ in range(40):
        body.step(dt_s, volt, kelvin)
        dt_s *= 2.0
    n = body.density_per_m3
    drift = volts / _K * (np.log(kelvin) / rise_K if rise_K else z / 500.0)
    law = soret_eV / (_K * kelvin) - 2.0 * drift
    off = _logit(n, sites) - law
    ranked = np.argsort(z)
    name = f"Q = {soret_eV:g} eV, {volts:g} V, {rise_K:g} K{', crowded' if sites else ''}"
    label = "ln n less its mean" if sites is None else "ln n/(N - n) less its mean"
    figure.draw(figure.Panel(f"at rest: {name}", "z (nm)", label, [
        figure.exact("Boltzmann, Soret", 10.0 * z[ranked], (law - law.mean())[ranked]),
        figure.computed("finite volumes", 10.0 * z[ranked], (_logit(n, sites) - _logit(n, sites).mean())[ranked]),
    ]))  # fmt: skip
    return float(np.ptp(off)), body.total / begin - 1.0, float(n.min() / n.max())


def partition() -> tuple[float, float]:
    """Two regions 0.4 eV apart, a layer 0.5 eV below between them: errors of ln x/(1-x) of region and layer."""
    lines = [np.linspace(0.0, 4.0, 5), _irregular(5.0, 4, 3)]
    lines[1] = np.unique(np.concatenate([lines[1], [2.0]]))
    cell = grid(lines, {"low": [(0.0, 4.0), (0.0, 2.0)], "high": [(0.0, 4.0), (2.0, 5.0)]})
    regions = {"low": fem.VacancyRegion(1e-9, 0.3), "high": fem.VacancyRegion(1e-11, 0.2, energy_eV=0.4)}
    layer = fem.FastLayer("low/high", 0.5, fem.VacancyRegion(1e-8, 0.1, energy_eV=-0.1))
    body = fem.VacancyTransport(cell, regions, 1e26, 2.0, sites_per_m3=_SITES, layers={"between": layer})
    for k in range(30):
        body.step(1e-10 * 3.0**k, 0.0, 700.0)
    mean = {name: float(np.nanmean(_logit(body.density_in(name), _SITES))) for name in ("low", "high", "between")}
    kT = _K * 700.0
    return mean["low"] - mean["high"] - 0.4 / kT, mean["between"] - mean["high"] - 0.5 / kT


def drift(blocked: bool, volts: float) -> tuple[float, float]:
    """Flux through a bar between electrodes that hold the same density, and that of Mott and Gurney, in 1/(m^2 s)."""
    cell = grid([_irregular(10.0, 9, 4)], {"bar": [(0.0, 10.0)]})
    held = {name: fem.VacancyElectrode(density_per_m3=2e26) for name in ("bottom", "top")}
    a, nu, barrier = 0.3e-9, 1e13, 0.8
    bar = fem.VacancyTransport(
        cell, {"bar": fem.VacancyRegion(nu * a * a, barrier)}, 2e26, 2.0, sites_per_m3=_SITES, hop_nm=0.3,
        blocked_hops=blocked, electrodes=held,
    )  # fmt: skip
    z = bar.space.tabulate_dof_coordinates()[:, 0] / 10.0
    state = bar.steady(-volts * z, 600.0)
    kT = _K * 600.0
    speed = 2.0 * a * nu * np.exp(-barrier / kT) * np.sinh(2.0 * volts / 10e-9 * a / (2.0 * kT))
    return state.entering_per_s["bottom"], 2e26 * speed * (0.8 if blocked else 1.0)


def exchange() -> tuple[float, float, float]:
    """A bar with generation and removal at one end in a field: error of the equilibrium, of the balance, and growth.

    At rest G (1 - x) exp(-(Eg - w)/kT) = v n exp(-(Er + w)/kT) with w = z e F a / 2.
    """
    electrode = fem.VacancyElectrode(1e32, 1.4, 1e4, 0.9, field_nm=0.5)
    cell = grid([_irregular(5.0, 6, 5)], {"bar": [(0.0, 5.0)]})
    bar = fem.VacancyTransport(
        cell,
        {"bar": fem.VacancyRegion(1e-6, 0.8)},
        1e24,
        2.0,
        sites_per_m3=_SITES,
        electrodes={"top": electrode},
        order=1,
    )
    z = bar.space.tabulate_dof_coordinates()[:, 0]
    begin, entered, dt_s = bar.total, 0.0, 1e-9
    for _ in range(30):  # backward Euler: the rates times the steps are what the body gains
        entered += dt_s * bar.step(dt_s, 0.5 * z / 5.0, 800.0).entering_per_s["top"]
        dt_s *= 1.2
    balance = entered / (bar.total - begin) - 1.0
    for _ in range(60):
        bar.step(dt_s, 0.5 * z / 5.0, 800.0)
        dt_s *= 1.5
    kT, top = _K * 800.0, np.argmax(z)
    work = 2.0 * 0.5 / 5.0 * 0.5 / 2.0
    n = bar.density_per_m3[top]
    wanted = np.log(1e32 / 1e4) - (1.4 - 0.9 - 2.0 * work) / kT
    off = np.log(n / (1.0 - n / _SITES)) - wanted
    return float(off), balance, bar.total / begin


@case(
    "vacancy-equilibrium", "VCM",
    problem=(
        "Vacancies of charge 2 as a density, on irregular meshes: left for long in a potential and a temperature; "
        "parted between regions and a layer; drifting between electrodes at 2 V over 10 nm; generated at an "
        "electrode."
    ),
    exact=(
        r"$\ln\frac{n}{N-n} = \frac{Q}{kT} - \int\frac{zq\,d\phi}{kT} + c$ at rest (Boltzmann, Soret); Mott and "
        r"Gurney's flux $2a\nu e^{-E/kT}\sinh\frac{zqFa}{2kT}\,n\,(1 - n/N)$; detailed balance of generation and "
        r"removal."
    ),
    sources=(
        "N. F. Mott, R. W. Gurney, Electronic Processes in Ionic Crystals, Oxford 1940",
        "S. R. de Groot, P. Mazur, Non-Equilibrium Thermodynamics, North-Holland 1962: Soret's effect",
    ),
)  # fmt: skip
def vacancy_equilibrium() -> list[Record]:
    """Vacancies: Boltzmann in a potential and by Soret's effect, partition, conservation, drift of Mott and Gurney."""
    records = []
    for name, soret_eV, volts, rise_K, sites in (
        ("potential", 0.0, 0.3, 0.0, None), ("Soret, to the hot", -1.2, 0.0, 300.0, None),
        ("Soret, to the cold", 0.8, 0.0, 300.0, None), ("both, crowded", -1.2, 0.3, 300.0, _SITES),
    ):  # fmt: skip
        off, lost, least = settle(soret_eV, volts, rise_K, sites)
        records += [
            Record.below(f"{name}: ln n against the exact one", off, 1e-9),
            Record.below(f"{name}: vacancies lost in 40 steps", lost, 1e-10),
            Record(f"{name}: least over largest density", least),
        ]
    region, layer = partition()
    records.append(Record.below("partition between regions, ln of the ratio", region, 1e-9))
    records.append(Record.below("partition into a layer, ln of the ratio", layer, 1e-9))
    curves: list[figure.Curve] = []
    for blocked in (False, True):
        found, wanted = drift(blocked, 2.0)
        name = "hops into filled sites blocked" if blocked else "all hops"
        records.append(Record.below(f"drift at 2 V over 10 nm, {name}: flux", found / wanted - 1.0, 1e-9))
        sweep_V = np.geomspace(0.02, 6.0, 9)
        fluxes, law = np.transpose([drift(blocked, float(one)) for one in sweep_V])
        curves += [figure.exact("" if curves else "Mott and Gurney", sweep_V, law)]
        curves += [figure.computed(name, sweep_V, fluxes)]
    figure.draw(figure.Panel("drift over 10 nm", "voltage (V)", "flux (1/m$^2$s)", curves, True, True))
    off, balance, growth = exchange()
    records.append(Record.below("electrode in a field: ln of its equilibrium density", off, 1e-9))
    records.append(Record.below("electrode: what entered against what is there", balance, 1e-9))
    records.append(Record.above("electrode: vacancies in the end over those at the start", growth, 10.0))
    return records
