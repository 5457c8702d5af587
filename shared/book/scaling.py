"""How far runs and devices go, calculated from what one of them costs. Times in seconds, sizes in bytes, lines in bits per second.

*Many runs*: a cluster's workers carry them out side by side, but one client gives them out and fetches what they leave. *One run on
several devices*: each computes a part of every batch, then gradients are added up over the network.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

HALF = 0.5  # below this efficiency more machines are not worth it: most of what they do is wait


@dataclass(frozen=True)
class RunCost:
    """What carrying out runs costs beside the runs themselves, in seconds.

    first: from the command to the begin of the first run. gap: from the end of a run to the begin of the next one of its worker.
    last: from the end of the last run to the end of the command. each: what the one process that no second worker relieves (client
    or scheduler) computes for every run.
    """

    first: float
    gap: float
    last: float
    each: float = 0.0


def time_of_runs(runs: int, workers: int, seconds: float, cost: RunCost) -> float:
    """From the command to its end, for `runs` runs of `seconds` each on `workers` workers of a cluster, or on one machine alone.

    The busiest worker has a run more than others; and no cluster is faster than its client and scheduler.
    """
    longest = math.ceil(runs / workers)
    return cost.first + max(longest * seconds + (longest - 1) * cost.gap, runs * cost.each) + cost.last


def speedup_of_runs(runs: int, workers: int, seconds: float, cost: RunCost, alone: RunCost) -> float:
    """How many times as fast `workers` workers are as the same machine without a cluster, `alone`."""
    return time_of_runs(runs, 1, seconds, alone) / time_of_runs(runs, workers, seconds, cost)


@dataclass(frozen=True)
class StepCost:
    """What a step costs.

    once, image: seconds of a step on one device, whatever the batch, and for every image of it. packing: seconds that a device
    takes to lay its gradients side by side and back again. gradients: their bytes. hop: seconds from a device to the next for
    the smallest message.
    """

    once: float
    image: float
    packing: float
    gradients: int
    hop: float

    def faster(self, times: float) -> "StepCost":
        """The cost on devices that compute `times` as fast, on the same network."""
        return replace(self, once=self.once / times, image=self.image / times, packing=self.packing / times)


def ring_bytes(devices: int, gradients: int) -> float:
    """What every device sends in a ring all-reduce: 2 (n - 1) / n times the gradients.

    Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations" (2009).
    """
    return 2 * (devices - 1) / devices * gradients


def ring(devices: int, cost: StepCost, line: float) -> float:
    """Seconds of a ring all-reduce: every device sends and receives at once, in 2 (n - 1) hops."""
    return 8 * ring_bytes(devices, cost.gradients) / line + 2 * (devices - 1) * cost.hop


def server(devices: int, cost: StepCost, line: float) -> float:
    """Seconds with one parameter server: the gradients of all devices come in over its line, then the sums go out over it."""
    return 8 * 2 * devices * cost.gradients / line + 2 * cost.hop


def step_seconds(devices: int, batch: int, cost: StepCost, line: float, how: Callable = ring) -> float:
    """One step on a batch of `batch` images that is split among `devices`; `how` their gradients are added up: ring or server.

    The largest part counts. Nothing is added up while it is still computed.
    """
    computed = cost.once + cost.image * math.ceil(batch / devices)
    return computed if devices == 1 else computed + cost.packing + how(devices, cost, line)


def speedup_of_steps(devices: int, batch: int, cost: StepCost, line: float, how: Callable = ring) -> float:
    """How many times as fast as one device `devices` are, on the same batches."""
    return step_seconds(1, batch, cost, line, how) / step_seconds(devices, batch, cost, line, how)


def stops_paying(speedup: Callable[[int], float], most: int) -> int:
    """The largest number up to `most` at which `speedup(number)` is at least half of it; 1 where two already are not worth it."""
    return max((n for n in range(2, most + 1) if speedup(n) >= HALF * n), default=1)


def line_through(points: list[tuple[float, float]]) -> tuple[float, float]:
    """(height at 0, slope) of the line of least squares through `points`; through the origin where it would begin below."""
    n, xs, ys = len(points), [x for x, _ in points], [y for _, y in points]
    mean_x, mean_y = sum(xs) / n, sum(ys) / n
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x in xs)
    start = mean_y - slope * mean_x
    return (start, slope) if start > 0 else (0.0, sum(x * y for x, y in points) / sum(x * x for x in xs))
