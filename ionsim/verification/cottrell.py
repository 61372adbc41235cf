"""Current after a potential step at an electrode that takes up an ion of a supporting electrolyte: Cottrell's."""

import numpy as np
import scipy.constants

import fem
from ionsim.verification import figure
from ionsim.verification.ion_line import graded, line
from ionsim.verification.record import Record, case

BULK_PER_M3 = 1e-3 * fem.ONE_MOLAR_PER_M3
SUPPORT_PER_M3 = 1e3 * BULK_PER_M3
D_M2_PER_S = 1e-9
LENGTH_NM = 4e4
STEP_V = -0.5
LAYER_F_PER_M2 = 0.2  # compact layer, chosen
EXCHANGE_A_PER_M2 = 1e3  # chosen: fast enough that the density at the electrode vanishes
TIMES_S = (1e-3, 1e-2, 5e-2)
FIRST_S = 1e-10


def faradaic(permittivity: float, first_nm: float) -> tuple[list[float], float, float]:
    """Faradaic currents (A/m^2) at TIMES_S; largest loss of current between the ends, relative; lowest density."""
    cell = line(graded(first_nm, LENGTH_NM, 1.07), {"electrolyte": (0.0, LENGTH_NM)})
    bulk = {"metal": BULK_PER_M3, "plus": SUPPORT_PER_M3, "minus": SUPPORT_PER_M3 + BULK_PER_M3}
    species = {
        name: fem.Species("solution", -1 if name == "minus" else 1, D_M2_PER_S, density)
        for name, density in bulk.items()
    }
    kT_eV = scipy.constants.k * 300.0 / scipy.constants.elementary_charge
    equilibrium = kT_eV * float(np.log(BULK_PER_M3 / fem.ONE_MOLAR_PER_M3))
    reaction = fem.ChargeTransfer("metal", EXCHANGE_A_PER_M2, reservoir_eV=equilibrium)
    problem = fem.Transport(
        cell, {"electrolyte": permittivity}, {"solution": fem.Phase(["electrolyte"])}, species,
        {"electrode": fem.Terminal(["bottom"], reactions=[reaction], capacitance_F_per_m2=LAYER_F_PER_M2),
         "counter": fem.Terminal(["top"], densities_per_m3=bulk)},
    )  # fmt: skip
    problem.steady({"electrode": 0.0, "counter": 0.0})
    currents, lost, following, seen = [], 0.0, FIRST_S, []
    voltages = {"electrode": STEP_V, "counter": 0.0}
    control = fem.TimeControl(0.0, TIMES_S[-1], FIRST_S, TIMES_S[:-1], growth=1.15, target_iterations=20)
    while not control.finished:
        control.dt_s = max(control.dt_s, following)  # a milestone is no corner here: the steps go on as they were
        step = control.advance(lambda dt: problem.attempt(dt, voltages))
        following = step.dt_s
        state = step.attempt.result
        lost = max(lost, abs(sum(state.currents_A.values()) / state.currents_A["electrode"]))
        seen.append((step.end_s, -state.faradaic_A["electrode"]))
        if step.end_s in TIMES_S:
            currents.append(state.faradaic_A["electrode"])
    times_s, found = np.transpose(seen)
    kind = "Poisson and double layer" if permittivity else "electroneutral"
    figure.draw(figure.Panel(kind, "time (s)", "Faradaic current, out (A/m$^2$)", [
        figure.exact("Cottrell", times_s[times_s > 1e-7], [-_exact(float(t)) for t in times_s[times_s > 1e-7]]),
        figure.computed("finite volumes", times_s, found),
        figure.computed("held to 1 %", TIMES_S, np.abs(currents)),
    ], True, True))  # fmt: skip
    return currents, lost, min(float(problem.density_per_m3(name).min()) for name in bulk)


@case(
    "cottrell", "ECRAM",
    problem=(
        "An electrode takes up an ion of 1 mM, in a supporting electrolyte of 1 M, after a step of -0.5 V: so fast a "
        "reaction that the density at the electrode vanishes. With Poisson's equation and the double layer, and "
        "electroneutral; 40 µm to the bath."
    ),
    exact=r"Cottrell: $i(t) = -q c \sqrt{D/\pi t}$.",
    sources=(
        "F. G. Cottrell, Z. Phys. Chem. 42, 385 (1903)",
        "A. J. Bard, L. R. Faulkner, Electrochemical Methods, 2nd ed., Wiley 2001, section 5.2",
    ),
)  # fmt: skip
def cottrell() -> list[Record]:
    """Diffusion-limited current after a step of -0.5 V, in a supporting electrolyte: Cottrell's within 1 %."""
    records = []
    for kind, permittivity, first_nm in (("Poisson", 78.5, 0.05), ("electroneutral", 0.0, 20.0)):
        currents, lost, lowest = faradaic(permittivity, first_nm)
        for time, current in zip(TIMES_S, currents, strict=True):
            error = current / _exact(time) - 1.0
            records.append(Record.below(f"{kind}: Faradaic current at {time:g} s, relative", error, 0.01))
        records.append(Record.below(f"{kind}: current in and out, relative", lost, 1e-10))
        records.append(Record.above(f"{kind}: lowest density", lowest, 1e-300, "1/m^3"))
    return records


def _exact(time_s: float) -> float:
    """A/m^2, into the device: ions that leave it count negative."""
    return -scipy.constants.elementary_charge * BULK_PER_M3 * float(np.sqrt(D_M2_PER_S / (np.pi * time_s)))
