"""The chapter's training in PyTorch on several devices: a process for each, gradients averaged over the whole batch.

What adds up is torch.distributed: gloo between processors, NCCL between GPUs. Batches: shared.parts.
"""

import contextlib
import os
from datetime import timedelta

import torch
import torch.distributed
from torch.utils.data import DataLoader

from shared.images.draws import EpochOrder, Epochs, epoch_seed
from shared.parts import Group, PartOrder
from torch_impl.data import DrawnViews
from torch_impl.nets import get_tensors, set_tensors
from torch_impl.training import seed_everything

TIMEOUT = timedelta(minutes=30)  # that a process waits for another, which may be loading or evaluating


@contextlib.contextmanager
def joined(devices, device, rank=None, address=None):
    """(the Group that this process joins for a run on `devices` devices, this process's own device); left at the end.

    rank, address: as the process that started this one says (tcp://HOST:PORT, where rank 0 listens); without them from the
    environment that torchrun makes.
    """
    local = int(os.environ["LOCAL_RANK"]) if rank is None else rank
    if device.type == "cuda":
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    elif rank is not None:
        torch.set_num_threads(max(1, torch.get_num_threads() // devices))  # they share this machine's cores
    where = {} if rank is None else {"init_method": address, "rank": rank, "world_size": devices}
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT, **where)
    try:
        engine = torch.distributed.group.WORLD
        yield Group(torch.distributed.get_rank(), torch.distributed.get_world_size(), devices, engine), device
    finally:
        torch.distributed.destroy_process_group()


def part_iter(split, size, batch_size, seed, group, workers=0, mixing="none", augmentation="plain"):
    """As `train_iter` with shared draws, but of every batch only the part that is this process's."""
    sampler = EpochOrder(seed, len(split))
    loader = DataLoader(
        DrawnViews(split, size, seed, mixing, augmentation),
        batch_sampler=PartOrder(sampler, batch_size, group),
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=workers > 0,
    )

    def begin(epoch):
        seed_everything(epoch_seed(seed, epoch))
        sampler.epoch = epoch

    return Epochs(loader, begin)


def spread(net, device, group):
    """Let `net` compute on all of this process's devices: in PyTorch there is one."""
    return net


def share_steps(trainer, group):
    """Let every step of `trainer` use the gradient of the mean loss of the whole batch, which all processes then have."""

    def average(trainer, *_):
        gradients = [p.grad for g in trainer.param_groups for p in g["params"] if p.grad is not None]
        # Each is that of the mean over its own part; a part without images has none, and nothing to add.
        share = group.part / group.images
        flat = torch.cat([g.reshape(-1) for g in gradients])
        flat = flat * share if share else torch.zeros_like(flat)
        group.engine.allreduce([flat]).wait()
        for gradient, whole in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(whole.view_as(gradient))

    trainer.register_step_pre_hook(average)


def average_statistics(net, group):
    """Give every process's `net` the mean of all devices' running statistics: each device has seen other images."""
    running = {name: t for name, t in get_tensors(net).items() if "running_" in name}
    mean = {name: t / t.dtype.type(group.ranks) for name, t in summed(running, group).items()}
    set_tensors(net, get_tensors(net) | mean)


def summed(arrays, group):
    """The NumPy arrays {name: array} added up over all processes, each of its own shape and dtype."""
    device = "cuda" if torch.distributed.is_initialized() and torch.distributed.get_backend() == "nccl" else "cpu"
    tensors = {name: torch.from_numpy(array.copy()).to(device) for name, array in arrays.items()}
    for tensor in tensors.values():
        group.engine.allreduce([tensor]).wait()
    return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
