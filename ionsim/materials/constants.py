"""Constants of nature in the units of material data."""

from scipy import constants

E_C = constants.elementary_charge
K_EV_PER_K = constants.k / constants.e

#: Conductivities below this (S/m) are those of insulators, in which families of continua solve for no current.
INSULATOR_S_PER_M = 1e-9
