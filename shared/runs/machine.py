"""The machine a run is made on: processor, memory, versions, what the frameworks need and use of it."""

import ctypes
import multiprocessing
import platform
import resource
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from shared.errors import reason_of
from shared.runs.frameworks import implementation
from shared.threads import prepare, usable_cores
from shared.version import DISTRIBUTION, VERSION


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in open("/proc/cpuinfo", encoding="utf-8"):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_mib() -> float | None:
    """Main memory that this process holds now, in MiB; None where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    except OSError:
        return None
    return pages * resource.getpagesize() / 2**20


def peak_memory_mib() -> float:
    """The most main memory that this process has held at any time, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux


PACKAGES = ("mxnet", "torch", "torchvision", "numpy", "PIL")


def package_versions() -> dict[str, str]:
    """Versions of this project, Python and what a run depends on, whatever the distribution is called (mxnet, mxnet-cu112 …)."""
    distributions = packages_distributions()
    found = {name: version(distributions[name][0]) if name in distributions else "missing" for name in PACKAGES}
    return {DISTRIBUTION: VERSION, "python": platform.python_version(), **found}


def distributions() -> list[tuple[str, str]]:
    """Name and version of what has to be installed, `missing` where it is not."""

    def installed(name):
        try:
            return version(name)
        except PackageNotFoundError:
            return "missing"

    names = ("mxnet", "d2l", "torch", "torchvision", "numpy", "pillow", "matplotlib", "scikit-learn")
    own = [(DISTRIBUTION, VERSION), ("python", platform.python_version())]
    return [*own, *((name, installed(name)) for name in names)]


# What MXNet's wheel is linked to and does not bring, and the Debian package that has it.
SYSTEM_LIBRARIES = {"libgomp.so.1": "libgomp1", "libquadmath.so.0": "libquadmath0"}


def system_libraries() -> list[tuple[str, str]]:
    """Each library that MXNet needs of the system, with what to do where it cannot be loaded ("" where it can)."""

    def advice(library, package):
        try:
            ctypes.CDLL(library)
            return ""
        except OSError:
            return f"MXNet needs it: apt-get install {package} (Debian, Ubuntu)"

    return [(library, advice(library, package)) for library, package in SYSTEM_LIBRARIES.items()]


def asked_alone(framework: str) -> dict:
    """What `framework` says of its device and threads in a process of its own, as a run has one; {"error"} if it does not work."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        try:
            return alone.submit(_facts, framework).result()
        except BrokenProcessPool:
            return {"error": "the process that loads it is ended by it"}


def _facts(framework):
    try:
        prepare()
        gpu = implementation(framework, "devices").find_gpu()
        return {"device": gpu.kind, "reason": gpu.reason, "threads": threads_of(framework), "cores": usable_cores()}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {reason_of(error)}"}


def threads_of(framework: str) -> int:
    """How many threads `framework` (gluon or torch) computes with now, asked of the library that it loaded."""
    if framework == "torch":
        import torch

        return torch.get_num_threads()
    import mxnet  # noqa: F401
    from threadpoolctl import threadpool_info

    import gluon_impl  # noqa: F401 (loads MXNet with all it needs)

    # PyTorch and scikit-learn bring OpenMP libraries of their own; MXNet uses the system's.
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "openmp"]
    own = [p for p in pools if "site-packages" not in p["filepath"] or "/mxnet/" in p["filepath"]] or pools
    return own[0]["num_threads"] if own else 1
