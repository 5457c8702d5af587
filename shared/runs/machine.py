"""The machine a run is made on: processor, memory, versions."""

import platform
import resource
from importlib.metadata import packages_distributions, version
from pathlib import Path

from shared.version import DISTRIBUTION, VERSION


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in open("/proc/cpuinfo", encoding="utf-8"):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    import platform

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
