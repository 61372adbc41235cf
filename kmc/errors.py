"""Errors of the kinetic Monte Carlo engine."""


class KmcError(Exception):
    """Root of all errors that the engine raises on purpose."""
