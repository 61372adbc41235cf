"""Forward and backward events in a field: their numbers are in the ratio exp(-dU/kT)."""

import numpy as np

import kmc
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.record import Record, case
from ionsim.verification.tilted_line import engine_in_field, places

_PAIRS = 10_000
_TEMPERATURE_K = 500.0


@case(
    "detailed-balance-field", "kmc engine",
    problem=(
        "Ions hop on long lines in a uniform field of 0.5 and 2 kT a site; and 10,000 pairs of sites make and unmake "
        "a vacancy and an interstitial (charges +2 and -2) at five steps of the potential, at 500 K."
    ),
    exact=(
        r"Detailed balance: events along and against are in the ratio $e^{-\Delta U/kT}$; a pair is made with the "
        r"chance $1/(1 + e^{\Delta U/kT})$."
    ),
    sources=("N. G. van Kampen, Stochastic Processes in Physics and Chemistry, North-Holland 1992, chapters 5 and 12",),
)  # fmt: skip
def detailed_balance_field() -> list[Record]:
    """Hops along and against a field, and charged pairs in fields, are in the ratio exp(-dU/kT), within 4 sigma."""
    records, ratios = [], []
    for seed, tilt in enumerate((0.25, 1.0)):
        engine = engine_in_field(tilt, seed)
        engine.run(until_s=np.inf, max_events=100_000)
        hops, net = engine.counts["hop"], int(places(engine).sum())
        along, against = (hops + net) // 2, (hops - net) // 2
        chance = 1.0 / (1.0 + np.exp(-2.0 * tilt))
        ratios.append((-2.0 * tilt, along / against, along / against * np.sqrt(1.0 / along + 1.0 / against)))
        records += [
            Record(f"hops along / against, dU = -{2.0 * tilt:g} kT, over exp(-dU/kT)", along / against
                   * np.exp(-2.0 * tilt)),
            Record.below(f"hops along, dU = -{2.0 * tilt:g} kT, deviation", lattice_statistics.of_binomial(
                along, hops, chance), 4.0, "sigma"),
        ]  # fmt: skip
    change, found, error = np.transpose(ratios)
    fine = np.linspace(-2.2, 0.0, 50)
    figure.draw(figure.Panel("hops along over hops against", "dU (kT)", "ratio", [
        figure.exact("$e^{-\\Delta U/kT}$", fine, np.exp(-fine)), figure.computed("lattice", change, found, error),
    ], y_log=True))  # fmt: skip
    return records + _pairs()


def _pairs() -> list[Record]:
    """O + empty <-> V(2+) + Oi(2-) on separate pairs of sites, after a time in which each turned over many times."""
    steps_V = np.array([-0.06, -0.02, 0.0, 0.02, 0.06])  # potential of the vacancy's site minus that of the ion's
    count = _PAIRS * len(steps_V)
    positions = np.zeros((2 * count, 3))
    positions[0::2, 0] = np.arange(count)
    positions[1::2, 0] = np.arange(count) + 0.25
    model = kmc.Model(
        species=("O", "empty", "V", "Oi"),
        processes=[kmc.reaction("make", ("O", "empty"), ("V", "Oi"), 0.6, energy_eV=0.03, reverse_name="unmake")],
        charges_e={"V": 2.0, "Oi": -2.0},
    )
    sites = kmc.SiteGraph.from_positions(positions, cutoff_nm=0.3)
    engine = kmc.Engine(sites, model, np.tile([0, 1], count), seed=7)
    step = np.repeat(steps_V, _PAIRS)
    engine.set_fields(np.stack([0.3 + step, np.full(count, 0.3)], axis=1).ravel(), _TEMPERATURE_K)
    slowest_Hz = 1e13 * np.exp(-0.6 / (kmc.KB_EV * _TEMPERATURE_K))  # both directions together are never slower
    engine.run(until_s=20.0 / slowest_Hz)
    made = (engine.occupation[0::2] == 2).reshape(len(steps_V), _PAIRS).sum(axis=1)
    records = []
    for number, step_V in zip(made.tolist(), steps_V.tolist(), strict=True):
        change_eV = 0.03 + 2.0 * step_V
        chance = 1.0 / (1.0 + np.exp(change_eV / (kmc.KB_EV * _TEMPERATURE_K)))
        deviation = lattice_statistics.of_binomial(number, _PAIRS, chance)
        records.append(Record.below(f"pairs at dU = {change_eV:+.2f} eV, deviation", deviation, 4.0, "sigma"))
    changes = 0.03 + 2.0 * steps_V
    fine = np.linspace(changes.min(), changes.max(), 100)
    share = made / _PAIRS
    figure.draw(figure.Panel("pairs made", "dU (eV)", "share of the sites", [
        figure.exact("$1/(1 + e^{\\Delta U/kT})$", fine, 1.0 / (1.0 + np.exp(fine / (kmc.KB_EV * _TEMPERATURE_K)))),
        figure.computed("lattice", changes, share, np.sqrt(share * (1.0 - share) / _PAIRS)),
    ]))  # fmt: skip
    booked = engine.counts["make"] - engine.counts["unmake"] - int(made.sum())
    return [*records, Record.below("pairs made - unmade - present", booked, 0.0)]
