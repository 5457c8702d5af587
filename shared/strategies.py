"""Ways to fine-tune, by name and number: what is trained in which epoch, at which multiple of the rate, by which factor at a step.

A network has six stages: `stem`, `layer1` to `layer4`, `output`. Training starts at one of them and takes in all above it; those
below are kept. Both implementations ask here, so a strategy is the same one in both. No framework is known here.
"""

import math
import re

STAGES = ("stem", "layer1", "layer2", "layer3", "layer4", "output")
SCHEDULES = ("constant", "warmup-cosine")

# The share of all updates in which `warmup-cosine` climbs to the full rate.
WARMUP = 0.1

# Binary digits that a factor keeps. MXNet holds rates in float32, 24 digits; a rate of up to 12 digits times such a factor is exact
# there, so that two frameworks in lockstep really train at one rate. It moves a factor by one part in 8,000 at most.
DIGITS = 12


def stage_of(name: str) -> str:
    """The stage that the tensor `name` (canonical, or any beginning of it that says a layer) belongs to."""
    part = name.split(".")[0 if name.startswith("output") else 1]
    if part == "bn2":  # version 2 normalises what its last stage puts out
        return "layer4"
    return part if part in STAGES else "stem"


def is_kept(name: str, trained_from: str) -> bool:
    """Whether the tensor `name` keeps every bit, running statistics too, where training starts at the stage `trained_from`."""
    return STAGES.index(stage_of(name)) < STAGES.index(trained_from)


def is_trained(name: str, trained_from: str) -> bool:
    """Whether the tensor `name` is moved by gradient where training starts at the stage `trained_from`.

    Running statistics are collected, not trained. Scale and shift of version 2's first normalisation are fixed at 1 and 0: Gluon
    made them so (`scale=False, center=False`).
    """
    fixed = "running_" in name or re.match(r"features\.bn0\.(weight|bias)$", name)
    return not fixed and not is_kept(name, trained_from)


def stage_at(trained_from: str, epoch: int) -> str:
    """The stage at which training starts in `epoch` (1 is the first) by an experiment's `trained_from`.

    That is a word per epoch, of which the last one stays: `output layer4 stem` trains the output layer in the first epoch, the last
    stage too in the second, and everything from the third one on.
    """
    words = trained_from.split()
    return words[min(max(epoch, 1), len(words)) - 1]


def rate_multiple(name: str, experiment) -> float:
    """The rate of the tensor `name` in multiples of the experiment's: its output layer's, or what its stage's depth leaves of it.

    Rates that fall from stage to stage: J. Howard, S. Ruder, "Universal Language Model Fine-tuning for Text Classification" (2018).
    """
    stage = stage_of(name)
    if stage == "output":
        return experiment.head_lr_mult
    return experiment.stage_decay ** (STAGES.index("layer4") - STAGES.index(stage))


def rate_factor(schedule: str, update: int, updates: int) -> float:
    """What the rate is multiplied by at `update` (0 is the first) of `updates`, to 12 binary digits.

    `warmup-cosine` climbs in equal steps to the full rate over the first tenth, then falls to nearly nothing as half a cosine
    does (P. Goyal et al., "Accurate, Large Minibatch SGD", 2017; I. Loshchilov, F. Hutter, "SGDR", 2017).
    """
    if schedule == "constant":
        return 1.0
    climb = math.ceil(WARMUP * updates)
    if update < climb:
        return rounded((update + 1) / climb)
    return rounded(0.5 * (1 + math.cos(math.pi * (update - climb + 1) / (updates - climb + 1))))


def rounded(value: float, digits: int = DIGITS) -> float:
    """`value` to `digits` binary digits."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(mantissa * 2**digits), exponent - digits)


def smoothed(label_smoothing: float, classes: int) -> tuple[float, float]:
    """Target probabilities of the right class and of each other: (1 - ε) + ε/K and ε/K.

    C. Szegedy et al., "Rethinking the Inception Architecture" (2016). Some texts spread ε over the K - 1 wrong classes instead.
    """
    rest = label_smoothing / classes
    return 1 - label_smoothing + rest, rest
