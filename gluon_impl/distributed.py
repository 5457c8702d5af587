"""The chapter's training in Gluon on several devices: contexts of one process, or a process each.

What adds up is a kvstore: `device` within a process; `dist_sync` between processes that MXNet's launcher started (or whoever sets
DMLC_ROLE and its like). Batches: shared.parts.
"""

import contextlib
import os

import mxnet as mx
from mxnet import gluon, np

from gluon_impl.data import DrawnViews
from gluon_impl.nets import get_tensors, set_tensors
from gluon_impl.training import seed_everything
from shared.images.draws import EpochOrder, Epochs, epoch_seed
from shared.parts import Group, PartOrder, part_of

FIRST_KEY = 1_000_000


@contextlib.contextmanager
def joined(devices, device, rank=None, address=None):
    """(the Group that this process joins for a run on `devices` devices, this process's own first device); left at the end.

    With DMLC_ROLE in the environment it is one of several processes, without it all devices are its own. rank, address: of no use
    here, where no process starts others.
    """
    if "DMLC_ROLE" in os.environ:
        store = mx.kv.create("dist_device_sync" if device.device_type == "gpu" else "dist_sync")
        yield Group(store.rank, store.num_workers, devices, store), device
        store._barrier()  # whoever ends first takes nothing away from the others
        return
    with device:  # where arrays are looked for that lie on several devices
        yield Group(0, 1, devices, [mx.Context(device.device_type, i) for i in range(devices)]), device


def part_iter(split, size, batch_size, seed, group, workers=0, mixing="none", augmentation="plain"):
    """As `train_iter` with shared draws, but of every batch only the part that is this process's."""
    sampler = EpochOrder(seed, len(split))
    images = DrawnViews(split, size, seed, mixing, augmentation)
    if workers:
        _ = images[next(iter(sampler))]  # as in train_iter
    loader = gluon.data.DataLoader(
        images, batch_sampler=PartOrder(sampler, batch_size, group), num_workers=workers, thread_pool=True
    )

    def begin(epoch):
        seed_everything(epoch_seed(seed, epoch))
        sampler.epoch = epoch

    return Epochs(loader, begin)


def spread(net, device, group):
    """Let `net` compute on all of this process's devices: batches are split among them, outputs put together on the first.

    net is changed, and returned.
    """
    if group.ranks == 1:
        net.collect_params().reset_ctx(group.engine)
        for block in (net, net.features, net.output):
            block.__class__ = type(type(block).__name__, (_Spread, type(block)), {"contexts": group.engine})
    return net


class _Spread:
    """A block that computes every part of a batch on a context of its own. Blocks within it get their part as it is."""

    contexts, inside = (), False

    def __call__(self, X):
        if _Spread.inside or not isinstance(X, mx.nd.NDArray):
            return super().__call__(X)
        _Spread.inside = True
        try:
            parts = [(X[part_of(len(X), i, len(self.contexts))], c) for i, c in enumerate(self.contexts)]
            # the last test images may be fewer than the devices
            outputs = [super(_Spread, self).__call__(part.as_in_ctx(c)) for part, c in parts if len(part)]
        finally:
            _Spread.inside = False
        return np.concatenate([output.as_in_ctx(self.contexts[0]) for output in outputs])


def share_steps(trainer, group):
    """Let every step of `trainer` use the gradient of the mean loss of the whole batch, which all processes then have."""
    if group.ranks == 1:
        # Gradients are of sums over the images; the store adds them up, and `step` divides by the images of all parts.
        trainer._kvstore_params |= {"kvstore": "device", "update_on_kvstore": False}
        return
    # Nothing is updated on the store's servers: for that the optimiser would be sent there, pickled.
    trainer._kvstore_params |= {"kvstore": group.engine, "update_on_kvstore": False}
    step = trainer.step
    trainer.step = lambda batch_size, **more: step(group.images, **more)


def average_statistics(net, group):
    """Give every device's copy of `net` the mean of all devices' running statistics: each has seen other images."""
    if group.ranks == 1:
        for name, param in net._collect_params_with_prefix().items():
            if "running_" in name:
                copies = [copy.as_in_ctx(group.engine[0]) for copy in param.list_data()]
                param.set_data(sum(copies) / len(copies))
        return
    running = {name: t for name, t in get_tensors(net).items() if "running_" in name}
    mean = {name: t / t.dtype.type(group.ranks) for name, t in summed(running, group).items()}
    set_tensors(net, get_tensors(net) | mean)


def summed(arrays, group):
    """The NumPy arrays {name: array} added up over all processes, each of its own shape and dtype."""
    if group.ranks == 1:
        return dict(arrays)
    totals = {}
    for name, array in arrays.items():
        total = np.array(array, dtype=array.dtype)
        if name not in group.keys:  # numbers, as the trainer's are; those count from 0
            group.keys[name] = FIRST_KEY + len(group.keys)
            group.engine.init(group.keys[name], np.zeros_like(total))
        group.engine.pushpull(group.keys[name], total, out=total)
        totals[name] = total.asnumpy()
    return totals
