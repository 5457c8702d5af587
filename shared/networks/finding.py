"""The residual network among the tensors of a file, found by their names alone.

A checkpoint is a tree of dicts; a network's tensors stand in one of them, each name behind a prefix that wrappers add (`module.`,
`model.backbone.` ...). Neither is listed here: the prefix is whatever stands before the names of a layout, `conv1.weight` and
`layer1.0.conv1.weight` to `layer4.0.conv1.weight`. Two networks in a file are two candidates, and nothing here chooses.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from shared.errors import UserError
from shared.networks.architecture import Architecture, recognise
from shared.networks.names import HEADS, LAYOUTS, LEAVES, components, feature_layers, layers_of
from shared.networks.numbered_names import numbered_networks
from shared.networks.stored import Stored, read_float32

ANCHORS = ("features.conv1.weight", *(f"features.layer{stage}.0.conv1.weight" for stage in range(1, 5)))
NUMBERED = "numbered"

# What names tell of other networks. The first that matches a name explains a refusal.
OTHERS = (
    (r"stage\d_unit\d+_", "MXNet's symbol ResNet (`resnet-18`, before Gluon): other epsilon, a projection in stage 1"),
    (r"(^|\.)conv1\.\d\.weight|stem\.\d\.conv|v1[cdes]\d*_", "a ResNet with a deep stem (GluonCV's v1c, v1d, v1e, v1s; timm's d)"),
    (r"\.downsample\.2\.|_down\d_.*avg", "a ResNet-D: its projections begin with a pooling"),
    (r"stages\.\d\.blocks\.\d+\.(norm|conv)\d", "timm's `resnetv2`: no batch normalisation on the input, other than Gluon's v2"),
    (r"denseblock|dense_?layer|features\.\d+\.\d+\.0\.gamma", "a DenseNet"),
    (r"Mixed_\d|inception", "an Inception network or GoogLeNet"),
    (r"squeezenet|features\.\d+\.(squeeze|expand)", "a SqueezeNet"),
    (r"mobilenet|linearbottleneck|features\.\d+\.conv\.\d", "a MobileNet"),
    (r"classifier\.6\.|vgg|alexnet|features\.3\d\.(weight|gamma)$", "a VGG or AlexNet"),
    (r"conv_stem|_blocks\.|_expand_conv|conv_pwl", "an EfficientNet or MobileNetV3"),
    (r"attn|attention|patch_embed|pos_embed|encoder_layer", "a transformer"),
    (r"\.se\.|\.se_module\.|seblock|\.fc[12]\.weight$|stage\d_dense\d", "a network with squeeze-and-excitation (SE-ResNet)"),
    (r"zero_point|_packed_params|\.scale$", "a quantised network"),
    (r"weight_mask|weight_orig", "a pruned network: `torch.nn.utils.prune.remove` makes its pruning permanent"),
    (r"weight_g$|weight_v$|parametrizations", "a network with reparametrised weights (weight or spectral normalisation)"),
    (r"resnext", "a ResNeXt: convolutions in groups"),
    (r"features\.[1-3]\.\d+\.body|features\.[2-4]\.\d+\.(bn|conv)\d|cifarres", "a ResNet for small images (CIFAR, `thumbnail`)"),
)  # fmt: skip


@dataclass
class Candidate:
    """A network in a file: `names` {canonical name: name in the file}, below the dict `where` and the prefix `prefix`."""

    where: str
    prefix: str
    layout: str
    names: dict[str, str]
    notes: list[str] = field(default_factory=list)

    @property
    def called(self) -> str:
        """What a message calls it: the key of its dict and the name of its first convolution."""
        first = self.names.get(ANCHORS[0]) or next(iter(self.names.values()))
        return f"{self.where}: {first}" if self.where else first


def find_network(dicts: dict[str, dict[str, Stored]], what: str) -> tuple[Architecture, dict, list[str]]:
    """The one residual network in `dicts` {key in the file: {name: tensor}}: architecture, tensors and notes for the user.

    Its tensors are float32 under canonical names; without an output layer the architecture has 0 classes. Raises UserError
    when there is none (saying what it is instead), several, or one that is not whole; `what` is the file in messages.
    """
    dicts = {key: _without_counters(tensors) for key, tensors in dicts.items()}
    candidates = [c for key, tensors in dicts.items() for c in _candidates(key, tensors)]
    whole = [c for c in candidates if all(a in c.names for a in ANCHORS)]
    if not whole:
        _refuse(dicts, candidates, what)
    for candidate in whole:
        _add_output(candidate, dicts[candidate.where])
    chosen = max(whole, key=lambda c: len(c.names))
    if len(whole) > 1 and not all(_same(chosen, c, dicts) for c in whole):
        raise UserError(
            f"{what} holds {len(whole)} networks and nothing says which one is meant: {'; '.join(c.called for c in whole[:6])}. "
            "Save the wanted one alone, as in torch.save(torch.load(FILE)[KEY], 'one.pth')"
        )
    tensors = dicts[chosen.where]
    _check_strangers(chosen, tensors, what)
    return _read(chosen, tensors, what)


def _without_counters(tensors):
    # Whoever converts all tensors of a state dict converts PyTorch's counter too, so that is told by its name.
    return {n: t for n, t in tensors.items() if not (t.counts or n.endswith("num_batches_tracked"))}


def _candidates(key, tensors):
    """All networks in one dict, those left out that are part of another (the same names read in another layout)."""
    found = []
    for layout in LAYOUTS:
        found += [Candidate(key, p, layout, names) for p, names in _with_prefixes(layout, tensors).items()]
    found += [Candidate(key, p, NUMBERED, names) for p, names in numbered_networks(tensors).items()]
    found = [
        c for c in found if all(a not in c.names or len(tensors[c.names[a]].shape) == 4 for a in ANCHORS) and c.names
    ]
    found.sort(key=lambda c: (-len(c.names), len(c.prefix)))
    kept = []
    for candidate in found:
        if not any(set(candidate.names.values()) <= set(other.names.values()) for other in kept):
            kept.append(candidate)
    return kept


def _with_prefixes(layout, tensors):
    """{prefix: {canonical name: name}}: every name that is a prefix and a name of `layout`."""
    layers, found = feature_layers(layout), defaultdict(dict)
    for name in tensors:
        *path, leaf = components(name.rpartition(":")[2])  # `arg:` and `aux:` before it are MXNet's export
        for cut in range(len(path) if leaf in LEAVES else 0):
            if layer := layers.get(".".join(path[cut:])):
                canonical, prefix = f"{layer}.{LEAVES[leaf]}", "".join(f"{part}." for part in path[:cut])
                if canonical in found[prefix]:
                    raise UserError(
                        f"{found[prefix][canonical]} and {name} are the same layer twice; nothing says which is meant"
                    )
                found[prefix][canonical] = name
                break
    return found


def _plain(name):
    return ".".join(components(name.rpartition(":")[2]))


def _add_output(candidate, tensors):
    """Add the output layer, called by one of HEADS, that stands beside the features or beside a wrapper of them."""
    if candidate.layout == NUMBERED:
        return
    taken = set(candidate.names.values())
    rest = {_plain(name): name for name in tensors if name not in taken}
    path = candidate.prefix.split(".")[:-1]
    for depth in range(len(path), -1, -1):
        level = "".join(f"{part}." for part in path[:depth])
        beside = {name.removeprefix(level): own for name, own in rest.items() if name.startswith(level)}
        heads = {name: own for name, own in beside.items() if name.split(".")[0] in HEADS}
        if not heads:
            continue
        layers = {name.rpartition(".")[0] for name in heads}
        if len(layers) == 1 and {n.rpartition(".")[2] for n in heads} == {"weight", "bias"}:
            if depth == len(path) or len(heads) == len(beside):  # else something unknown stands between them
                candidate.names |= {f"output.{name.rpartition('.')[2]}": own for name, own in heads.items()}
                return
        candidate.notes.append(
            f"{', '.join(sorted(heads.values())[:4])} do not make one linear layer with weight and bias; only the features are read"
        )
        for own in heads.values():
            candidate.names[f"not read: {own}"] = own
        return


def _same(one, other, dicts):
    """Whether two candidates hold the same bits, as the two names of a shared module do."""
    features = [name for name in one.names if name.startswith("features.")]
    if set(features) != {name for name in other.names if name.startswith("features.")}:
        return False
    a, b = dicts[one.where], dicts[other.where]
    return all(
        a[one.names[n]].shape == b[other.names[n]].shape
        and np.array_equal(a[one.names[n]].read(), b[other.names[n]].read())
        for n in features
    )


def _check_strangers(chosen, tensors, what):
    """Refuse tensors that stand inside of the network but belong to none of its layers; note what stands outside."""
    taken = set(chosen.names.values())
    rest = [name for name in tensors if name not in taken]
    inside = [name for name in rest if _plain(name).startswith(chosen.prefix)] if chosen.layout != NUMBERED else rest
    if inside:
        raise UserError(
            f"{what}: tensor {inside[0]} is not one of a residual network that this project knows"
            + (f" ({len(inside)} such tensors)" if len(inside) > 1 else "")
            + (_explained(rest, tensors) or "; if it is no part of the network, save the file without it")
        )
    if rest:
        first = ", ".join(rest[:3]) + (" ..." if len(rest) > 3 else "")
        chosen.notes.append(f"left out {len(rest)} tensor{'s' * (len(rest) > 1)} beside the network: {first}")


def _read(chosen, tensors, what):
    names = {ours: theirs for ours, theirs in chosen.names.items() if not ours.startswith("not read")}
    arrays, converted = read_float32({ours: tensors[theirs] for ours, theirs in names.items()}, names)
    notes = converted + chosen.notes
    if "gamma" in chosen.names.get("features.bn0.weight", "") and (arrays["features.bn0.weight"] != 1).any():
        arrays["features.bn0.weight"][:] = 1
        notes.append(
            f"{names['features.bn0.weight']} was not 1; Gluon computes with 1 there (scale=False), and so it is read"
        )
    if not any(name.startswith("output.") for name in arrays):
        notes.append("no output layer in it: enough for everything but the reuse of its rows")
    try:
        architecture = recognise(arrays, what)
    except UserError as error:
        raise UserError(_in_their_names(str(error), chosen) + _explained(tensors, tensors)) from None
    return architecture, arrays, notes


def _in_their_names(text, candidate):
    """`text` with canonical names replaced by those of the file, where its layout has them."""
    if candidate.layout == NUMBERED:
        return text
    layers = layers_of(candidate.layout)
    prefix = candidate.prefix
    for ours, own in candidate.names.items():  # as it stands in the file, `module.` included
        layer, _, leaf = ours.rpartition(".")
        if own.endswith(f"{layers.get(layer)}.{leaf}") and layer != "output":
            prefix = own.removesuffix(f"{layers[layer]}.{leaf}")
            break

    def theirs(match):
        if match[0] in candidate.names:
            return candidate.names[match[0]]
        return f"{prefix}{layers[match[1]]}.{match[2]}" if match[1] in layers else match[0]

    return re.sub(r"\b((?:features|output)[\w.]*)\.(\w+)", theirs, text)


def _refuse(dicts, candidates, what):
    """Say what the file holds instead of a residual network."""
    names = {name: tensor for tensors in dicts.values() for name, tensor in tensors.items()}
    if not names:
        raise UserError(f"{what} holds no named tensors")
    partial = max(candidates, key=lambda c: len(c.names), default=None)
    missing = [a for a in ANCHORS if partial is None or a not in partial.names]
    explained = _explained(names, names)
    if partial is not None and len(missing) < 4 and not explained:
        raise UserError(
            _in_their_names(f"{what} is no whole residual network: it has no tensor {missing[0]}", partial)
            + f" ({len(names)} tensors, such as {', '.join(list(names)[:3])})"
        )
    raise UserError(
        f"{what} is no residual network that this project knows{explained}; its {len(names)} tensors begin with "
        f"{', '.join(list(names)[:3])}"
    )


def _explained(names, tensors):
    """What OTHERS tells of names, as the end of a sentence; empty where it tells nothing."""
    for pattern, what in OTHERS:
        if name := next((n for n in names if re.search(pattern, n)), None):
            return f": {name} is of {what}"
    for name in names:
        shape, third = (
            tensors[name].shape,
            re.sub(r"conv2\.weight$", "conv3.weight", re.sub(r"body\.3\.", "body.6.", name)),
        )
        if len(shape) == 4 and third != name and third in tensors:
            if shape[1] < shape[0]:
                return f": {name} is a convolution in groups (ResNeXt)"
            if shape[0] * 4 != tensors[third].shape[0]:
                return f": {name} is of a wide ResNet"
    return ""
