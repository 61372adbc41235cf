"""Potentials across membranes at zero current, by drift and diffusion: Nernst's and Goldman's."""

import numpy as np
import scipy.constants

import fem
from ionsim.verification import figure
from ionsim.verification.ion_line import line
from ionsim.verification.record import Record, case

MILLIMOLAR = 1e-3 * fem.ONE_MOLAR_PER_M3
#: inside, outside in mM
NERNST_MM = {"K": (150.0, 4.5, 1, -90.7), "Na": (12.0, 145.0, 1, 64.4)}
NERNST_K = 300.0
#: charge, permeability, inside, outside in mM; order of the permeabilities and chloride chosen (see ``goldman``)
GOLDMAN_MM = {"K": (1, 1.0, 150.0, 4.5), "Cl": (-1, 0.1, 10.0, 110.0), "Na": (1, 0.03, 12.0, 145.0)}
GOLDMAN_K, GOLDMAN_MV = 310.0, -75.0
PARTITION = 1e-7  # into the membrane, chosen: its ions do not bend the potential
BATH_NM, MEMBRANE_NM = 30.0, 10.0


def selective_membrane(cation: str, outside_mM: float | None = None) -> float:
    """Potential inside minus outside in V: two chloride baths, and between them a region that only cations enter.

    Double layers form on both sides; the potential is that of the inner bath, which floats.
    """
    inside, outside, charge, _ = NERNST_MM[cation]
    outside = outside_mM or outside
    a, b, c = BATH_NM, BATH_NM + MEMBRANE_NM, 2.0 * BATH_NM + MEMBRANE_NM
    away = np.geomspace(0.05, BATH_NM, 40)
    z = np.concatenate([a - away[::-1], np.linspace(a, b, 81), b + away])
    cell = line(z, {"inside": (0.0, a), "membrane": (a, b), "outside": (b, c)})
    middle = 0.5 * (a + b)
    start = np.where(np.sort(z) < middle, inside, outside) * MILLIMOLAR
    baths = ["inside", "outside"]
    problem = fem.Transport(
        cell, dict.fromkeys(cell.regions, 78.5), {"solution": fem.Phase(["inside", "membrane", "outside"])},
        {cation: fem.Species("solution", charge, 1e-9, inside * MILLIMOLAR),
         "Cl": fem.Species("solution", -charge, 1e-9, inside * MILLIMOLAR, baths)},
        {"inside": fem.Terminal(["bottom"], densities_per_m3=dict.fromkeys((cation, "Cl"), inside * MILLIMOLAR)),
         "outside": fem.Terminal(["top"], densities_per_m3=dict.fromkeys((cation, "Cl"), outside * MILLIMOLAR))},
        temperature_K=NERNST_K,
    )  # fmt: skip
    order = np.argsort(np.argsort(problem.space.tabulate_dof_coordinates()[:, 0]))
    for name in (cation, "Cl"):
        problem.set_density(name, start[order])
    state = problem.steady({"outside": 0.0}, {"inside": 0.0})
    return state.voltages_V["inside"]


def leaky_membrane(potassium_mM: float | None = None) -> tuple[float, float]:
    """Potential in V inside minus outside of a membrane that several ions pass, and of Goldman's equation."""
    cell = line(np.linspace(0.0, MEMBRANE_NM, 21), {"membrane": (0.0, MEMBRANE_NM)})
    species, inner, outer = {}, {}, {}
    table = dict(GOLDMAN_MM)
    if potassium_mM is not None:
        table["K"] = (*table["K"][:3], potassium_mM)
    for name, (charge, permeability, inside, outside) in table.items():
        inner[name], outer[name] = (c * MILLIMOLAR * PARTITION for c in (inside, outside))
        species[name] = fem.Species("lipid", charge, permeability * 1e-9, inner[name])
    problem = fem.Transport(
        cell, {"membrane": 2.0}, {"lipid": fem.Phase(["membrane"])}, species,
        {"inside": fem.Terminal(["bottom"], densities_per_m3=inner),
         "outside": fem.Terminal(["top"], densities_per_m3=outer)},
        temperature_K=GOLDMAN_K,
    )  # fmt: skip
    state = problem.steady({"outside": 0.0}, {"inside": 0.0})
    return state.voltages_V["inside"], goldman_V(table)


def goldman_V(table: dict[str, tuple[int, float, float, float]]) -> float:
    """Goldman's equation for ions with (charge, permeability, inside, outside)."""
    out = sum(p * (o if z > 0 else i) for z, p, i, o in table.values())
    into = sum(p * (i if z > 0 else o) for z, p, i, o in table.values())
    thermal = scipy.constants.k * GOLDMAN_K / scipy.constants.elementary_charge
    return thermal * float(np.log(out / into))


@case(
    "nernst-potentials", "ECRAM",
    problem=(
        "Two chloride baths and between them 10 nm that one cation alone enters, double layers and all: K+ 150/4.5 "
        "mM and Na+ 12/145 mM (inside/outside) at 300 K."
    ),
    exact=r"Nernst: $V = \frac{kT}{zq}\ln\frac{c_o}{c_i}$.",
    sources=(
        "W. Nernst, Z. Phys. Chem. 4, 129 (1889)",
        "B. Hille, Ion Channels of Excitable Membranes, Sinauer 2001: concentrations",
    ),
    quick=True,
)  # fmt: skip
def nernst() -> list[Record]:
    """A membrane that one cation enters: K+ 150/4.5 mM -90.7 mV, Na+ 12/145 mM +64.4 mV, at 300 K, within 0.5 mV."""
    thermal_mV = 1e3 * scipy.constants.k * NERNST_K / scipy.constants.elementary_charge
    records, ratios, volts = [], [], []
    for name, (inside, outside, charge, expected) in NERNST_MM.items():
        found = 1e3 * selective_membrane(name)
        exact = thermal_mV / charge * float(np.log(outside / inside))
        records += [Record(f"{name}+: potential inside", found, "mV"),
                    Record.below(f"{name}+: against Nernst's equation", found - exact, 0.5, "mV"),
                    Record.below(f"{name}+: against {expected} mV", found - expected, 0.5, "mV")]  # fmt: skip
        more = np.array([0.1, 1.0, 10.0]) * inside
        ratios.append(np.append(more, outside) / inside)
        volts.append(np.append([1e3 * selective_membrane(name, one) for one in more], found))
    fine = np.geomspace(0.02, 15.0, 50)
    figure.draw(figure.Panel("membrane that one cation enters", "concentration outside over inside", "inside (mV)", [
        figure.exact("Nernst", fine, thermal_mV * np.log(fine)),
        *(figure.computed(f"{name}+", x, y) for name, x, y in zip(NERNST_MM, ratios, volts, strict=True)),
    ], True))  # fmt: skip
    return records


@case(
    "goldman-potential", "ECRAM",
    problem=(
        "A membrane of 10 nm that K+, Cl- and Na+ pass with permeabilities 1 : 0.1 : 0.03, at 310 K, between baths "
        "of 150/4.5, 10/110 and 12/145 mM (inside/outside); zero current."
    ),
    exact=(
        r"Goldman: $V = \frac{kT}{q}\,\ln\frac{P_K K_o + P_{Na} Na_o + P_{Cl} Cl_i}{P_K K_i + P_{Na} Na_i + P_{Cl} "
        r"Cl_o}$."
    ),
    sources=("D. E. Goldman, J. Gen. Physiol. 27, 37 (1943)", "A. L. Hodgkin, B. Katz, J. Physiol. 108, 37 (1949)"),
    quick=True,
)  # fmt: skip
def goldman() -> list[Record]:
    """A membrane that K+, Cl- and Na+ pass with 1 : 0.1 : 0.03 at 310 K: -75 mV within 0.5 mV.

    The target gives neither the order of the permeabilities nor chloride. With the concentrations of the Nernst
    potentials 1 : 0.1 for K+ : Na+ cannot give -75 mV, whatever chloride is; 1 : 0.03 with 10 mM chloride inside and
    110 mM outside does.
    """
    found, exact = leaky_membrane()
    outside = np.array([0.5, 1.5, 4.5, 15.0, 50.0, 150.0])
    sweep = [1e3 * leaky_membrane(float(one))[0] for one in outside]
    fine, (charge, share, inside, _) = np.geomspace(0.5, 150.0, 60), GOLDMAN_MM["K"]
    law = [1e3 * goldman_V({**GOLDMAN_MM, "K": (charge, share, inside, float(one))}) for one in fine]
    thermal = scipy.constants.k * GOLDMAN_K / scipy.constants.elementary_charge
    figure.draw(figure.Panel("membrane that three ions pass", "K$^+$ outside (mM)", "inside (mV)", [
        figure.exact("Goldman", fine, law), figure.computed("finite volumes", outside, sweep),
        figure.other("Nernst, K$^+$ alone", outside, 1e3 * thermal * np.log(outside / inside)),
    ], True))  # fmt: skip
    return [
        Record("potential inside", 1e3 * found, "mV"),
        Record.below("against Goldman's equation", 1e3 * (found - exact), 0.1, "mV"),
        Record.below(f"against {GOLDMAN_MV} mV", 1e3 * found - GOLDMAN_MV, 0.5, "mV"),
    ]
