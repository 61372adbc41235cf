"""Atoms that move by a single vacancy: each hop is likely to be undone, which the tracer correlation factor counts."""

import numpy as np
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import spsolve

from ionsim.verification import figure
from ionsim.verification.record import Record, case
from kmc import SiteGraph, textbook

#: Of an infinite bcc lattice.
_LARGE = 0.7272
_CELLS = 10
#: Hops of an atom in a window: its mean square displacement is then that of many encounters with the vacancy, while
#: enough windows fit into a few seconds.
_HOPS = 2.0
_WINDOWS = 1000


@case(
    "kmc-tracer-correlation", "kmc engine",
    problem="Atoms of a bcc crystal of 10^3 cells move by a single vacancy.",
    exact=(
        r"$f = \langle R^2\rangle/na^2 = (1 + c)/(1 - c)$, $c$ the mean cosine between following hops: 0.7272 of a "
        r"large crystal; of this one, by linear algebra."
    ),
    sources=("K. Compaan, Y. Haven, Trans. Faraday Soc. 52, 786 (1956)",),
)  # fmt: skip
def kmc_tracer_correlation() -> list[Record]:
    """The tracer correlation factor of a single vacancy on the bcc lattice is 0.7272 within 0.5 %.

    f = <R^2>/(n a^2), with R the displacement of an atom in n hops of length a. In a periodic crystal of N atoms it can
    be had exactly: f = (1 + c)/(1 - c), with c the mean cosine between two hops of an atom that follow each other, from
    where around the atom the vacancy comes back to it.
    """
    setup = textbook.single_vacancy("bcc", _CELLS)
    engine = setup.engine(seed=3, track="atom")
    window = round(_HOPS * len(setup.sites))
    square, hops = 0.0, 0
    running: list[float] = []
    before_nm = np.array(engine.tracers.displacement_nm)
    for _ in range(_WINDOWS):
        engine.run(until_s=np.inf, max_events=window)
        now_nm = np.array(engine.tracers.displacement_nm)
        square += float(np.sum((now_nm - before_nm) ** 2))
        hops += window
        running.append(square / (hops * float(setup.sites.vector_length_nm[0]) ** 2))
        before_nm = now_nm
    factor = square / (hops * float(setup.sites.vector_length_nm[0]) ** 2)
    exact = correlation_factor(setup.sites)
    ends = [10.0, float(_WINDOWS)]
    figure.draw(figure.Panel("mean over all windows so far", "windows", "tracer correlation factor", [
        figure.exact("of this crystal, linear algebra", ends, [exact, exact]),
        figure.other("infinite lattice, 0.7272", ends, [_LARGE, _LARGE]),
        figure.computed("lattice", np.arange(10, _WINDOWS + 1, 10), running[9::10]),
        figure.limit("limits", ends, _LARGE * 1.005), figure.limit("", ends, _LARGE * 0.995),
    ], True))  # fmt: skip
    return [
        Record("tracer correlation factor", factor),
        Record.below("against an infinite lattice, relative", factor / _LARGE - 1.0, 0.005),
        Record.below("against the exact one of this crystal, relative", factor / exact - 1.0, 0.005),
        Record.below("exact one of this crystal against an infinite one, relative", exact / _LARGE - 1.0, 0.001),
        Record.below("atoms that were not followed", int(engine.tracers.hops.sum()) - hops, 0.0),
    ]


def correlation_factor(sites: SiteGraph) -> float:
    """The factor of a periodic crystal with one vacancy, exactly: the tracer has just hopped from site 0's neighbour.

    The vacancy walks at random over all sites but the tracer's (site 0), from the site that the tracer left, until it
    exchanges with the tracer from one of its neighbours k: that hop's cosine with the last one is weighted by the
    chance of k.
    """
    count = len(sites)
    degree = np.diff(sites.start)
    step = csr_array((1.0 / degree[sites.origin], (sites.origin, sites.target)), shape=(count, count)).tocsr()
    free = step[1:, 1:]
    around = slice(int(sites.start[0]), int(sites.start[1]))
    neighbours, hops = sites.target[around], sites.hop_nm[around]
    begin = np.zeros(count - 1)
    begin[neighbours[0] - 1] = 1.0
    visits = spsolve((eye_array(count - 1) - free.T).tocsc(), begin)
    chance = visits[neighbours - 1] / degree[neighbours]
    cosine = -float(chance @ (hops @ hops[0])) / float(hops[0] @ hops[0])
    return (1.0 + cosine) / (1.0 - cosine)
