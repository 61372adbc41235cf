"""Two machine instructions that Python has no word for."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def bits_of(typing: Any, value: Any) -> Any:
    """The bits of a double as an integer."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), generate


@intrinsic
def fetch_soon(typing: Any, array: Any, row: Any) -> Any:
    """Ask the memory for a row of an array ahead of its use; a hint without any effect on results."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        struct = context.make_array(kind)(context, builder, args[0])
        zero = context.get_constant(types.intp, 0)
        indices = [args[1], *[zero] * (kind.ndim - 1)]
        pointer = cgutils.get_item_pointer(context, builder, kind, struct, indices, wraparound=False)
        byte = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        call = ir.FunctionType(ir.VoidType(), [byte.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, call, "llvm.prefetch.p0i8")
        builder.call(function, [byte, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.none(array, types.intp), generate
