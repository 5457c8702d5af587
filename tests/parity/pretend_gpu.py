"""A GPU for machines that have none: PyTorch tensors that say `cuda:0`, keep their numbers on the CPU, and refuse to be mixed.

Their arithmetic is the CPU's, so nothing is learned here of a GPU's. What is learned is whether code written for any device works
on one that is not the CPU: a batch, a label or a tensor left behind on the CPU is an error here as on a card, and so is asking a
tensor on the GPU for NumPy's. MXNet needs no such help: `mx.cpu(1)` is another device to it.
"""

import contextlib

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

CUDA = torch.device("cuda", 0)


class OnPretendGPU(torch.Tensor):
    """A tensor around `inner`, a tensor on the CPU that holds its numbers."""

    @staticmethod
    def __new__(cls, inner):
        layout = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        return torch.Tensor._make_wrapper_subclass(cls, inner.size(), **layout)

    def __init__(self, inner):
        self.inner = inner

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.Tensor.numpy, torch.Tensor.__array__):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if func is torch.Tensor.cpu or func is torch.Tensor.to and _device_in(args, kwargs) == torch.device("cpu"):
            return args[0].inner.detach().clone()
        return super().__torch_function__(func, types, args, kwargs or {})

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        wrapped = {}

        def inner(value):
            if isinstance(value, OnPretendGPU):
                wrapped[id(value.inner)] = value
                return value.inner
            # copies between devices are allowed, and so are numbers
            if isinstance(value, torch.Tensor) and value.dim() and func is not torch.ops.aten.copy_.default:
                raise RuntimeError(f"{func}: expected all tensors to be on cuda:0, found one on {value.device}")
            return torch.device("cpu") if isinstance(value, torch.device) else value

        def outer(value):  # what was changed in place stays the object that it was
            if id(value) in wrapped:
                return wrapped[id(value)]
            return OnPretendGPU(value) if isinstance(value, torch.Tensor) else value

        return tree_map(outer, func(*tree_map(inner, args), **tree_map(inner, kwargs or {})))


class _Moves(TorchFunctionMode):
    """Tensors that are sent to `cuda` arrive, and those that are made there are there."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.Tensor.to and not isinstance(args[0], OnPretendGPU):
            device = _device_in(args, kwargs)
            if device is not None and device.type == "cuda":
                layout = {name: value for name, value in (kwargs or {}).items() if name == "memory_format"}
                return OnPretendGPU(args[0].detach().clone(**layout))
        wanted = (kwargs or {}).get("device")
        if wanted is not None and torch.device(wanted).type == "cuda":
            return OnPretendGPU(func(*args, **{**kwargs, "device": "cpu"}))
        return func(*args, **(kwargs or {}))


def _device_in(args, kwargs):
    given = [*args[1:], *(kwargs or {}).values()]
    return next((torch.device(value) for value in given if isinstance(value, (str, torch.device))), None)


def _move_module(net, device, memory_format=torch.preserve_format, original=torch.nn.Module.to):
    if not isinstance(device, (str, torch.device)):  # a dtype
        return original(net, device)
    away = torch.device(device).type == "cuda"
    for module in net.modules():
        for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
            if tensor is not None and isinstance(tensor, OnPretendGPU) != away:
                # a layout with the channels last is one of images and kernels only
                layout = {"memory_format": memory_format} if tensor.dim() == 4 else {}
                moved = tensor.to(device, **layout)
                if name in module._parameters:
                    module._parameters[name] = torch.nn.Parameter(moved, tensor.requires_grad)
                else:
                    module._buffers[name] = moved
    return net


@contextlib.contextmanager
def pretended(monkeypatch):
    """PyTorch finds a GPU, within the `with`."""
    monkeypatch.setattr(torch.version, "cuda", torch.version.cuda or "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *device: "pretended GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *device: (8, 0))
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_80"])
    monkeypatch.setattr(torch.cuda, "synchronize", lambda *device: None)
    monkeypatch.setattr(torch.nn.Module, "to", _move_module)
    with _Moves():
        yield CUDA
