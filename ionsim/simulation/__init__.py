"""The one run loop of all device families."""

from threadpoolctl import threadpool_limits

from ionsim.simulation.ensembles import ensemble, statistics
from ionsim.simulation.loop import Frame, Simulation
from ionsim.simulation.resuming import resume
from ionsim.simulation.stopping import Stop

__all__ = ["Frame", "Simulation", "Stop", "ensemble", "resume", "statistics"]

# Vectors here are short and parallelism is MPI's: BLAS threads cost more than they give (measured: a field refresh
# takes 2.4 times as long with two threads on a busy two-core machine).
threadpool_limits(limits=1, user_api="blas")
