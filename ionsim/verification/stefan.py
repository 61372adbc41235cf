"""Solidification with latent heat against Neumann's similarity solution (H. Carslaw, J. Jaeger, Conduction of Heat in
Solids, 2nd ed., Oxford 1959, section 11.2).

Solid grows from a cold wall at T0 into liquid at Ti >= Tm; its front is at X = 2 lambda sqrt(alpha t). In the model the
front moves at mu (Tm - T), so it is colder than Tm by v/mu, and heat is set free over its width w instead of at one
point, where the gradient makes T differ by about (L v/kappa) w. Both errors are made to fall with the mesh: w goes as
the element, mu as 1/w.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import erf, erfc

import fem
from ionsim.verification import figure
from ionsim.verification.planar_front import REGION, box
from ionsim.verification.record import Record, case

Array = NDArray[np.float64]

# GST-225, arXiv:2107.02035; the same conductivity in both phases
LATENT, CAPACITY, KAPPA, MELTING_K = 625e6, 1.25e6, 0.5, 900.0
COLD_K = 600.0
ALPHA = KAPPA / CAPACITY
START_NM, END_NM, SIDE_NM = 50.0, 150.0, 800.0
MOBILITY_NM = 3.0  # mu w in nm m/(s K): chosen, v/mu is then 0.7 K at the end for w = 2 nm
_MOVE = 0.5  # of the width in a step


@dataclass(frozen=True)
class Solidified:
    """Front (nm) at the end, largest error of the temperature (K), energy not accounted for over what left, solves."""

    front_nm: float
    error_K: float
    energy: float
    iterations_per_step: float


def neumann(hot_K: float) -> float:
    """The number lambda of the front's position."""
    cold = CAPACITY * (MELTING_K - COLD_K) / LATENT
    hot = CAPACITY * (hot_K - MELTING_K) / LATENT

    def excess(number: float) -> float:
        flux = np.exp(-(number**2)) / np.sqrt(np.pi)
        return float(cold * flux / erf(number) - hot * flux / erfc(number) - number)

    return float(brentq(excess, 1e-6, 5.0))


def similarity_K(x_nm: Array, time_s: float, hot_K: float) -> Array:
    """Temperature of the similarity solution."""
    number = neumann(hot_K)
    scaled = 1e-9 * x_nm / (2.0 * np.sqrt(ALPHA * time_s))
    solid = COLD_K + (MELTING_K - COLD_K) * erf(scaled) / erf(number)
    liquid = hot_K - (hot_K - MELTING_K) * erfc(scaled) / erfc(number)
    return np.where(scaled < number, solid, liquid)


def solidify(width_nm: float, hot_K: float) -> Solidified:
    """From the similarity solution at 50 nm until that reaches 150 nm, with elements of one width."""
    cell = box((SIDE_NM,), width_nm)
    mobility = MOBILITY_NM / width_nm
    heat = fem.Heat(cell, {REGION: KAPPA}, {"bottom": COLD_K, "top": hot_K}, {REGION: CAPACITY})
    front = fem.PhaseFront(cell, REGION, lambda kelvin: mobility * (MELTING_K - kelvin), width_nm)
    front.set_distance(lambda x: START_NM - x[:, 0])
    latent = fem.LatentHeat(front, LATENT)
    number, x = neumann(hot_K), front.elements.x_nm[:, 0]
    time_s, end_s = (((1e-9 * place) / (2.0 * number)) ** 2 / ALPHA for place in (START_NM, END_NM))
    heat.temperature_K = similarity_K(x, time_s, hot_K)

    def content() -> float:
        return heat.stored_J() - LATENT * front.crystalline_m3

    before, entered, steps, solves = content(), 0.0, 0, 0
    while time_s < end_s * (1.0 - 1e-12):
        speed = number * np.sqrt(ALPHA / time_s)
        step_s = min(_MOVE * width_nm * 1e-9 / speed, end_s - time_s)
        done = latent.step(step_s, heat.temperature_K, fem.heat_step(heat, step_s))
        heat.temperature_K = done.temperature_K
        entered += step_s * sum(heat.reaction(name) for name in ("bottom", "top"))  # no storage at those nodes
        time_s, steps, solves = time_s + step_s, steps + 1, solves + done.iterations
    fine = np.linspace(0.0, 2.5 * END_NM, 300)
    near = x < 2.5 * END_NM
    figure.draw(figure.Panel(f"temperature at the end, width {width_nm:g} nm", "x (nm)", "temperature (K)", [
        figure.exact("Neumann", fine, similarity_K(fine, time_s, hot_K)),
        figure.computed("front and heat", x[near][::2], heat.temperature_K[near][::2]),
        figure.other("melting", fine[[0, -1]], [MELTING_K, MELTING_K]),
    ]))  # fmt: skip
    error = float(np.abs(heat.temperature_K - similarity_K(x, time_s, hot_K)).max())
    lost = (content() - before - entered) / abs(entered)
    return Solidified(front.crystalline_m3 * 1e9, error, lost, solves / steps)


def refined(hot_K: float, widths_nm: tuple[float, ...]) -> list[Record]:
    """Errors of the front's position for falling widths, the last of them within a per cent."""
    records, errors = [], []
    for width in widths_nm:
        found = solidify(width, hot_K)
        errors.append(found.front_nm / END_NM - 1.0)
        records.append(Record(f"width {width} nm: front over exact less 1", errors[-1]))
        records.append(Record.below(f"width {width} nm: energy lost, relative", found.energy, 1e-3))
    order = np.log(errors[-2] / errors[-1]) / np.log(widths_nm[-2] / widths_nm[-1])
    figure.draw(figure.convergence("position of the front", "width (nm)", "|front over exact less 1|", [
        ("front", widths_nm, errors)], 1.0))  # fmt: skip
    return [
        *records,
        Record.below("front over exact less 1, finest", errors[-1], 0.01),
        Record.above("order in the width", float(order), 0.8),
    ]


@case(
    "stefan-one-phase", "PCM",
    problem=(
        "Solidification with latent heat from a wall at 600 K into liquid GST at its melting point (900 K), from 50 "
        "to 150 nm, for widths of the front of 8, 4 and 2 nm."
    ),
    exact=(
        r"Neumann's similarity solution: $X = 2\lambda\sqrt{\alpha t}$ with $\lambda "
        r"e^{\lambda^2}\mathrm{erf}\,\lambda = \mathrm{St}/\sqrt{\pi}$. The model converges with order 1 in the "
        r"width."
    ),
    sources=("H. S. Carslaw, J. C. Jaeger, Conduction of Heat in Solids, 2nd ed., Oxford 1959, section 11.2",),
)  # fmt: skip
def one_phase() -> list[Record]:
    """Solidification of liquid at the melting point against Neumann's solution, under refinement."""
    return refined(MELTING_K, (8.0, 4.0, 2.0))


@case(
    "stefan-two-phases", "PCM",
    problem="As stefan-one-phase, with liquid 100 K above melting, from which heat flows to the front as well.",
    exact=(
        r"Neumann's: $\frac{\mathrm{St}_s\,e^{-\lambda^2}}{\sqrt{\pi}\,\mathrm{erf}\,\lambda} - "
        r"\frac{\mathrm{St}_l\,e^{-\lambda^2}}{\sqrt{\pi}\,\mathrm{erfc}\,\lambda} = \lambda$ for equal "
        r"diffusivities."
    ),
    sources=("H. S. Carslaw, J. C. Jaeger, Conduction of Heat in Solids, 2nd ed., Oxford 1959, section 11.2",),
)  # fmt: skip
def two_phases() -> list[Record]:
    """Solidification of liquid 100 K above melting against Neumann's solution, under refinement."""
    return refined(1000.0, (8.0, 4.0, 2.0))
