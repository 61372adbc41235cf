"""How kernels are compiled: once, cached on disk, and without reference counting.

The tables are tuples of many arrays; counting references to each of them at every call cost 10 to 30 times the
arithmetic (measured). Kernels therefore allocate nothing, and what they need is allocated by the caller.
"""

from numba import njit

kernel = njit(cache=True, _nrt=False)
