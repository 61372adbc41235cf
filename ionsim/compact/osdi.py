"""Compiled models read from Python: residuals and Jacobians of an OSDI file, with nothing but ctypes.

The layout follows OSDI 0.4 of OpenVAF-Reloaded; OSDI 0.5 adds fields behind those, and the file says how long a
descriptor is. The package osdi-py does the same, but has no wheels for every Python that ionsim runs on; a test
compares both.
"""

from __future__ import annotations

import ctypes as ct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionsim.compact.description import CompactError
from ionsim.compact.numeric import Residual

Floats = NDArray[np.float64]

_U, _P, _D = ct.c_uint32, ct.c_void_p, ct.POINTER(ct.c_double)

_NONE = 0xFFFFFFFF
_SET, _INSTANCE = 1, 4
_KIND_OPVAR, _KIND_INSTANCE = 2 << 30, 1 << 30
_CALC = 1 | 2 | 4 | 8
_CALC_OP = 32
_TRANSIENT, _STATIC = 8192, 32768
_RESIST, _REACT = 4, 8


def _structure(name: str, *fields: tuple[str, Any]) -> Any:
    return type(name, (ct.Structure,), {"_fields_": list(fields)})


_SimParas = _structure("SimParas", ("names", _P), ("vals", _P), ("names_str", _P), ("vals_str", _P))
_SimInfo = _structure(
    "SimInfo", ("paras", _SimParas), ("abstime", ct.c_double), ("prev_solve", _D), ("prev_state", _D),
    ("next_state", _D), ("flags", _U),
)  # fmt: skip
_InitInfo = _structure("InitInfo", ("flags", _U), ("num_errors", _U), ("errors", _P))
_Pair = _structure("Pair", ("node_1", _U), ("node_2", _U))
_Entry = _structure("Entry", ("nodes", _Pair), ("react_ptr_off", _U), ("flags", _U))
_Node = _structure(
    "Node", ("name", ct.c_char_p), ("units", ct.c_char_p), ("residual_units", ct.c_char_p),
    ("resist_residual_off", _U), ("react_residual_off", _U), ("resist_limit_rhs_off", _U), ("react_limit_rhs_off", _U),
    ("is_flow", ct.c_bool),
)  # fmt: skip
_Param = _structure(
    "Param", ("name", ct.POINTER(ct.c_char_p)), ("num_alias", _U), ("description", ct.c_char_p),
    ("units", ct.c_char_p), ("flags", _U), ("len", _U),
)  # fmt: skip
_ARRAY = ct.CFUNCTYPE(None, _P, _P, _D)
_Descriptor = _structure(
    "Descriptor", ("name", ct.c_char_p), ("num_nodes", _U), ("num_terminals", _U), ("nodes", ct.POINTER(_Node)),
    ("num_jacobian_entries", _U), ("jacobian_entries", ct.POINTER(_Entry)), ("num_collapsible", _U),
    ("collapsible", _P), ("collapsed_offset", _U), ("noise_sources", _P), ("num_noise_src", _U), ("num_params", _U),
    ("num_instance_params", _U), ("num_opvars", _U), ("param_opvar", ct.POINTER(_Param)), ("node_mapping_offset", _U),
    ("jacobian_ptr_resist_offset", _U), ("num_states", _U), ("state_idx_off", _U), ("bound_step_offset", _U),
    ("instance_size", _U), ("model_size", _U),
    ("access", ct.CFUNCTYPE(_P, _P, _P, _U, _U)),
    ("setup_model", ct.CFUNCTYPE(None, _P, _P, ct.POINTER(_SimParas), ct.POINTER(_InitInfo))),
    ("setup_instance",
     ct.CFUNCTYPE(None, _P, _P, _P, ct.c_double, _U, ct.POINTER(_SimParas), ct.POINTER(_InitInfo))),
    ("eval", ct.CFUNCTYPE(_U, _P, _P, _P, ct.POINTER(_SimInfo))),
    ("load_noise", _P), ("load_residual_resist", _ARRAY), ("load_residual_react", _ARRAY),
    ("load_limit_rhs_resist", _P), ("load_limit_rhs_react", _P), ("load_spice_rhs_dc", _P), ("load_spice_rhs_tran", _P),
    ("load_jacobian_resist", _P), ("load_jacobian_react", _P), ("load_jacobian_tran", _P), ("given_flag_model", _P),
    ("given_flag_instance", _P), ("num_resistive_jacobian_entries", _U), ("num_reactive_jacobian_entries", _U),
    ("write_jacobian_array_resist", _ARRAY), ("write_jacobian_array_react", _ARRAY),
)  # fmt: skip

_LOG = ct.CFUNCTYPE(None, _P, ct.c_char_p, _U)


class CompiledModel:
    """The first model of an OSDI file, as one instance at one temperature."""

    def __init__(self, path: Path, values: Mapping[str, float] | None = None, temperature_K: float = 300.15) -> None:
        self._library = ct.CDLL(str(Path(path).resolve()))
        self._silence()
        size = _U.in_dll(self._library, "OSDI_DESCRIPTOR_SIZE").value
        if size < ct.sizeof(_Descriptor):
            raise CompactError(f"{path}: OSDI before 0.4 (a descriptor of {size} bytes)")
        first = ct.addressof(ct.c_char.in_dll(self._library, "OSDI_DESCRIPTORS"))
        self._code = _Descriptor.from_address(first)
        self._model = ct.create_string_buffer(self._code.model_size)
        self._instance = ct.create_string_buffer(self._code.instance_size)
        self._own = {"model": ct.addressof(self._model), "instance": ct.addressof(self._instance)}
        self.name = self._code.name.decode()
        self.nodes = [self._code.nodes[i].name.decode() for i in range(self._code.num_nodes)]
        self._set_up(values or {}, temperature_K)

    def _silence(self) -> None:
        """A model that speaks goes to the simulator's log; here it is dropped."""
        self._log = _LOG(lambda handle, text, level: None)
        try:
            slot = _P.in_dll(self._library, "osdi_log")
        except ValueError:
            return
        slot.value = ct.cast(self._log, _P).value

    def _parameters(self) -> dict[str, tuple[int, int]]:
        code, out = self._code, {}
        for index in range(code.num_params):
            item = code.param_opvar[index]
            out[item.name[0].decode()] = (index, item.flags)
        return out

    def _set_up(self, values: Mapping[str, float], temperature_K: float) -> None:
        code, known = self._code, self._parameters()
        for name, value in values.items():
            if name not in known:
                raise CompactError(f"{self.name} has no parameter {name!r}")
            index, flags = known[name]
            instance = bool(flags & _KIND_INSTANCE)
            where = code.access(
                self._own["instance"] if instance else None, self._own["model"], index,
                _SET | (_INSTANCE if instance else 0),
            )  # fmt: skip
            ct.c_double.from_address(where).value = value
        empty = (ct.c_char_p * 1)(None)
        self._paras = _SimParas(ct.addressof(empty), None, ct.addressof(empty), None)
        self._keep = empty
        info = _InitInfo()
        code.setup_model(None, self._own["model"], self._paras, info)
        self._no_errors(info)
        info = _InitInfo()
        code.setup_instance(
            None, self._own["instance"], self._own["model"], temperature_K, code.num_terminals, self._paras, info
        )
        self._no_errors(info)
        mapping = (_U * code.num_nodes).from_address(self._own["instance"] + code.node_mapping_offset)
        mapping[:] = range(code.num_nodes)

    def _no_errors(self, info: Any) -> None:
        if info.num_errors:
            raise CompactError(f"{self.name}: {info.num_errors} parameter(s) outside their range")

    def evaluate(self, unknowns: Floats, time_s: float, static: bool = False) -> Residual:
        """Residual and Jacobian at ``unknowns`` (n,), ordered as ``nodes``, in a transient or a static analysis."""
        code, n = self._code, len(self.nodes)
        known = (ct.c_double * n)(*np.asarray(unknowns, dtype=float))
        states = (ct.c_double * max(code.num_states, 1))()
        flags = _CALC | _CALC_OP | (_STATIC if static else _TRANSIENT)
        info = _SimInfo(self._paras, time_s, known, states, states, flags)
        code.eval(None, self._own["instance"], self._own["model"], info)
        return Residual(
            self._array(code.load_residual_resist, n),
            self._array(code.load_residual_react, n),
            self._matrix(code.write_jacobian_array_resist, _RESIST, code.num_resistive_jacobian_entries),
            self._matrix(code.write_jacobian_array_react, _REACT, code.num_reactive_jacobian_entries),
        )

    def _array(self, load: Any, n: int) -> Floats:
        out = (ct.c_double * max(n, 1))()
        load(self._own["instance"], self._own["model"], out)
        return np.array(out[:n])

    def _matrix(self, load: Any, kind: int, count: int) -> Floats:
        values, out = self._array(load, count), np.zeros((len(self.nodes), len(self.nodes)))
        entries = [self._code.jacobian_entries[i] for i in range(self._code.num_jacobian_entries)]
        for value, entry in zip(values, [item for item in entries if item.flags & kind], strict=True):
            out[entry.nodes.node_1, entry.nodes.node_2] += value
        return out
