"""Solvers broken on purpose, by a sign: at least one case of every family has to notice."""

from collections.abc import Callable
from typing import Any

import pytest

import fem.transportflux
import fem.vacanciesflux
import kmc.compile
from fem.conductance import Conductance
from fem.front import PhaseFront
from fem.latent import LatentHeat
from ionsim import verification
from ionsim.coupling.space_charge import InducedCharge
from ionsim.errors import expected_errors
from ionsim.verification import tilted_line

Break = Callable[[pytest.MonkeyPatch], None]


def fields_the_wrong_way(patch: pytest.MonkeyPatch) -> None:
    """The charge that a process moves against the potential: barriers rise where they should fall."""
    moved = kmc.compile._moved
    patch.setattr(kmc.compile, "_moved", lambda *given: -moved(*given))


def joule_heat_taken_out(patch: pytest.MonkeyPatch) -> None:
    right = Conductance.apply_and_power

    def wrong(self: Conductance, u: Any) -> Any:
        leaving, power = right(self, u)
        return leaving, -power

    patch.setattr(Conductance, "apply_and_power", wrong)


def current_from_low_to_high(patch: pytest.MonkeyPatch) -> None:
    """What leaves a node, with the sign of what enters it."""
    right = Conductance._leaving
    patch.setattr(Conductance, "_leaving", lambda self, u, flow: -right(self, u, flow))


def drift_up_the_field(module: Any) -> Break:
    right = module.scharfetter_gummel

    def wrong(conductance: Any, tail: Any, head: Any, exponent: Any) -> Any:
        return right(conductance, tail, head, -exponent)

    return lambda patch: patch.setattr(module, "scharfetter_gummel", wrong)


def boundaries_that_repel(patch: pytest.MonkeyPatch) -> None:
    """The energy of a vacancy in a region with the other sign where two regions share a node."""
    right = fem.vacanciesflux.System.sides

    def wrong(self: Any, n: Any, free: Any, more: Any) -> Any:
        return right(self, n, free, 1.0 / more)

    patch.setattr(fem.vacanciesflux.System, "sides", wrong)


def crystals_that_melt(patch: pytest.MonkeyPatch) -> None:
    right = PhaseFront._speed
    patch.setattr(PhaseFront, "_speed", lambda self, kelvin, nodes: -right(self, kelvin, nodes))


def latent_heat_taken_up(patch: pytest.MonkeyPatch) -> None:
    """Heat is taken up where a crystal grows."""
    right = LatentHeat.__init__

    def wrong(self: Any, *given: Any, **named: Any) -> None:
        right(self, *given, **named)
        self._heat_J = -self._heat_J

    patch.setattr(LatentHeat, "__init__", wrong)


def metal_that_draws_no_charge_of_the_other_sign(patch: pytest.MonkeyPatch) -> None:
    right = InducedCharge.respond

    def wrong(self: InducedCharge, felt_V: Any) -> Any:
        charge, level_V = right(self, felt_V)
        return -charge, level_V

    patch.setattr(InducedCharge, "respond", wrong)


BREAKS = [
    ("kmc engine", "sinh-law", fields_the_wrong_way),
    ("ECM", "charged-metal", metal_that_draws_no_charge_of_the_other_sign),
    pytest.param("ECM", "ion-equilibrium", fields_the_wrong_way, marks=pytest.mark.slow),
    ("finite elements", "terminal-current", joule_heat_taken_out),
    ("finite elements", "bond-chain", current_from_low_to_high),
    ("VCM", "vacancy-equilibrium", drift_up_the_field(fem.vacanciesflux)),
    ("grain boundaries", "vacancy-laminate", boundaries_that_repel),
    ("ECRAM", "gouy-chapman", drift_up_the_field(fem.transportflux)),
    ("PCM", "planar-front", crystals_that_melt),
    pytest.param("PCM", "stefan-one-phase", latent_heat_taken_up, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("family", "name", "broken"), BREAKS)
def test_a_broken_solver_is_noticed(monkeypatch: pytest.MonkeyPatch, family: str, name: str, broken: Break) -> None:
    case = verification.cases()[name]
    assert case.family == family
    tilted_line.walk.cache_clear()  # what the solver said before it was broken
    broken(monkeypatch)
    try:
        records = case()
    except expected_errors():
        return  # noticed as well: no solution
    finally:
        tilted_line.walk.cache_clear()
    assert any(record.passed is False for record in records)
