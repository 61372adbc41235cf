"""Fisher's grain boundary: a fast layer feeds the crystal beside it (Harrison's kinetics of type B).

J. C. Fisher, J. Appl. Phys. 22, 74 (1951); exact solution for a constant source: R. T. P. Whipple, Phil. Mag. 45, 1225
(1954); slope of the section mean: A. D. Le Claire, Br. J. Appl. Phys. 14, 351 (1963).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import erfc

import fem
from ionsim.verification import figure
from ionsim.verification.record import Record, case
from ionsim.verification.vacancy_meshes import grid

Array = NDArray[np.float64]
_D = 1e-18  # m^2/s
_LENGTH_NM = 10.0  # sqrt(D t)
_WIDTH_NM = 0.5
_SLOPE = 0.78  # -d ln(mean) / d(eta / sqrt(beta))^(6/5), Le Claire: s delta D_gb = 1.322 sqrt(D/t) (slope by y)^(-5/3)


def whipple_mean(eta: float, beta: float, ratio: float) -> float:
    """Mean over one side, in lengths sqrt(D t), of Whipple's density less that of the surface, at depth eta.

    His integral over sigma from 1 to the ratio of the diffusivities, integrated over the distance from the boundary:
    the integral of erfc from u is exp(-u^2)/sqrt(pi) - u erfc(u).
    """

    def integrand(sigma: float) -> float:
        steep = 0.5 * np.sqrt((ratio - 1.0) / (ratio - sigma))
        u = steep * (sigma - 1.0) / beta
        beyond = np.exp(-u * u) / np.sqrt(np.pi) - u * erfc(u)
        return float(np.exp(-eta * eta / (4.0 * sigma)) * sigma**-1.5 * beyond / steep)

    # in ln(sigma): the integrand spans decades; beyond u = 12 nothing is left
    last = min(ratio * (1.0 - 1e-12), 1.0 + 24.0 * beta)
    value, _ = quad(lambda s: integrand(np.exp(s)) * np.exp(s), 0.0, np.log(last), limit=400, epsabs=0.0, epsrel=1e-9)
    return float(eta / (2.0 * np.sqrt(np.pi)) * value)


def profile(beta: float, steps: int = 120) -> tuple[Array, Array]:
    """Depths eta (n,) and the mean over one side (as ``whipple_mean``) at the time when sqrt(D t) is 10 nm."""
    fast = beta * 2.0 * _D * _LENGTH_NM / _WIDTH_NM
    reach = 10.0 * _LENGTH_NM * np.sqrt(beta)
    x = np.concatenate([[0.0], np.geomspace(0.4, 7.0 * _LENGTH_NM, 28)])
    y = np.concatenate([[0.0], np.geomspace(1.0, 0.03 * reach, 12), np.linspace(0.03 * reach, reach, 90)[1:]])
    cell = grid([x, y], {"grain": [(0.0, x[-1]), (0.0, reach)]})
    half = fem.FastLayer(lambda points: points[:, 0] < 1e-9, 0.5 * _WIDTH_NM, fem.VacancyRegion(fast))
    body = fem.VacancyTransport(
        cell, {"grain": fem.VacancyRegion(_D)}, 0.0, 2.0, layers={"boundary": half},
        electrodes={"bottom": fem.VacancyElectrode(density_per_m3=1e24)},
    )  # fmt: skip
    end_s, time_s = (_LENGTH_NM * 1e-9) ** 2 / _D, 0.0
    dt_s = 1e-6 * end_s
    growth = 1.15
    while time_s < end_s * (1.0 - 1e-9):
        dt_s = min(dt_s * growth, end_s / steps, end_s - time_s)
        body.step(dt_s, 0.0, 600.0)
        time_s += dt_s
    points = body.space.tabulate_dof_coordinates()
    depth, index = np.unique(points[:, 1].round(6), return_inverse=True)
    bare = erfc(depth / _LENGTH_NM / 2.0)
    table = np.zeros((depth.size, x.size))
    table[index, np.searchsorted(x, points[:, 0] - 1e-6)] = body.density_per_m3 / 1e24
    return depth / _LENGTH_NM, np.asarray(np.trapezoid(table - bare[:, None], x / _LENGTH_NM, axis=1))


@case(
    "vacancy-fisher", "grain boundaries",
    problem=(
        "A grain boundary 0.5 nm wide feeds the crystal beside it from a surface of constant density, beta = 1000 "
        "(Harrison's type B), when sqrt(Dt) is 10 nm."
    ),
    exact=(
        r"Whipple's exact solution, as the mean over sections; Le Claire: $-d\ln\bar c/d(\eta\beta^{-1/2})^{6/5} = "
        r"0.78$."
    ),
    sources=(
        "J. C. Fisher, J. Appl. Phys. 22, 74 (1951)",
        "R. T. P. Whipple, Phil. Mag. 45, 1225 (1954)",
        "A. D. Le Claire, Br. J. Appl. Phys. 14, 351 (1963)",
    ),
)  # fmt: skip
def vacancy_fisher() -> list[Record]:
    """Grain boundary of Fisher, type B: Whipple's exact profile, and Le Claire's slope of ln(mean) against y^(6/5)."""
    beta = 1e3
    ratio = beta * 2.0 * _LENGTH_NM / _WIDTH_NM + 1.0
    eta, mean = profile(beta)
    scaled = eta / np.sqrt(beta)
    seen = (scaled > 0.3) & (scaled < 8.0)
    exact = np.array([whipple_mean(one, beta, ratio) for one in eta[seen]])
    straight = (scaled > 2.0) & (scaled < 6.0)
    slope = -np.polyfit(scaled[straight] ** 1.2, np.log(mean[straight]), 1)[0]
    of_exact = -np.polyfit(scaled[straight] ** 1.2, np.log(exact[straight[seen]]), 1)[0]
    wide = (scaled > 0.3) & (scaled < 8.0)
    figure.draw(
        figure.Panel("mean beside a grain boundary", "$(\\eta/\\sqrt{\\beta})^{6/5}$", "mean density", [
            figure.exact("Whipple", scaled[wide] ** 1.2, exact),
            figure.computed("finite volumes", scaled[wide][::2] ** 1.2, mean[wide][::2]),
            figure.other("slope 0.78, Le Claire", scaled[straight] ** 1.2, 0.7 * mean[straight][0] * np.exp(
                -_SLOPE * (scaled[straight] ** 1.2 - scaled[straight][0] ** 1.2)))], y_log=True),
        figure.Panel("its error", "$\\eta/\\sqrt{\\beta}$", "mean over Whipple's less 1", [
            figure.exact("Whipple", scaled[wide][[0, -1]], [0.0, 0.0]),
            figure.computed("finite volumes", scaled[wide], mean[wide] / exact - 1.0),
            figure.limit("limits", scaled[wide], 0.03), figure.limit("", scaled[wide], -0.03)]),
    )  # fmt: skip
    return [
        Record("alpha = delta / (2 sqrt(D t)), type B needs below 0.1", _WIDTH_NM / 2.0 / _LENGTH_NM),
        Record("beta = delta D_gb / (2 D sqrt(D t)), type B needs above 10", beta),
        Record.below("mean against Whipple's, largest", float(np.abs(mean[seen] / exact - 1.0).max()), 0.03),
        Record("slope of Whipple's mean by (eta / sqrt(beta))^(6/5)", float(of_exact)),
        Record.below("slope against Whipple's", slope / of_exact - 1.0, 0.01),
        Record.below("slope against Le Claire's 0.78", slope / _SLOPE - 1.0, 0.03),
    ]
