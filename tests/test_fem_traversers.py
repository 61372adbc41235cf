"""What a solver was made of is freed with it: UFL's traversers keep nothing."""

import functools
import gc
import weakref

import fem  # noqa: F401, first: it brings the MPI library

# isort: split
import dolfinx
import ufl
from mpi4py import MPI
from ufl.algorithms import apply_derivatives


def derived_form():
    """A mesh, and the second derivative of an energy on it, as UFL prepares it."""
    mesh = dolfinx.mesh.create_unit_square(MPI.COMM_SELF, 2, 2)
    space = dolfinx.fem.functionspace(mesh, ("Lagrange", 1))
    u = dolfinx.fem.Function(space)
    energy = (1.0 + u**2) * ufl.inner(ufl.grad(u), ufl.grad(u)) * ufl.dx
    form = ufl.derivative(ufl.derivative(energy, u, ufl.TestFunction(space)), u, ufl.TrialFunction(space))
    ufl.algorithms.compute_form_data(form, do_apply_function_pullbacks=True)
    return weakref.ref(mesh)


def test_a_mesh_is_freed_when_nothing_of_ours_refers_to_it():
    meshes = [derived_form() for _ in range(3)]
    gc.collect()
    assert [mesh() for mesh in meshes] == [None, None, None]


def test_no_traverser_keeps_methods():
    kept = [
        method
        for one in vars(apply_derivatives).values()
        if isinstance(one, type)
        for method in vars(one).values()
        if isinstance(method, functools.singledispatchmethod)
    ]
    assert kept
    assert all(getattr(method, "_method_cache", None) is None for method in kept)
