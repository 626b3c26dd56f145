"""All of ONNX's rows together."""

from __future__ import annotations

import mapping_onnx_arrays
import mapping_onnx_convolutions
import mapping_onnx_elementwise
import mapping_onnx_layers
from translate import Row

ROWS: dict[str, Row] = {
    **mapping_onnx_elementwise.ROWS,
    **mapping_onnx_arrays.ROWS,
    **mapping_onnx_convolutions.ROWS,
    **mapping_onnx_layers.ROWS,
}
