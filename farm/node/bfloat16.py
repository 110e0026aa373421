"""BF16, which numpy does not have: arrays of raw bits that know what they are.

Their dtype is a record of one unsigned 16-bit field, so that nothing takes them for
integers. Only a model that has a BF16 tensor pays for the detour through ONNX Runtime's
own values; numpy arrays of BF16 are beyond its ordinary calls.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from farm.node.arrays import AnyArray

BF16 = np.dtype([("bf16", "<u2")])

# TensorProto.BFLOAT16 of the ONNX standard.
_ONNX_BFLOAT16 = 16


def from_floats(values: AnyArray) -> AnyArray:
    """Return numbers as BF16, rounded to the nearest, ties to even."""
    single = np.asarray(values, dtype="<f4", order="C")
    bits = single.view("<u4")
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) >> np.uint32(16)
    # Rounding up would turn some NaNs into infinity.
    kept = np.where(np.isnan(single), (bits >> np.uint32(16)) | np.uint32(0x40), rounded)
    return kept.astype("<u2").view(BF16)


def to_floats(array: AnyArray) -> AnyArray:
    """Return BF16 numbers as FP32, which holds each of them exactly."""
    return (array.view("<u2").astype("<u4") << 16).view("<f4")


def to_value(array: AnyArray) -> Any:
    """Return a BF16 array as a value of ONNX Runtime's, without a copy if it is contiguous."""
    from onnxruntime import OrtValue

    bits = array.view("<u2") if array.flags.c_contiguous else array.copy().view("<u2")
    return OrtValue.ortvalue_from_numpy_with_onnx_type(bits, _ONNX_BFLOAT16)


def run_with_values(session: Any, names: list[str], feeds: dict[str, Any]) -> list[AnyArray]:
    """Run a session that has BF16 outputs. `feeds` holds arrays, or values for BF16."""
    from onnxruntime import OrtValue

    values = {
        name: OrtValue.ortvalue_from_numpy(feed) if isinstance(feed, np.ndarray) else feed
        for name, feed in feeds.items()
    }
    return [_array(value) for value in session.run_with_ort_values(names, values)]


def _array(value: Any) -> AnyArray:
    if value.data_type() != "tensor(bfloat16)":
        array: AnyArray = value.numpy()
        return array
    # ONNX Runtime hands out the address of these elements and nothing else.
    raw = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
    return np.frombuffer(raw, dtype=BF16).reshape(value.shape())
