"""Pictures of a run, made with matplotlib alone: no display and no OpenGL needed."""

from ionsim.plots.clusters import connectivity
from ionsim.plots.conductance import conductance_figure
from ionsim.plots.curves import iv_figure, transient_figure
from ionsim.plots.cut import Cut, cut_figure
from ionsim.plots.filament import Metal, filament_figure
from ionsim.plots.grains import grains_figure
from ionsim.plots.mesh import mesh_figure
from ionsim.plots.pictures import figures, plot_run
from ionsim.plots.style import save

__all__ = [
    "Cut", "Metal", "conductance_figure", "connectivity", "cut_figure", "figures", "filament_figure", "grains_figure",
    "iv_figure", "mesh_figure", "plot_run", "save", "transient_figure",
]  # fmt: skip
