"""Conductors of fem.Transport: RC line, conduction, the limit of a perfect metal, sums of currents, heat, refusals."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import numpy as np
import pytest
import scipy.constants
from mpi4py import MPI

import fem.transportnewton
import meshes
from fem.transportsystem import Conditions, Rates

E_C = scipy.constants.elementary_charge
EPS0 = scipy.constants.epsilon_0
SIDE = "electrolyte/channel"
ENDS = ("source", "drain")


def mesh(length=30.0, **sizes):
    """A channel of 6 nm below 4 nm of electrolyte, between two contacts; about 150 nodes."""
    given = {"size_nm": 1.0, "growth": 2.0, "largest_nm": 4.0, "lateral_nm": 10.0, "edge_nm": 4.0} | sizes
    return meshes.ecram_vertical(
        channel_length_nm=length, gate_length_nm=length, channel_nm=6.0, electrolyte_nm=4.0, contact_nm=6.0,
        contact_length_nm=5.0, comm=MPI.COMM_SELF, **given,
    )  # fmt: skip


def capacitor(cell, sigma=10.0, contact=None, **options):
    """No ions: a dielectric between gate and channel."""
    terminals = {"gate": fem.Terminal(["gate"]), **{end: fem.Terminal(regions=[end]) for end in ENDS}}
    channel = fem.Conductor(["channel"], sigma, SIDE, contact)
    return fem.Transport(cell, {"electrolyte": 4.0}, {}, {}, terminals, conductors={"channel": channel}, **options)


def ionic(contact=None, metal=False, sigma=10.0, reaction=True, cell=None, **options):
    """Ions between a gate and a channel that they enter; ``metal``: the channel and its contacts are one terminal."""
    phases = {
        "electrolyte": fem.Phase(["electrolyte"], 1e27, fem.lattice_gas, -2e26),
        "channel": fem.Phase(["channel"], 1.8e28, fem.regular_solution(0.03)),
    }
    species = {
        "ion": fem.Species("electrolyte", 1, 1e-12, 2e26, hop_nm=0.3),
        "inserted": fem.Species("channel", 1, lambda x: (1e-13 * (1.0 - x), np.full_like(x, -1e-13)), 5e27),
    }
    law = fem.ChargeTransfer("ion", fem.insertion_exchange(1e3), "inserted")
    gate = fem.ChargeTransfer("ion", 1e4, reservoir_eV=-0.1, alpha=0.3)
    terminals = {"gate": fem.Terminal(["gate"], reactions=[gate], capacitance_F_per_m2=0.1)}
    if metal:
        terminals["channel"] = fem.Terminal(regions=["channel", *ENDS])
    else:
        terminals |= {end: fem.Terminal(regions=[end]) for end in ENDS}
        options["conductors"] = {"channel": fem.Conductor(["channel"], sigma, SIDE, contact)}
    return fem.Transport(
        cell or mesh(), {"electrolyte": 5.0}, phases, species, terminals,
        {SIDE: fem.Junction([law] if reaction else [], 0.2)}, **options,
    )  # fmt: skip


def biased(problem, seed=3):
    """Conductivities (local dofs,) between 5 and 50 S/m, and sheets that add to some nodes and take from others."""
    rng = np.random.default_rng(seed)
    count = problem.potential_V.size
    return 5.0 * 10.0 ** rng.uniform(0.0, 1.0, count), rng.uniform(-2e-8, 4e-8, count)


def test_an_rc_line_charges_as_its_series_says():
    """A strip over a dielectric, both ends at 0 V: charge after a step of the gate is C V (1 - sum of exponentials)."""
    length, sigma = 2000e-9, 10.0
    problem = capacitor(mesh(2000.0, lateral_nm=25.0, edge_nm=25.0), sigma)
    farads = 4.0 * EPS0 / 4e-9 * length
    unit_s = length / (sigma * 6e-9) * farads  # R C
    odd = np.arange(1, 400, 2)
    control = fem.TimeControl(0.0, unit_s, 2e-5 * unit_s, [0.02 * unit_s, 0.1 * unit_s, 0.3 * unit_s], growth=1.25)
    control.dt_max_s = 0.01 * unit_s
    found = []
    while not control.finished:
        step = control.advance(lambda dt: problem.attempt(dt, {"gate": 1.0, "source": 0.0, "drain": 0.0}))
        if step.milestone:
            problem.restart()
            series = 1.0 - 8.0 / np.pi**2 * float(np.sum(np.exp(-(odd * np.pi) ** 2 * step.end_s / unit_s) / odd**2))
            found.append((problem.charge_C["gate"] / farads, series))
    value, exact = np.array(found).T
    np.testing.assert_allclose(value, exact, atol=1e-3)


@pytest.mark.parametrize("contact", [None, 2e-12])
def test_a_steady_current_is_that_of_channel_conduction(contact):
    cell = mesh()
    problem = ionic(contact, cell=cell, reaction=False)
    sigma, sheet = biased(problem)
    problem.set_conductivity("channel", sigma, sheet)
    channel = fem.ChannelConduction(cell, contact_ohm_m2=contact)
    exact = 0.1 * channel.solve(sigma, sheet).conductance_S
    begin = problem.density_per_m3("inserted")
    state = problem.steady({"gate": 0.2, "source": 0.1, "drain": 0.0})
    assert state.currents_A["source"] == pytest.approx(exact, rel=1e-9)
    assert state.currents_A["drain"] == pytest.approx(-exact, rel=1e-9)
    assert state.conduction_A["source"] == pytest.approx(exact, rel=1e-9)
    assert problem.dissipation_W().sum() == pytest.approx(0.1 * exact, rel=1e-9)
    np.testing.assert_allclose(problem.density_per_m3("inserted"), begin, rtol=1e-12)  # neutral pairs stay


def test_a_read_beside_a_gate_pulse_adds_its_steady_current():
    """A dielectric is linear: the read's current is the same at every moment of the pulse."""
    cell = mesh()
    exact = 0.1 * fem.ChannelConduction(cell).solve(np.full(capacitor(cell).potential_V.size, 10.0)).conductance_S
    runs = []
    for volts in (0.0, 0.1):
        problem = capacitor(cell)
        problem.steady({"gate": 0.0, "source": volts, "drain": 0.0})
        runs.append([
            problem.step(dt, {"gate": gate, "source": volts, "drain": 0.0})
            for dt, gate in ((1e-12, 1.0), (1e-12, 2.0), (2e-12, 2.0), (1e-12, 0.0))
        ])  # fmt: skip
    for bare, read in zip(*runs, strict=True):
        assert abs(bare.currents_A["source"]) > 0.1 * exact
        for end, sign in (("source", 1.0), ("drain", -1.0), ("gate", 0.0)):
            difference = read.currents_A[end] - bare.currents_A[end]
            assert difference == pytest.approx(sign * exact, rel=1e-9, abs=1e-9 * exact)


def rested(problem):
    """The gate's voltage at open circuit, which the problem is brought to."""
    return problem.steady({name: 0.0 for name in problem.terminals if name != "gate"}, {"gate": 0.0}).voltages_V["gate"]


def pulse(problem, gate_V):
    """A pulse from the gate's voltage at rest, then the open gate; states one by one."""
    rest = {name: 0.0 for name in problem.terminals if name != "gate"}
    for dt_s in (1e-11, 1e-10, 1e-9, 4e-9):
        yield problem.step(dt_s, rest | {"gate": gate_V + 0.8})
    problem.restart()
    for dt_s in (1e-11, 1e-9, 1e-7, 1e-4):
        yield problem.step(dt_s, rest, {"gate": 0.0})


@pytest.mark.parametrize("order", [1, 2])
def test_a_perfect_conductor_is_a_metal(order):
    cell = mesh()
    kinds = ({"metal": True}, {"sigma": 1e10}, {"sigma": 0.1})
    problems = [ionic(cell=cell, order=order, **kind) for kind in kinds]
    gate_V, *_ = [rested(problem) for problem in problems]
    begin = [problem.amount("inserted") for problem in problems]
    for state, split, _ in zip(*(pulse(problem, gate_V) for problem in problems), strict=True):
        one, other, slow = (problem.amount("inserted") - at for problem, at in zip(problems, begin, strict=True))
        assert other == pytest.approx(one, rel=1e-6)
        if state.currents_A["gate"] > 1e-6:
            assert 0.0 < slow < 0.9 * one
        largest = max(map(abs, (*state.displacement_A.values(), *state.faradaic_A.values())))
        assert split.currents_A["gate"] == pytest.approx(state.currents_A["gate"], abs=1e-6 * largest)
        ends = sum(split.currents_A[end] for end in ENDS)
        assert ends == pytest.approx(state.currents_A["channel"], abs=1e-6 * largest)
        for part in ("displacement_A", "faradaic_A"):
            ends = sum(getattr(split, part)[name] for name in ("channel", *ENDS))
            assert ends == pytest.approx(getattr(state, part)["channel"], abs=1e-6 * largest)


def test_a_kept_matrix_gives_the_same_solution(monkeypatch):
    kept, fresh = ionic(sigma=0.5), ionic(sigma=0.5)
    some = list(pulse(kept, rested(kept)))
    monkeypatch.setattr(fem.transportnewton, "_TRUSTED", 0.0)
    every = list(pulse(fresh, rested(fresh)))
    assert sum(state.matrices for state in some) < 0.75 * sum(state.matrices for state in every)
    for one, other in zip(some, every, strict=True):
        largest = max(map(abs, (*other.displacement_A.values(), *other.faradaic_A.values())))
        for name, current in other.currents_A.items():
            assert one.currents_A[name] == pytest.approx(current, rel=1e-9, abs=1e-10 * largest)
    for name in kept.names:
        np.testing.assert_allclose(kept.density_per_m3(name), fresh.density_per_m3(name), rtol=1e-11)


@pytest.mark.parametrize("contact", [None, 2e-12])
def test_currents_come_apart_and_add_up(contact):
    cell = mesh()
    problem = ionic(contact, cell=cell)
    channel = fem.ChannelConduction(cell, contact_ohm_m2=contact)
    sigma, sheet = biased(problem)
    problem.set_conductivity("channel", sigma, sheet)
    share = channel.solve(sigma, sheet).source_share
    ends = {end: problem.region_nodes(end) for end in ENDS}
    if contact is not None:
        ends = {end: np.setdiff1d(nodes, channel.nodes) for end, nodes in ends.items()}
    nodes = {**ends, "channel": np.setdiff1d(channel.nodes, np.concatenate([*ends.values()]))}
    gate_V = rested(problem)
    begin = {name: problem.amount(name) for name in problem.names}
    most = 0.0
    for state in pulse(problem, gate_V):
        largest = max(map(abs, (*state.displacement_A.values(), *state.faradaic_A.values())))
        # Charges round as the largest of the pulse: after it the gate is open, and currents are 3,000 times smaller.
        most = max(most, largest)
        assert abs(sum(state.currents_A.values())) < min(2e-14 * most, 1e-11 * largest)
        for name, current in state.currents_A.items():
            parts = state.displacement_A[name] + state.faradaic_A[name] + state.conduction_A[name]
            assert abs(current - parts) < 1e-11 * largest
        taken = state.displacement_A["channel"] + state.faradaic_A["channel"]
        assert abs(sum(state.conduction_A.values()) - taken) < 1e-11 * largest
        for name, at in nodes.items():
            assert abs(state.metal_displacement_A[at].sum() - state.displacement_A[name]) < 1e-11 * largest
            assert abs(state.metal_ions_A[at].sum() - state.faradaic_A[name]) < 1e-11 * largest
        need = (state.metal_displacement_A + state.metal_ions_A)[nodes["channel"]]
        assert abs(need @ share[nodes["channel"]] - state.conduction_A["source"]) < 1e-10 * largest
        assert state.conduction_A["gate"] == 0.0
    gained = {name: E_C * (problem.amount(name) - begin[name]) for name in problem.names}
    faradaic = problem.faradaic_C
    assert -sum(faradaic[name] for name in nodes) == pytest.approx(gained["inserted"], rel=1e-8)
    assert faradaic["gate"] == pytest.approx(sum(gained.values()), abs=1e-8 * gained["inserted"])
    assert sum(problem.charge_C.values()) == pytest.approx(0.0, abs=1e-10 * gained["inserted"])


def test_ions_that_a_read_drives_around_heat_as_much_as_its_wires_put_in():
    """A steady loop: out of the channel where its potential is high, through the electrolyte, in where it is low."""
    problem = ionic(sigma=2e-4)
    state = problem.steady({"source": 0.2, "drain": 0.0}, {"gate": 0.0})
    inside = problem.fraction("inserted")[problem.region_nodes("channel")]
    assert np.ptp(inside) > 0.01
    power = 0.2 * state.currents_A["source"]
    assert problem.dissipation_W().sum() == pytest.approx(power, rel=1e-7)
    joule = problem._system.conductors.dissipation_W(problem._u).sum()
    assert joule < 0.999 * power


@pytest.mark.parametrize("contact", [None, 2e-12])
@pytest.mark.parametrize(("current", "ohms"), [([False] * 3, [0.0, 0.0, 1e-8]), ([True, False, False], [0.0] * 3)])
def test_newton_direction_is_exact(current, ohms, contact):
    problem = ionic(contact)
    layout, system = problem._layout, problem._system
    problem.set_conductivity("channel", *biased(problem))
    rng = np.random.default_rng(1)
    u = rng.normal(0.0, 0.05, layout.size)
    for one, initial in zip(layout.populations, layout.initial, strict=True):
        u[one.unknown[one.nodes]] = initial * rng.uniform(0.7, 1.2, initial.size)
    moved = rng.normal(size=u.size) * 1e-3
    rates = Rates(1e9, moved * 3e8)
    conditions = Conditions(np.array(current), np.array([0.1, 0.3, 0.2]), np.array(ohms))
    owed = system.poisson.gauss(u)

    def residual(change, jacobian=False):
        free = {name: 1.0 - x for name, x in system.fractions(u + change).items()}
        return system.evaluate(u + change, free, moved + change, rates, conditions, owed, jacobian).residual

    system.direction(residual(np.zeros_like(u), jacobian=True))
    for wanted in (-residual(np.zeros_like(u)), rng.normal(size=u.size) * np.abs(residual(1e-3 * u))):
        direction = system.correction(-wanted)
        h = 1e-5 / np.abs(direction / u).max()
        slope = (residual(h * direction) - residual(-h * direction)) / (2.0 * h)
        for rows in (
            slice(0, layout.first_conductor), slice(layout.first_conductor, layout.first_terminal),
            slice(layout.first_terminal, layout.potentials), slice(layout.potentials, None),
        ):  # fmt: skip
            assert np.abs((slope - wanted)[rows]).max() < 1e-6 * np.abs(wanted[rows]).max()


def test_what_is_refused():
    cell = mesh()
    problem = capacitor(cell)
    count = problem.potential_V.size
    for match, given in (
        ("conductor", ("chanel", np.ones(count))), ("positive", ("channel", np.zeros(count))),
        ("sheet_S must be finite", ("channel", np.ones(count), np.full(count, np.nan))),
    ):  # fmt: skip
        with pytest.raises(fem.FemError, match=match):
            problem.set_conductivity(*given)
    terminals = {"gate": fem.Terminal(["gate"]), "channel": fem.Terminal(regions=["source"])}
    body = fem.Conductor(["channel"], 1.0)
    metal = {"electrolyte": 4.0, "source": 1.0, "drain": 1.0}
    for match, names, conductors in (
        ("has the name of a terminal", terminals, {"channel": body}),
        ("metal of something else", {"gate": fem.Terminal(["gate"], ["channel"])}, {"film": body}),
        ("touches another conductor", terminals, {"one": body, "two": fem.Conductor(["drain"], 1.0)}),
        ("interface 'electrolyte/chanel'", terminals, {"film": fem.Conductor(["channel"], 1.0, "electrolyte/chanel")}),
        ("conductor region", terminals, {"film": fem.Conductor(["chanel"], 1.0)}),
    ):
        with pytest.raises(fem.FemError, match=match):
            fem.Transport(cell, metal, {}, {}, names, conductors=conductors)
    with pytest.raises(fem.FemError, match="sigma_S_per_m"):
        fem.Conductor(["channel"], -1.0)
    bare = fem.Transport(cell, {"electrolyte": 4.0}, {}, {}, {"gate": fem.Terminal(["gate"])},
                         conductors={"film": fem.Conductor(["channel", *ENDS], 1.0)})  # fmt: skip
    with pytest.raises(fem.FemError, match="needs an interface"):
        bare.set_conductivity("film", np.ones(count), np.ones(count))


def test_a_conductor_without_contact_floats_and_keeps_its_charge():
    """Capacitors in series: the channel between gate and nothing else takes the gate's potential."""
    problem = fem.Transport(
        mesh(), {"electrolyte": 4.0}, {}, {}, {"gate": fem.Terminal(["gate"])},
        conductors={"film": fem.Conductor(["channel", *ENDS], 1.0)},
    )  # fmt: skip
    state = problem.step(1e-9, {"gate": 1.0})
    np.testing.assert_allclose(problem.potential_V, 1.0, rtol=1e-9)
    assert abs(state.displacement_A["film"]) < 1e-20
