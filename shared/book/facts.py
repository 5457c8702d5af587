"""What README.md and chapter.md say of the experiments and of the drawn images' source network, from where these are defined."""

from math import prod

from safetensors import safe_open

from shared import experiments
from shared.networks.architecture import Architecture, tensor_shapes
from shared.networks.reading import load_source
from shared.networks.source import HOTDOG, MINI_FILE
from shared.runs.tables import markdown_table

IN_WORDS = {"learning_rate": "learning rate {:g}", "size": "{} pixels", "batch_size": "batches of {}"}
PRESETS = {"resnet18_v1": "the photographs", "mini": "the drawings"}


def hyperparameters() -> str:
    """Every hyperparameter of the experiments: a table of the chapter's, and what the two other source networks have instead."""
    header = ["experiment", "learning rate", "of the output layer", "weight decay", "batch", "epochs", "pixels"]
    rows = [
        [e.name, f"{e.learning_rate:g}", f"× {e.head_lr_mult:g}", f"{e.weight_decay:g}"]
        + [str(e.batch_size), str(e.num_epochs), str(e.size)]
        for e in experiments.CHAPTER.values()
    ]
    lines = [f"- {images} (`{preset}`): {_instead(preset)}" for preset, images in PRESETS.items()]
    return "\n".join([markdown_table(header, rows), "", "Instead of these, on", "", *lines])


def _instead(preset):
    """What a preset changes in the chapter's experiments, each change with those that have it."""
    changes = {}
    for name in experiments.CHAPTER:
        for field, value in experiments.PRESETS[preset].get(name, {}).items():
            changes.setdefault(IN_WORDS[field].format(value), []).append(name)
    return "; ".join(
        change if len(names) == len(experiments.CHAPTER) else f"{change} for {', '.join(names)}"
        for change, names in changes.items()
    )


def source_network() -> str:
    """What the drawn images' source network is, from its file."""
    source = load_source("mini")
    with safe_open(MINI_FILE, framework="numpy") as file:
        about = file.metadata()
    return (
        f"It is a thin `{source.architecture.name}` of {sum(t.size for t in source.tensors.values()):,} numbers that tells "
        f"{len(source.classes)} kinds of drawn things apart, `{HOTDOG}` (row {source.row(HOTDOG)}) and "
        f"`{experiments.WRONG_ROW}` (row {source.row(experiments.WRONG_ROW)}) among them, and gets "
        f"{float(about['top1']):.1%} of held-out drawings right (`uv run hotdog mini build` draws and trains it again)."
    )


def parameters_of_layers(side: int = 224) -> str:
    """What sharing weights over places saves: numbers in the layers of ResNet-18, beside fully connected layers in their stead.

    A fully connected layer from an image of `side` pixels to what the first convolution gives (half as high and as wide, stride 2)
    has a weight for every pair of an input and an output number.
    """
    architecture = Architecture(2)
    shapes = tensor_shapes(architecture)
    never = (
        "running_mean",
        "running_var",
        "bn0.weight",
        "bn0.bias",
    )  # v2's first batch normalisation has none in Gluon
    trained = {name: shape for name, shape in shapes.items() if not name.endswith(never)}
    few, every = 2 * shapes["output.weight"][1] + 2, sum(prod(shape) for shape in trained.values())
    first = shapes["features.conv1.weight"]
    channels = first[0]
    inputs, outputs = 3 * side * side, channels * (side // 2) ** 2
    head = prod(shapes["output.weight"]) + prod(shapes["output.bias"])
    rows = [
        [f"first convolution, {first[2]} × {first[3]}, {first[1]} → {channels} channels", f"{prod(first):,}"],
        [f"a fully connected layer between the same numbers, {inputs:,} → {outputs:,}", f"{inputs * outputs:,}"],
        [f"all of `{architecture.name}`", f"{every:,}"],
        [f"of these its only fully connected layer, the output of {architecture.classes:,} classes", f"{head:,}"],
        ["the output layer that fine-tuning puts in its place, two classes", f"{few:,}"],
    ]
    said = (
        f"The last line is why *freezing* can work with few images: it leaves {few:,} of {(every - head + few) / 1e6:.0f} million "
        "numbers to decide. Fine-tuning moves all of them, but only a little, from where they were."
    )
    return f"{markdown_table([f'layer, at {side} pixels', 'numbers to learn'], rows)}\n\n{said}"
