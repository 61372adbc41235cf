"""The job of ``ionsim bench scale`` that times messages between ranks."""

import time
from typing import Any

import numpy as np
from mpi4py import MPI

from ionsim.bench.timing import Effort

Numbers = dict[str, Any]

#: Bytes of the messages.
SIZES = (8, 1_024, 8_192, 65_536, 524_288, 4_194_304)


def messages(effort: Effort, repeats: float) -> Numbers:
    """Least time of a message one way between ranks 0 and 1, by its size; and of a sum over all ranks of one number."""
    comm = MPI.COMM_WORLD
    taken = {}
    for size in SIZES:
        data = np.zeros(size, dtype=np.uint8)
        times = []
        for _ in range(int(repeats)):
            comm.Barrier()
            begun = time.perf_counter()
            if comm.rank == 0:
                comm.Send(data, 1)
                comm.Recv(data, 1)
            elif comm.rank == 1:
                comm.Recv(data, 0)
                comm.Send(data, 0)
            times.append(0.5 * (time.perf_counter() - begun))
        taken[size] = min(times)
    number, sums = np.ones(1), []
    for _ in range(int(repeats)):
        comm.Barrier()
        begun = time.perf_counter()
        comm.Allreduce(MPI.IN_PLACE, number)
        sums.append(time.perf_counter() - begun)
        number[:] = 1.0
    return {"bytes": list(taken), "seconds": list(taken.values()), "sum_s": min(sums), "ranks": comm.size}


JOBS = {"messages": messages}
