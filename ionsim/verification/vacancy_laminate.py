"""Effective diffusivity of a laminate of grains and fast layers, from the decay of a wave: along and across it."""

import numpy as np
import scipy.constants
from numpy.typing import NDArray

import fem
from ionsim.verification import figure
from ionsim.verification.record import Record, case
from ionsim.verification.vacancy_meshes import grid

Array = NDArray[np.float64]
_KELVIN = 600.0
_KT = scipy.constants.k / scipy.constants.elementary_charge * _KELVIN
_GRAIN, _FAST = 1e-18, 2e-16  # m^2/s
_ENERGY_EV = -0.1  # of the fast layers: 6.9 times as many vacancies
_GRAIN_NM, _LAYER_NM = 4.0, 0.4


def _laws() -> dict[str, fem.VacancyRegion]:
    return {"grain": fem.VacancyRegion(_GRAIN), "layer": fem.VacancyRegion(_FAST, energy_eV=_ENERGY_EV)}


def _decay(
    body: fem.VacancyTransport, along: Array, length_nm: float, expected: float, volts: Array, name: str
) -> float:
    """Diffusivity from the slowest mode of a closed body of this length, seeded with its cosine."""
    body.set_density(1e24 * (1.0 + 0.5 * np.cos(np.pi * along / length_nm)), np.full_like(along, _KELVIN))
    rate = expected * (np.pi / (length_nm * 1e-9)) ** 2
    wave = np.cos(np.pi * along / length_nm)
    rest = body.total / float(body.amounts @ np.ones_like(along))
    dt_s, seen = 0.01 / rate, []
    for _ in range(80):
        body.step(dt_s, volts, _KELVIN)
        seen.append(float((body.amounts * rest) @ wave))
    times = dt_s * np.arange(1.0, 81.0)
    figure.draw(figure.Panel(name, "time (s)", "size of the wave", [
        figure.exact("effective medium", times, seen[0] * np.exp(-rate * (times - times[0]))),
        figure.computed("finite volumes", times[::4], seen[::4]),
    ], y_log=True))  # fmt: skip
    return float(np.log(seen[39] / seen[79]) / (40 * dt_s)) / (np.pi / (length_nm * 1e-9)) ** 2


def effective_along() -> float:
    """Mean of D weighted by what each part holds: sum of w D K over sum of w K."""
    more = np.exp(-_ENERGY_EV / _KT)
    held = np.array([_GRAIN_NM, _LAYER_NM * more])
    return float(held @ [_GRAIN, _FAST] / held.sum())


def effective_across() -> float:
    """Resistances w / (D K) in series, over what a period holds for its length."""
    more = np.exp(-_ENERGY_EV / _KT)
    width = _GRAIN_NM + _LAYER_NM
    held = (_GRAIN_NM + _LAYER_NM * more) / width
    return float(width / (_GRAIN_NM / _GRAIN + _LAYER_NM / (_FAST * more)) / held)


def along(thin: bool) -> float:
    """D along 600 nm of half a grain and half a layer; ``thin``: meshed, else a layer of no thickness on its edge.

    Grains are filled from the layer in 0.003 of the decay time, by which the decay is slower than that of the laminate
    (0.7 % slower over 300 nm).
    """
    length = 600.0
    z = np.linspace(0.0, length, 61)
    if thin:
        x = np.concatenate([[0.0], 0.5 * _LAYER_NM + np.linspace(0.0, 0.5 * _GRAIN_NM, 9)])
        inner = 0.5 * _LAYER_NM
        cell = grid([x, z], {"layer": [(0.0, inner), (0.0, length)], "grain": [(inner, x[-1]), (0.0, length)]})
        body = fem.VacancyTransport(cell, _laws(), 1e24, 2.0)
    else:
        x = np.linspace(0.0, 0.5 * _GRAIN_NM, 9)
        cell = grid([x, z], {"grain": [(0.0, x[-1]), (0.0, length)]})
        edge = fem.FastLayer(lambda points: points[:, 0] < 1e-9, 0.5 * _LAYER_NM, _laws()["layer"])
        body = fem.VacancyTransport(cell, {"grain": _laws()["grain"]}, 1e24, 2.0, layers={"edge": edge})
    place = body.space.tabulate_dof_coordinates()[:, 1]
    kind = "layers meshed" if thin else "layers without thickness"
    return _decay(body, place, length, effective_along(), np.zeros_like(place), f"along, {kind}")


def across() -> float:
    """D across 40 periods of grain and meshed layer, on a line."""
    periods, lines = 40, [0.0]
    boxes: list[tuple[str, list[tuple[float, float]]]] = []
    for k in range(periods):
        begin = k * (_GRAIN_NM + _LAYER_NM)
        stops = (begin, begin + 0.5 * _GRAIN_NM, begin + 0.5 * _GRAIN_NM + _LAYER_NM, begin + _GRAIN_NM + _LAYER_NM)
        for name, low, high, count in (("grain", *stops[:2], 4), ("layer", *stops[1:3], 2), ("grain", *stops[2:], 4)):
            boxes.append((name, [(low, high)]))
            lines.extend(np.linspace(low, high, count + 1)[1:])
    z = np.array(lines)
    cell = grid([z], boxes)
    body = fem.VacancyTransport(cell, _laws(), 1e24, 2.0)
    place = body.space.tabulate_dof_coordinates()[:, 0]
    return _decay(body, place, float(z[-1]), effective_across(), np.zeros_like(place), "across, layers meshed")


@case(
    "vacancy-laminate", "grain boundaries",
    problem=(
        "A laminate of grains (4 nm) and fast layers (0.4 nm, D 200 times as high) that attract vacancies by 0.1 eV, "
        "at 600 K: the decay of a wave along and across it."
    ),
    exact=(
        r"Along: $\sum w D K/\sum w K$. Across: $w / \sum (w_i/D_iK_i)$ over what a period holds for its length: "
        r"resistances in parallel and in series."
    ),
)  # fmt: skip
def vacancy_laminate() -> list[Record]:
    """Effective diffusivity along and across a laminate with fast layers that attract vacancies, within 0.5 %."""
    lengthwise, crosswise = effective_along(), effective_across()
    return [
        Record("along: effective over grain", lengthwise / _GRAIN),
        Record.below("along, layers as thin regions", along(True) / lengthwise - 1.0, 5e-3),
        Record.below("along, layers without thickness", along(False) / lengthwise - 1.0, 5e-3),
        Record("across: effective over grain", crosswise / _GRAIN),
        Record.below("across, layers as thin regions", across() / crosswise - 1.0, 5e-3),
    ]
