"""Constants of nature in the units of the equations."""

import scipy.constants

E_C = scipy.constants.elementary_charge
EPS0_F_PER_M = scipy.constants.epsilon_0
K_EV_PER_K = scipy.constants.k / E_C
