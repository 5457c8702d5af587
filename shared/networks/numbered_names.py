"""Gluon's names of parameters, `resnetv20_stage1_conv0_weight`: what `collect_params()` of MXNet 0.x to 1.9 calls them.

`export`, `Module`, `ParameterDict.save` and the old `save_params` write these. A name is a prefix, a scope (a stage, or none), and
a kind of layer with its number; layers of a kind are numbered in a scope as they are made. So a number is a place, whatever the
order of a file. GluonCV's `v1b` says `layers1` for `stage1` and puts the projection in a scope of its own, `down1`.
"""

import re
from collections import defaultdict

from shared.networks.names import LEAVES
from shared.networks.stored import Stored

NAME = re.compile(
    r"(?:(?P<prefix>.*?)_)??(?:(?P<scope>(?:stage|layers|down)\d+)_)?"
    rf"(?P<kind>conv|batchnorm|dense)(?P<number>\d+)_(?P<leaf>{'|'.join(LEAVES)})"
)


def numbered_networks(tensors: dict[str, Stored]) -> dict[str, dict[str, str]]:
    """{prefix: {canonical name: name}} of the networks whose tensors have such names; the rest is left out.

    The output layer is the only `dense` of a network; where a prefix has none, the only one of the file, since a new output
    layer is often made outside of the network and then has another prefix.
    """
    scopes, dense = defaultdict(dict), defaultdict(dict)
    for name in tensors:
        if it := NAME.fullmatch(name.rpartition(":")[2]):  # `arg:` and `aux:` before it are Module's
            prefix, scope, layer = it["prefix"] or "", it["scope"] or "", (it["kind"], int(it["number"]))
            if it["kind"] == "dense" and not scope:
                dense[prefix, layer][f"output.{LEAVES[it['leaf']]}"] = name
            else:
                scopes[prefix].setdefault(scope, defaultdict(dict))[layer][LEAVES[it["leaf"]]] = name
    found = {}
    for prefix, inside in scopes.items():
        places = _places(inside, tensors)
        found[prefix] = {
            f"{layer}.{leaf}": name
            for (scope, kind, rank), layer in places.items()
            for leaf, name in _ranked(inside, scope, kind).get(rank, {}).items()
        }
        own = [names for (at, _), names in dense.items() if at == prefix] or list(dense.values())
        if len(own) == 1:
            found[prefix] |= own[0]
    return found


def _ranked(inside, scope, kind):
    """{rank: {leaf: name}}: a scope's layers of a kind. The first need not have number 0 where several networks share a prefix."""
    numbers = sorted(number for k, number in inside.get(scope, ()) if k == kind)
    return {number - numbers[0]: inside[scope][kind, number] for number in numbers}


def _places(inside, tensors):
    """{(scope, kind, rank): canonical layer} of the network that these scopes make up."""
    version = 2 if len(_ranked(inside, "", "batchnorm")) > 1 else 1  # version 2 begins and ends with one more each
    stem = [("conv", "conv1"), *(("batchnorm", bn) for bn in (("bn0", "bn1", "bn2") if version == 2 else ("bn1",)))]
    places, ranks = {}, defaultdict(int)

    def place(scope, kind, layer):
        places[scope, kind, ranks[scope, kind]] = f"features.{layer}"
        ranks[scope, kind] += 1

    for kind, layer in stem:
        place("", kind, layer)
    for stage in range(1, 5):
        scope = f"stage{stage}" if f"stage{stage}" in inside else f"layers{stage}"
        convolutions = _ranked(inside, scope, "conv")
        if "weight" not in convolutions.get(0, {}):
            continue
        # A bottleneck begins with a 1x1 convolution. One convolution more than the blocks have is the first block's projection.
        per_block = 3 if tensors[convolutions[0]["weight"]].shape[2:] == (1, 1) else 2
        blocks, more = divmod(len(convolutions), per_block)
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            for k in range(1, per_block + 1):
                place(scope, "conv", f"{name}.conv{k}")
                place(scope, "batchnorm", f"{name}.bn{k}")
            own = f"down{stage}" if f"down{stage}" in inside else scope
            if block == 0 and (more or own != scope):
                place(own, "conv", f"{name}.downsample" + (".0" if version == 1 else ""))
                if version == 1:
                    place(own, "batchnorm", f"{name}.downsample.1")
    return places
