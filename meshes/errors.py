"""Errors of the mesh builders."""


class MeshError(Exception):
    """Root of all errors that the builders raise on purpose."""
