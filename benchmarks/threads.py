"""One number of threads for all: to be called before NumPy or any peer is imported.

And the kernels that each library has for the processor: an environment that asks NumPy's BLAS for
those of another one (OPENBLAS_CORETYPE) would slow down NumPy, bpc and autograd alone.
"""

import os
import sys


def limit(n):
    """Give the BLAS of NumPy, JAX and PyTorch n threads each.

    - OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, MKL_NUM_THREADS: NumPy's BLAS and PyTorch, which
      `torch.set_num_threads(n)` is told too.
    - NPROC: the size of XLA's pool. With one thread also --xla_cpu_multi_thread_eigen=false, which
      alone does not keep a matrix product to one thread.
    """
    if "numpy" in sys.modules:
        raise RuntimeError("threads are limited before NumPy is imported")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"):
        os.environ[name] = str(n)
    flags = os.environ.get("XLA_FLAGS", "").split()
    if n == 1 and not any("xla_cpu_multi_thread_eigen" in f for f in flags):
        os.environ["XLA_FLAGS"] = " ".join([*flags, "--xla_cpu_multi_thread_eigen=false"])
