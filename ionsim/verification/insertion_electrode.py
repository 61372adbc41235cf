"""A film that ions are inserted into: diffusion overpotential on paper, and charge over a train of gate pulses."""

from functools import partial

import numpy as np
import scipy.constants
from numpy.typing import NDArray

import fem
from ionsim.verification import figure
from ionsim.verification.ion_line import line
from ionsim.verification.record import Record, case

Array = NDArray[np.float64]
_E = scipy.constants.elementary_charge
KT_EV = scipy.constants.k * 300.0 / _E
ELECTROLYTE_NM, FILM_NM = 10.0, 20.0
ELECTROLYTE_PER_M3 = 1e27  # of ions, on an immobile background
FILM_SITES_PER_M3 = 1.8e28
OMEGA_EV = 0.03  # below 2 kT
D_ELECTROLYTE_M2_PER_S, D_FILM_M2_PER_S = 1e-12, 1e-15
BEGIN = 0.3
EXCHANGE_A_PER_M2 = 50.0
LAYER_F_PER_M2 = 0.05
CURRENT_A_PER_M2 = 20.0
RESERVOIR_EV = -0.05
TIMES = (0.02, 0.1, 0.5, 1.0)  # in L^2 / D


def diffusivity(x: Array) -> tuple[Array, Array]:
    """D (m^2/s) of the regular solution that makes the chemical diffusivity D_FILM_M2_PER_S, and its derivative."""
    thermodynamic = 1.0 / (1.0 - x) - 2.0 * OMEGA_EV / KT_EV * x
    slope = 1.0 / (1.0 - x) ** 2 - 2.0 * OMEGA_EV / KT_EV
    return D_FILM_M2_PER_S / thermodynamic, -D_FILM_M2_PER_S * slope / thermodynamic**2


def potential_eV(x: float) -> float:
    """Chemical potential in the film: kT ln(x / (1 - x)) + Omega (1 - 2 x)."""
    return KT_EV * float(np.log(x / (1.0 - x))) + OMEGA_EV * (1.0 - 2.0 * x)


def surface_rise(time: float, terms: int = 400) -> float:
    """Fraction at the surface above the mean, over j L / (D e sites), after ``time`` in L^2/D (Carslaw and Jaeger)."""
    k = np.arange(1, terms + 1)
    return 1.0 / 3.0 - 2.0 / np.pi**2 * float((np.exp(-((k * np.pi) ** 2) * time) / k**2).sum())


def film_on_electrolyte() -> fem.Transport:
    """A bath at 0 V ("gate"), electrolyte, film ("film"), with a fast reaction between the last two."""
    end = ELECTROLYTE_NM + FILM_NM
    depth = np.concatenate([[0.0], np.geomspace(0.05, FILM_NM, 80)])
    z = np.concatenate([np.linspace(0.0, ELECTROLYTE_NM, 21), ELECTROLYTE_NM + depth[1:]])
    cell = line(z, {"electrolyte": (0.0, ELECTROLYTE_NM), "film": (ELECTROLYTE_NM, end)}, ["electrolyte/film"])
    return fem.Transport(
        cell, {"electrolyte": 5.0},
        {"electrolyte": fem.Phase(["electrolyte"], fixed_charge_per_m3=-ELECTROLYTE_PER_M3),
         "film": fem.Phase(["film"], FILM_SITES_PER_M3, fem.regular_solution(OMEGA_EV))},
        {"ion": fem.Species("electrolyte", 1, D_ELECTROLYTE_M2_PER_S, ELECTROLYTE_PER_M3),
         "inserted": fem.Species("film", 1, diffusivity, BEGIN * FILM_SITES_PER_M3)},
        {"gate": fem.Terminal(["bottom"], densities_per_m3={"ion": ELECTROLYTE_PER_M3}),
         "film": fem.Terminal(regions=["film"])},
        {"electrolyte/film": fem.Junction([fem.ChargeTransfer("ion", EXCHANGE_A_PER_M2, "inserted")], LAYER_F_PER_M2)},
    )  # fmt: skip


@case(
    "insertion-electrode", "ECRAM",
    problem=(
        "A film of 20 nm takes up ions through 10 nm of electrolyte at a constant 20 A/m^2, with a regular solution "
        "of 0.03 eV and a diffusivity that keeps the chemical one constant."
    ),
    exact=(
        r"$x_s - \bar x = \frac{jL}{DqN}\left[\frac{1}{3} - \frac{2}{\pi^2}\sum_k \frac{1}{k^2}e^{-k^2\pi^2 "
        r"Dt/L^2}\right]$ gives the diffusion overpotential by $\mu = kT\ln\frac{x}{1-x} + \Omega(1 - 2x)$; to it "
        r"come Ohm's drop and $\frac{2kT}{q}\,\mathrm{arsinh}\frac{j}{2j_0}$."
    ),
    sources=("H. S. Carslaw, J. C. Jaeger, Conduction of Heat in Solids, 2nd ed., Oxford 1959",),
)  # fmt: skip
def insertion_electrode() -> list[Record]:
    """Diffusion overpotential of an insertion electrode at constant current: the series solution within 1 %."""
    problem = film_on_electrolyte()
    unit_s = (FILM_NM * 1e-9) ** 2 / D_FILM_M2_PER_S
    j = CURRENT_A_PER_M2
    rest = problem.steady({"gate": 0.0}, {"film": 0.0})
    standard = KT_EV * float(np.log(ELECTROLYTE_PER_M3 / fem.ONE_MOLAR_PER_M3))
    begin = problem.amount("inserted") / (FILM_SITES_PER_M3 * FILM_NM * 1e-9)
    balance = rest.voltages_V["film"] - (standard - potential_eV(begin))
    records, seen = [Record.below("open circuit against the chemical potentials", balance, 1e-6, "V")], []
    ohmic = j * ELECTROLYTE_NM * 1e-9 * KT_EV / (_E * ELECTROLYTE_PER_M3 * D_ELECTROLYTE_M2_PER_S)
    transfer = 2.0 * KT_EV * float(np.arcsinh(0.5 * j / EXCHANGE_A_PER_M2))
    rise = j * FILM_NM * 1e-9 / (D_FILM_M2_PER_S * _E * FILM_SITES_PER_M3)
    control = fem.TimeControl(0.0, unit_s * TIMES[-1], 1e-6 * unit_s, [unit_s * t for t in TIMES[:-1]], growth=1.25)
    dt_s = control.first_s
    while not control.finished:
        control.dt_s = max(control.dt_s, dt_s)  # what is compared at a milestone is no corner: the steps go on
        step = control.advance(lambda dt: problem.attempt(dt, {"gate": 0.0}, {"film": -j}))
        dt_s, time = step.dt_s, step.end_s
        mean = begin + rise * time / unit_s
        lost = standard - potential_eV(mean) - step.attempt.result.voltages_V["film"] - ohmic - transfer
        seen.append((time / unit_s, 1e3 * lost))
        if not step.milestone:
            continue
        surface = mean + rise * surface_rise(time / unit_s)
        exact = potential_eV(surface) - potential_eV(mean)
        records.append(Record.below(f"overpotential at {time / unit_s:g} L^2/D, relative", lost / exact - 1.0, 0.01))
    fine = np.geomspace(1e-3, TIMES[-1], 60)
    means = begin + rise * fine
    law = [1e3 * (potential_eV(m + rise * surface_rise(float(t))) - potential_eV(m))
           for m, t in zip(means, fine, strict=True)]  # fmt: skip
    times, shown = np.transpose([row for row in seen if row[0] > 1e-3])
    figure.draw(figure.Panel("diffusion overpotential", "time ($L^2/D$)", "overpotential (mV)", [
        figure.exact("series solution", fine, law), figure.computed("finite volumes", times, shown),
    ], True))  # fmt: skip
    return records


def stack() -> fem.Transport:
    """Gate with a reservoir, electrolyte with vacant sites, film; two reactions and two compact layers."""
    end = ELECTROLYTE_NM + FILM_NM
    z = np.linspace(0.0, end, 121)
    cell = line(z, {"electrolyte": (0.0, ELECTROLYTE_NM), "film": (ELECTROLYTE_NM, end)}, ["electrolyte/film"])
    insertion = fem.ChargeTransfer("ion", fem.insertion_exchange(1e6), "inserted", reorganisation_eV=0.8)
    reservoir = fem.ChargeTransfer("ion", 1e5, alpha=0.4, reservoir_eV=RESERVOIR_EV)
    return fem.Transport(
        cell, {"electrolyte": 5.0},
        {"electrolyte": fem.Phase(["electrolyte"], 2.5e27, fem.lattice_gas, -ELECTROLYTE_PER_M3),
         "film": fem.Phase(["film"], FILM_SITES_PER_M3, fem.regular_solution(OMEGA_EV))},
        {"ion": fem.Species("electrolyte", 1, 1e-9, ELECTROLYTE_PER_M3),
         "inserted": fem.Species("film", 1, 1e-11, 0.1 * FILM_SITES_PER_M3)},
        {"gate": fem.Terminal(["bottom"], reactions=[reservoir], capacitance_F_per_m2=0.2),
         "film": fem.Terminal(regions=["film"])},
        {"electrolyte/film": fem.Junction([insertion], LAYER_F_PER_M2)},
    )  # fmt: skip


@case(
    "gate-pulse-train", "ECRAM",
    problem=(
        "Ten gate pulses up and ten down of 0.8 V and 5 ns, each followed by 100 ns with the gate open, on a film "
        "that ions are inserted into through an electrolyte."
    ),
    exact=(
        r"Conservation: the charge that passed the reaction is the film's ions, $Q = q\,\Delta N$; the two wires "
        r"carry the same; displacement and Faradaic parts make up the current of each. The open-circuit potential is "
        r"the difference of the chemical potentials."
    ),
)  # fmt: skip
def gate_pulse_train() -> list[Record]:
    """Twenty gate pulses of 5 ns up and down, the gate open in between: charges are ions to 1e-8, currents add up."""
    problem = stack()
    rest = problem.steady({"film": 0.0}, {"gate": 0.0}).voltages_V["gate"]
    start = {name: problem.amount(name) for name in problem.names}
    balance = potential_eV(start["inserted"] / (FILM_SITES_PER_M3 * FILM_NM * 1e-9)) - RESERVOIR_EV
    split, total, counted, inserted, reacted = 0.0, 0.0, 0.0, [start["inserted"]], [start["inserted"]]
    for pulse in range(20):
        voltage = rest + (0.8 if pulse < 10 else -0.8)
        stages: list[tuple[float, dict[str, float], dict[str, float]]] = [
            (5e-9, {"gate": voltage}, {}), (1e-7, {}, {"gate": 0.0})
        ]  # fmt: skip
        for seconds, volts, amperes in stages:
            problem.restart()
            control = fem.TimeControl(0.0, seconds, 0.02 * seconds, dt_min_s=1e-9 * seconds)
            attempt = partial(problem.attempt, voltages_V={"film": 0.0, **volts}, currents_A=amperes)
            while not control.finished:
                state = control.advance(attempt).attempt.result
                largest = max(map(abs, (*state.displacement_A.values(), *state.faradaic_A.values())))
                total = max(total, abs(sum(state.currents_A.values())) / largest)
                for name, current in state.currents_A.items():
                    parts = state.displacement_A[name] + state.faradaic_A[name]
                    split = max(split, abs(current - parts) / largest)
        inserted.append(problem.amount("inserted"))
        reacted.append(start["inserted"] - problem.faradaic_C["film"] / _E)
        counted += abs(inserted[-1] - inserted[-2])
    charge = {name: _E * (problem.amount(name) - start[name]) for name in problem.names}
    passed = _E * counted
    lowest = min(float(np.nanmin(problem.fraction(name))) for name in problem.names)
    up, down = inserted[10] - inserted[0], inserted[20] - inserted[10]
    film = (problem.faradaic_C["film"] + charge["inserted"]) / passed
    pulses = np.arange(21)
    drift = np.abs(np.array(inserted) - reacted) / counted
    figure.draw(
        figure.Panel("ions in the film after each pulse", "pulse", "ions (1/nm$^2$)", [
            figure.exact("start and the charge through the reaction", pulses, 1e-18 * np.array(reacted)),
            figure.computed("ions", pulses, 1e-18 * np.array(inserted)),
        ]),
        figure.Panel("difference of the two", "pulse", "over all that passed", [
            figure.computed("|ions - charge / q|", pulses, np.maximum(drift, 1e-17)),
            figure.limit("limit", pulses, 1e-8),
        ], y_log=True),
    )  # fmt: skip
    gate = (problem.faradaic_C["gate"] - sum(charge.values())) / passed
    return [
        Record.below("open circuit against the chemical potentials", rest - balance, 1e-9, "V"),
        Record.above("ions up, over those in the film", up / start["inserted"], 1e-3),
        Record.above("ions down, over those in the film", -down / start["inserted"], 1e-3),
        Record.below("charge into the film against its ions, relative", film, 1e-8),
        Record.below("charge through the gate's reaction against all ions, relative", gate, 1e-8),
        Record.below("charge of both wires, relative", sum(problem.charge_C.values()) / passed, 1e-8),
        Record.below("sum of the currents, relative", total, 1e-10),
        Record.below("displacement and Faradaic part against the current", split, 1e-10),
        Record.above("lowest fraction", lowest, 1e-300),
    ]
