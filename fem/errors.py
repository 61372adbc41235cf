"""Errors of the finite-element solvers."""


class FemError(Exception):
    """Root of all errors that the solvers raise on purpose."""
