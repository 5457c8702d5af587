"""Ask the CUDA driver for the first GPU that a framework gets: `python cuda_driver.py` prints the answer as JSON.

A program of its own: it may hang or crash with a broken driver, and the process that asks stays without a CUDA context. The driver
heeds CUDA_VISIBLE_DEVICES, CUDA_DEVICE_ORDER and MIG as it does for the frameworks.
Source: CUDA Driver API, https://docs.nvidia.com/cuda/cuda-driver-api/ (numbers of attributes and errors).
"""

import ctypes
import json

MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


def ask(driver) -> dict:
    """What the loaded library `driver` (libcuda.so.1) answers: {"name", "capability", "count"}, {"count": 0} or {"error"}."""
    count, device, number = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(256)
    capability = []
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code == NO_DEVICE or (code == 0 and count.value == 0):
        return {"count": 0}
    code = code or driver.cuDeviceGet(ctypes.byref(device), 0) or driver.cuDeviceGetName(name, len(name), device)
    for attribute in (MAJOR, MINOR):
        code = code or driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
        capability.append(number.value)
    if code:
        text = ctypes.c_char_p()
        known = driver.cuGetErrorName(code, ctypes.byref(text)) == 0 and text.value
        return {"error": text.value.decode() if known else f"CUDA error {code}"}
    return {"count": count.value, "name": name.value.decode(errors="replace"), "capability": capability}


if __name__ == "__main__":
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        missing = "cannot open shared object" in str(error)
        print(json.dumps({"missing": True} if missing else {"error": f"libcuda.so.1: {error}"}))
    else:
        print(json.dumps(ask(library)))
