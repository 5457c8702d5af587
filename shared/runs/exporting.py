"""Export: a source network, or what a run ended with, as a file that other programs open. What was written is read back and run.

export(source, Path("net.pth")) writes the file and what belongs beside it; the file appears only when it has passed.
"""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import FailedRun, UserError
from shared.files import write_atomically, write_text
from shared.images.mini.drawings import drawing
from shared.images.mini.render import TARGET_CLASSES
from shared.images.views import MEAN, STD, centre
from shared.networks import writing
from shared.networks.architecture import Architecture
from shared.networks.reading import load_source
from shared.networks.source import Source
from shared.runs.frameworks import FRAMEWORKS, implementation

ENDINGS = (*writing.WRITERS, ".onnx")
SAMPLES = 8
# Measured: 1e-6 with the weights of a real ResNet-18 at 224 px, 9e-7 with `mini`; to onnxruntime as well.
TOLERANCE = 1e-5
PACKAGES = Path(__file__).parents[2]
HEADER = "# Written by `hotdog export`: a network that {zoo} lacks. The rest is for `network(classes)`, at the end.\n"
NETWORK = '''

def network(classes=1000):
    """{name}: images (N, 3, H, W) float32 -> logits (N, classes).

    Images are RGB from 0 to 1, less {mean} and divided by {std}, colour by colour.
    """
    return {call}
'''


@dataclass(frozen=True)
class Exported:
    """What an export wrote. file: the network; beside: class labels and module, where the format or a zoo lacks them.

    differences: {what was compared: largest difference of two probabilities of any class on any sample image}. opening: lines of
    Python that open the file without this project.
    """

    file: Path
    beside: list[Path]
    differences: dict[str, float]
    opening: list[str]


def export(source: Source, file: Path, size: int = 224, overwrite: bool = False) -> Exported:
    """Write `source` to `file`; its ending says the format. size: side of the sample images in pixels.

    Raises UserError for an ending that is none of ENDINGS, for features without an output layer, and, without `overwrite`,
    where there is a file already; FailedRun where the file, read back, is not the network that was written.
    """
    if file.suffix not in ENDINGS:
        raise UserError(f"cannot write {file}: its ending has to be one of {', '.join(ENDINGS)}")
    if not source.architecture.classes:
        raise UserError(f"{source.name} has no output layer, so it has no classes to export; train it first")
    beside = _beside(source, file)
    for path, text in {file: None, **beside}.items():
        if path.exists() and not overwrite and (text is None or path.read_text(encoding="utf-8") != text):
            raise UserError(f"{path} is there already: delete it, name another file, or give --overwrite")
    differences = {}

    def write_and_check(path):
        write = write_onnx if file.suffix == ".onnx" else writing.WRITERS[file.suffix]
        write(source, path)
        differences.update(compare(source, path, size))

    write_atomically(file, write_and_check)
    for path, text in beside.items():
        write_text(path, text)
    module = next((path.stem for path in beside if path.suffix == ".py"), None)
    return Exported(file, list(beside), differences, writing.how_to_open(source.architecture, file, module))


def _beside(source, file):
    """{path: text} of the files that belong beside `file`."""
    texts = {}
    if source.classes and file.suffix in (".params", ".pth"):
        texts[writing.classes_file(file)] = json.dumps(source.classes, indent=1, ensure_ascii=False) + "\n"
    text = module_text(source.architecture, file.suffix)
    if text:
        name = source.architecture.name.replace("(", "_").replace(",", "_").replace(")", "")
        texts[file.with_name(f"{name}.py")] = text
    return texts


def module_text(architecture: Architecture, ending: str) -> str | None:
    """The source of a module that makes the network of a file with `ending`, or None where its framework's zoo does.

    It imports nothing but the framework: it is the twin that this project trains, with a function `network(classes)`.
    """
    layers, channels = architecture.layers, architecture.channels
    if ending in writing.TORCH_ENDINGS and not writing.in_torchvision(architecture):
        zoo, twin = "torchvision", f"torch_impl/resnet_v{architecture.version}.py"
        block = {"basic": "BasicBlock", "bottleneck": "Bottleneck", "bottleneck_v1b": "Bottleneck"}[architecture.block]
        own = architecture.version == 2 or architecture.block == "bottleneck"  # the others are torchvision's
        block += f"V{architecture.version}" if own else ""
        call = f"ResNetV{architecture.version}({layers}, {channels}, classes, {block})"
    elif ending == ".params" and not writing.in_gluon(architecture):
        zoo, twin = "MXNet's model zoo", "gluon_impl/resnet_v1b.py"
        call = f"ResNetV1b({layers}, {channels}, classes)"
    else:
        return None
    mean, std = (tuple(values.ravel().tolist()) for values in (MEAN, STD))
    text = (PACKAGES / twin).read_text(encoding="utf-8")
    return HEADER.format(zoo=zoo) + text + NETWORK.format(name=architecture.name, mean=mean, std=std, call=call)


def write_onnx(source: Source, file: Path):
    """Write `source` as ONNX: `images` (batch, 3, height, width) float32 -> `probabilities` (batch, classes), any batch and size.

    One file, by the exporter that needs no onnxscript. Class labels and the normalisation that `images` need are in its metadata.
    Raises UserError where the package onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise UserError(
            f"{file.suffix} needs the package onnx, which is not installed: pip install onnx (or uv add onnx)"
        ) from None
    import torch

    net = implementation("torch", "nets").pretrained_net(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this exporter is the older one is why it was chosen
        torch.onnx.export(
            torch.nn.Sequential(net, torch.nn.Softmax(dim=1)).eval(),
            (torch.zeros(1, 3, 64, 64),),
            str(file),
            dynamo=False,
            input_names=["images"],
            output_names=["probabilities"],
            dynamic_axes={"images": {0: "batch", 2: "height", 3: "width"}, "probabilities": {0: "batch"}},
        )
    model = onnx.load(str(file))
    mean, std = (values.ravel().tolist() for values in (MEAN, STD))
    model.doc_string = (
        f"images: RGB from 0 to 1, (batch, 3, height, width) float32, less {mean} and divided by {std}, colour by colour. "
        "probabilities: (batch, classes), in the order of the metadata's `classes`."
    )
    metadata = {"architecture": source.architecture.name, "mean": json.dumps(mean), "std": json.dumps(std)}
    if source.classes:
        metadata["classes"] = json.dumps(source.classes, ensure_ascii=False)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, str(file))


def compare(source: Source, file: Path, size: int) -> dict[str, float]:
    """Read `file` again and run it on SAMPLES drawn images: in both frameworks, .onnx also in onnxruntime where that is installed.

    -> {what was compared with Gluon's probabilities: largest difference}. Raises FailedRun where a tensor came back changed or a
    probability is off by more than TOLERANCE.
    """
    X, ran = sample_images(size), source
    if file.suffix != ".onnx":
        ran = load_source(str(file))
        changed = [name for name in source.tensors if not np.array_equal(ran.tensors.get(name), source.tensors[name])]
        if ran.architecture != source.architecture or changed:
            raise FailedRun(
                f"the file, read again, is not what was written: {', '.join(changed[:3]) or ran.architecture}"
            )
    found = {framework: probabilities(framework, ran, X) for framework in FRAMEWORKS}
    if file.suffix == ".onnx":
        found |= _run_onnx(file, X)
    gluons = found.pop("gluon")
    differences = {what: float(np.abs(p - gluons).max()) for what, p in found.items()}
    for what, difference in differences.items():
        if not difference <= TOLERANCE:
            raise FailedRun(f"probabilities of {what} differ by {difference:.2g} from Gluon's, more than {TOLERANCE:g}")
    return differences


def sample_images(size: int) -> np.ndarray:
    """SAMPLES drawn images, normalised: (SAMPLES, 3, size, size) float32; the same ones each time."""
    chosen = [(TARGET_CLASSES[i % len(TARGET_CLASSES)], i // len(TARGET_CLASSES)) for i in range(SAMPLES)]
    return np.stack([centre(drawing("target", "test", name, i), size, "float32") for name, i in chosen])


def probabilities(framework: str, source: Source, X: np.ndarray) -> np.ndarray:
    """Softmax outputs (N, classes) float32 of `source`'s network in `framework`, on the CPU, for X (N, 3, H, W)."""
    nets, training = (implementation(framework, module) for module in ("nets", "training"))
    device, _ = training.choose_device("cpu")
    if framework == "gluon":
        from mxnet import np as array_module

        arrays = array_module.array(X), array_module.zeros(len(X))
    else:
        import torch

        arrays = torch.from_numpy(X), torch.zeros(len(X))
    return training.predict_probabilities(nets.pretrained_net(source), [arrays], device)[0]


def _run_onnx(file, X):
    try:
        import onnxruntime
    except ImportError:
        return {}
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return {"onnxruntime": session.run(["probabilities"], {"images": X})[0]}
