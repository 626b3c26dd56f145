"""What the figures were taken on, without names of hosts; what packages weigh."""

import os
import platform
import re
from importlib import metadata
from pathlib import Path


def kind():
    """Such as `2 x86-64 cores, AVX-512`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = {"x86_64": "x86-64", "AMD64": "x86-64"}.get(platform.machine(), platform.machine())
    flags = ""
    if Path("/proc/cpuinfo").exists():
        flags = Path("/proc/cpuinfo").read_text()
    vector = next((v for f, v in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if f in flags), "")
    return ", ".join(filter(None, [f"{cores} {machine} cores", vector]))


def blas():
    """The BLAS that NumPy uses, and the kernels that it has chosen."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "unknown"
    import numpy  # noqa: F401

    found = [i for i in threadpool_info() if i["user_api"] == "blas" and "numpy" in i["filepath"]]
    return ", ".join(f"{i['internal_api']} {i['version']} {i['architecture']}" for i in found)


def versions(names):
    """The installed versions of distributions, and Python's."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def needed(name, seen=None):
    """A distribution and those that it needs, without extras."""
    from packaging.requirements import Requirement

    seen = {} if seen is None else seen
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return seen
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return seen
    seen[key] = found
    for line in found.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            needed(requirement.name, seen)
    return seen


def size(name):
    """Bytes of the files of a distribution; of one installed as editable, of its sources."""
    if name == "bpc":
        import bpc

        return sum(p.stat().st_size for p in Path(bpc.__file__).parent.rglob("*.py"))
    files = metadata.distribution(name).files or ()
    places = {Path(f.locate()) for f in files}
    return sum(p.stat().st_size for p in places if p.is_file() and p.suffix != ".pyc")


def installed(names):
    """Bytes of the distributions with all that they need; None where one is missing."""
    every = {}
    for name in names:
        if not needed(name, every) or name not in every:
            return None
    return sum(size(n) for n in every)
