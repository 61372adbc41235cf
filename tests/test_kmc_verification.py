"""The verification cases of the lattice engine pass, and their statistics can tell."""

import numpy as np
import pytest

from ionsim.verification import lattice_statistics
from ionsim.verification.field_balance import detailed_balance_field
from ionsim.verification.first_passage import first_passage
from ionsim.verification.lattice_gas import detailed_balance_lattice_gas
from ionsim.verification.reservoir_equilibrium import reservoir_equilibrium
from ionsim.verification.tilted_line import sinh_law, tilted_line_diffusion, tilted_line_drift
from ionsim.verification.tree_selection import tree_selection

CASES = (
    detailed_balance_field,
    detailed_balance_lattice_gas,
    first_passage,
    reservoir_equilibrium,
    sinh_law,
    tilted_line_diffusion,
    tilted_line_drift,
    tree_selection,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_case_passes(case):
    records = case()
    assert [record.name for record in records if record.passed is False] == []
    assert any(record.passed for record in records)


def test_deviations_are_those_of_the_normal_distribution():
    """Of true samples the deviations are standard normal, of slightly false ones far out: by all three measures."""
    generator = np.random.default_rng(1)
    chance = np.array([0.5, 0.3, 0.15, 0.0499, 1e-4])
    false = np.array([0.48, 0.32, 0.15, 0.0499, 1e-4])

    def deviations(probabilities):
        rows = []
        for _ in range(400):
            counts = generator.multinomial(10_000, probabilities)
            rows.append((
                lattice_statistics.of_multinomial(counts, chance),
                lattice_statistics.of_binomial(counts[0], 10_000, chance[0]),
                lattice_statistics.of_mean(np.repeat(np.arange(5), counts), chance @ np.arange(5.0),
                                           chance @ np.arange(5.0) ** 2 - (chance @ np.arange(5.0)) ** 2),
            ))  # fmt: skip
        return np.array(rows)

    true = deviations(chance)
    assert np.all(np.abs(true.mean(axis=0)) < 4.0 / np.sqrt(400))
    assert np.all(np.abs(true.std(axis=0) - 1.0) < 4.0 / np.sqrt(800))
    assert np.all(np.abs(deviations(false).mean(axis=0)) > 1.0)


def test_rare_classes_are_joined_and_still_count():
    """Too rare for a class of its own, an event counts with the rarest that is not: an excess of it shows there."""
    chance = np.array([0.5, 0.5 - 1e-5, 1e-5])
    assert abs(lattice_statistics.of_multinomial([50_100, 49_899, 1], chance)) < 3.0
    assert lattice_statistics.of_multinomial([49_000, 50_000, 1000], chance) > 3.0
