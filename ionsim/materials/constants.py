"""Constants of nature in the units of material data."""

from scipy import constants

E_C = constants.elementary_charge
K_EV_PER_K = constants.k / constants.e
