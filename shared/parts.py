"""One run on several devices: how a batch is split among them, and what each of them is told.

Every *global* batch is split into consecutive parts, as `numpy.array_split` does: they differ by one image at most, the larger ones
come first. Device i computes the gradients of part i, which are averaged over the images of the whole batch. Batch normalisation
normalises by the part that a device has.
"""

from dataclasses import dataclass, field
from typing import Any

from shared.errors import UserError


@dataclass
class Group:
    """The devices of a run, as one of its processes sees them.

    rank, ranks: this process and how many there are. devices: all devices, in whatever process. engine: what the framework adds up
    with. images: how many the global batch has that is being trained on. keys: what the engine calls what was added up, by name.
    """

    rank: int
    ranks: int
    devices: int
    engine: Any = None
    images: int = 0
    keys: dict = field(default_factory=dict)

    @property
    def part(self) -> int:
        """How many images of the global batch are this process's."""
        here = part_of(self.images, self.rank, self.ranks)
        return here.stop - here.start


def part_of(count: int, index: int, parts: int) -> slice:
    """Which of `count` images, in their order, are part `index` of `parts`."""
    size, larger = divmod(count, parts)
    start = index * size + min(index, larger)
    return slice(start, start + size + (index < larger))


def check_parts(devices: int, images: int, batch_size: int, size: int, tested: int):
    """Raise UserError where a device would be left without images, or with one that cannot be normalised."""
    last = images % batch_size or batch_size
    least = 2 if size == 32 else 1  # as for whole batches: one value per channel is no batch to normalise
    if last < least * devices and last != images or images < least * devices:
        raise UserError(
            f"the last of {images} training images are a batch of {last}, too few for {devices} devices (at least "
            f"{least * devices}): choose another --batch-size or fewer --devices"
        )
    if tested < devices:
        raise UserError(f"{tested} test images cannot be shared out among {devices} devices")


def check_shared(experiment):
    """Raise UserError for what an experiment does that several devices do not do as one would."""
    for name, value in (("optimizer", "sgd"), ("clip_norm", 0), ("dropout", 0), ("patience", 0)):
        if getattr(experiment, name) != value:
            raise UserError(
                f"{experiment.name} has {name} {getattr(experiment, name)}, which --devices does not share out"
            )


class PartOrder:
    """A loader's batch sampler: of every batch of `order` the part that is `group`'s process's."""

    def __init__(self, order, batch_size: int, group: Group):
        self.order, self.batch_size, self.group = order, batch_size, group

    def __len__(self):
        return -(-len(self.order) // self.batch_size)

    def __iter__(self):
        keys = list(self.order)
        for start in range(0, len(keys), self.batch_size):
            batch = keys[start : start + self.batch_size]
            yield batch[part_of(len(batch), self.group.rank, self.group.ranks)]


class Parts:
    """The batches of a run's process, `count` images an epoch over all processes; `group` is told each global batch's size.

    at_end: called when an epoch's last step is done. epoch: as that of shared.images.draws.Epochs.
    """

    def __init__(self, batches, count: int, batch_size: int, group: Group, at_end):
        self.batches, self.count, self.batch_size, self.group, self.at_end = batches, count, batch_size, group, at_end

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for number, batch in enumerate(self.batches):
            self.group.images = min(self.batch_size, self.count - number * self.batch_size)
            yield batch
        self.at_end()
