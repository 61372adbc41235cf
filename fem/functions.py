"""Elementary functions for coefficients: of UFL expressions in a solver, of NumPy arrays anywhere else.

A coefficient written with these, with +, -, *, /, ** and with comparisons is one plain Python function that serves the
solver (which differentiates it exactly), tests and plots.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import ufl
from ufl.core.expr import Expr


def _unary(name: str, numeric: Callable[..., Any], symbolic: Callable[..., Any]) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        return symbolic(x) if isinstance(x, Expr) else numeric(x)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name}(x) of a UFL expression, a number or an array."
    return function


exp = _unary("exp", np.exp, ufl.exp)
log = _unary("log", np.log, ufl.ln)
sqrt = _unary("sqrt", np.sqrt, ufl.sqrt)
sinh = _unary("sinh", np.sinh, ufl.sinh)
cosh = _unary("cosh", np.cosh, ufl.cosh)


def _tanh(x: Any) -> Any:
    """Beyond 20 tanh is 1 to rounding; UFL's derivative of it is cosh(x)/cosh(2x), which overflows to nan far out."""
    return ufl.tanh(ufl.max_value(-20.0, ufl.min_value(20.0, x)))


tanh = _unary("tanh", np.tanh, _tanh)


def where(condition: Any, yes: Any, no: Any) -> Any:
    """``yes`` where the condition (a comparison such as ``T_K > 900.0``) holds, else ``no``.

    In the solver the derivative is that of the branch taken; a jump is allowed but costs Newton iterations.
    """
    if isinstance(condition, Expr):
        return ufl.conditional(condition, yes, no)
    return np.where(condition, yes, no)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two."""
    return ufl.max_value(a, b) if isinstance(a, Expr) or isinstance(b, Expr) else np.maximum(a, b)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two."""
    return ufl.min_value(a, b) if isinstance(a, Expr) or isinstance(b, Expr) else np.minimum(a, b)
