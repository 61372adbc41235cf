"""Speed and memory of the lattice engine on models that other programs have been timed on: ``ionsim bench kmc``.

``ionsim bench ecm`` times the forming of a silver cell, ``ionsim bench pcm`` a cycle of a phase-change cell,
``ionsim bench ecram`` a train of gate pulses; ``ionsim bench fem`` refreshes and solves of conduction on one and two
ranks, ``ionsim bench coupled`` a field refresh of a VCM device, ``ionsim bench scale`` how more
ranks would help.

Each job runs in a process of its own (:mod:`ionsim.bench.child`), so that its peak memory is its own and its timings do
not hang on what ran before. :func:`kmc_lines` turns what the jobs measured into lines: a record, and beside it the
figure of a peer; :func:`ecm_lines`, :func:`pcm_lines` and :func:`ecram_lines` do so for the cells.
"""

from ionsim.bench.lines import Line, ecm_lines, ecram_lines, kmc_lines, pcm_lines
from ionsim.bench.lines_fem import coupled_lines, fem_lines
from ionsim.bench.lines_scale import scale_lines

__all__ = ["Line", "coupled_lines", "ecm_lines", "ecram_lines", "fem_lines", "kmc_lines", "pcm_lines", "scale_lines"]
