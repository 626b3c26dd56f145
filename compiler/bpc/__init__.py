r"""bpc, a source-to-source symbolic gradient compiler.

>>> import bpc
>>> m = bpc.load("param w = 3\ncost J = w^2")
>>> m.value_and_grad(m.init())
(9.0, {'w': 6.0})
"""

from bpc.compiler import compile_source, load
from bpc.diagnostics import BpcError, Diagnostic, UsageError
from bpc.version import VERSION as __version__

__all__ = ["BpcError", "Diagnostic", "UsageError", "__version__", "compile_source", "load"]
