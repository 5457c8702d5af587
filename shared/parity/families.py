"""Which networks of the two zoos are the same function? Measured: random tensors of the one in the other, by their order.

`hotdog networks --measure` does it; what it last found is recorded beside this file.
"""

import contextlib
import json
from pathlib import Path

from shared.errors import reason_of
from shared.files import write_rows
from shared.networks import numpy_aliases
from shared.parity.tensors import relative

RECORD = Path(__file__).with_name("families.json")
# A network that both zoos have, by their names for it, and the side of its images in pixels.
PAIRS = (
    ("alexnet", "alexnet", 224),
    ("vgg11", "vgg11", 224),
    ("vgg11_bn", "vgg11_bn", 224),
    ("densenet121", "densenet121", 224),
    ("squeezenet1.0", "squeezenet1_0", 224),
    ("squeezenet1.1", "squeezenet1_1", 224),
    ("inceptionv3", "inception_v3", 299),
    ("mobilenetv2_1.0", "mobilenet_v2", 224),
)
# The project's own family, for comparison: two that are the same function, and the one that needs a twin.
RESIDUAL = (("resnet18_v1", "resnet18", 224), ("resnet34_v1", "resnet34", 224), ("resnet50_v1", "resnet50", 224))
SAME = 1e-4  # relative difference of the logits in float32; measured 3e-7 to 2e-5, and above 0.1 for another function

# What follows from that for somebody who has such a network.
OTHERS = (
    "AlexNet and VGG are the same function, but train with dropout, whose masks each framework draws in a way of its own: no step "
    "of training could be compared. Nor have their tensors canonical names here.",
    "What Gluon runs in classic mode only would need a Gluon twin, as torchvision's resnet50 has one here.",
    "MXNet's zoo alone has MobileNet v1; torchvision alone has ConvNeXt, EfficientNet, GoogLeNet, MaxViT, MNASNet, MobileNet v3, "
    "RegNet, ResNeXt, ShuffleNet, Swin, ViT and Wide ResNet.",
)


def measure(pairs=(*RESIDUAL, *PAIRS)) -> list[dict]:
    """One row for each pair: {gluon, torchvision, mode, tensors, difference, why}, and `refused` in classic mode.

    mode: `NumPy` or `classic`, the mode of MXNet in which Gluon's network runs; classic where NumPy mode refused it, and how.
    tensors: how many each has, [gluon, torchvision]. difference: relative, of the logits for two random images, or null where
    tensors do not match; `why` then says what does not.
    """
    return [compare(*pair) for pair in pairs]


def compare(gluon_name: str, torchvision_name: str, size: int) -> dict:
    """The row of one pair, see `measure`."""
    import torch
    import torchvision

    torch.manual_seed(0)
    kwargs = {"init_weights": True} if torchvision_name == "inception_v3" else {}
    theirs = getattr(torchvision.models, torchvision_name)(**kwargs).eval()
    state = {
        name: tensor
        for name, tensor in theirs.state_dict().items()
        if not name.startswith("AuxLogits.") and not name.endswith("num_batches_tracked")
    }
    for name, tensor in state.items():
        if tensor.ndim == 1:  # biases, batch normalisation: at their initial 0 and 1 a mix-up would not show
            spread = (0.5, 1.5) if name.endswith(("running_var", "weight")) else (-0.1, 0.1)
            tensor.uniform_(*spread)
    X = torch.randn(2, 3, size, size)
    with torch.no_grad():
        wanted = theirs(X).numpy()
    row = {"gluon": gluon_name, "torchvision": torchvision_name, "mode": "NumPy"}
    try:
        found = _in_gluon(gluon_name, state, X.numpy(), np_mode=True)
    except _Other as other:
        found = other
    except Exception as error:  # whatever this network cannot do there: MXNet has an error for each operator
        row |= {"mode": "classic", "refused": reason_of(error).partition(". ")[0]}
        try:
            found = _in_gluon(gluon_name, state, X.numpy(), np_mode=False)
        except _Other as other:
            found = other
    if isinstance(found, _Other):
        return row | {"tensors": [found.count, len(state)], "difference": None, "why": str(found)}
    return row | {"tensors": [len(state), len(state)], "difference": float(f"{relative(found, wanted):.2g}"), "why": ""}


class _Other(Exception):
    """The tensors of the one do not fit the other. count: how many Gluon's network has."""

    def __init__(self, count, text):
        super().__init__(text)
        self.count = count


def _in_gluon(name, state, X, np_mode):
    """Logits of Gluon's network `name` with the tensors `state`, one after the other in both networks' order."""
    numpy_aliases.restore()  # before MXNet is imported
    import mxnet as mx
    from mxnet.gluon.model_zoo import vision

    with contextlib.ExitStack() as mode:
        # NumPy arrays cannot do without NumPy shapes, so the order differs.
        for semantics in (mx.util.np_shape, mx.util.np_array)[:: 1 if np_mode else -1]:
            mode.enter_context(semantics(np_mode))
        module = mx.np if np_mode else mx.nd
        net = vision.get_model(name)
        net.initialize()
        X = module.array(X)
        net(X)  # shapes are inferred at the first call
        params = net._collect_params_with_prefix()
        if len(params) != len(state):
            raise _Other(len(params), f"Gluon's has {len(params)} tensors, torchvision's {len(state)}")
        for (ours, param), (theirs, tensor) in zip(params.items(), state.items(), strict=True):
            if param.shape != tuple(tensor.shape):
                text = f"Gluon's {ours} has shape {param.shape}, torchvision's {theirs} {tuple(tensor.shape)}"
                raise _Other(len(params), text)
            param.set_data(module.array(tensor.numpy()))
        return net(X).asnumpy()


def record(rows: list[dict], versions: dict, path: Path = RECORD):
    """Write what `measure` found, with the versions it was found with."""
    write_rows(path, {"command": "hotdog networks --measure", "versions": versions}, "pairs", rows)


def recorded(path: Path = RECORD) -> dict:
    """What `record` wrote: {command, versions, pairs: the rows of `measure`}."""
    return json.loads(path.read_text(encoding="utf-8"))


def verdict(row: dict) -> str:
    """One phrase: is it the same function, and if so what keeps it from being trained here."""
    if row["difference"] is None:
        return f"another network: {row['why']}"
    if row["difference"] > SAME:
        return f"the same tensors, another function: logits {row['difference']:.2g} apart"
    same = f"the same function (logits {row['difference']:.1g} apart)"
    return same if row["mode"] == "NumPy" else f"{same}, but Gluon's runs only without MXNet's NumPy semantics"
