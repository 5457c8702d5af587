"""Which device Gluon can use here, and why."""

import subprocess

# The published CUDA wheels of MXNet 1.9.1 hold machine code for these and no PTX: nothing outside this range runs them.
MXNET_CAPABILITIES = ((5, 0), (8, 9))


def gpu_capability() -> tuple[str, tuple[int, int]] | None:
    """Name and compute capability of the first NVIDIA GPU, or None when there is none."""
    try:
        query = ["nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader"]
        out = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout
        name, capability = out.splitlines()[0].rsplit(",", 1)
        major, minor = capability.strip().split(".")
        return name.strip(), (int(major), int(minor))
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return None


def gluon_reason(mx) -> tuple[bool, str]:
    """Whether the MXNet module `mx` can use a GPU here, and the reason in words."""
    gpu = gpu_capability()
    if gpu is None:
        return False, "there is no NVIDIA GPU"
    name, (major, minor) = gpu
    low, high = MXNET_CAPABILITIES
    if not low <= (major, minor) <= high:
        return False, (
            f"MXNet's published wheels have no code for the {name} (compute capability {major}.{minor}; "
            f"they run on {low[0]}.{low[1]} to {high[0]}.{high[1]})"
        )
    if not mx.runtime.Features().is_enabled("CUDA"):
        return False, f"the installed MXNet is the CPU build; the {name} needs an mxnet-cu11x wheel"
    if mx.context.num_gpus() == 0:
        return False, f"MXNet finds no GPU (CUDA 11, cuDNN 8 and NCCL must be loadable) beside the {name}"
    return True, name
