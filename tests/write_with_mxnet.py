"""Write thin residual networks with MXNet 1.9, by each of its functions that write weights. Runs in a process of its own:

    python tests/write_with_mxnet.py FOLDER classic|numpy

The mode is that of the whole process, and the numbers in names go on from network to network. Each folder `1-BasicBlock` to
`2-Bottleneck` holds in `expected.npz` what `save_parameters` calls the tensors, and their values.
"""

import sys
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet.gluon.model_zoo import vision

import gluon_impl  # noqa: F401 (restores NumPy's old names; nothing else of the project is used)

THIN = {"BasicBlock": [8, 8, 16, 24, 32], "Bottleneck": [8, 16, 24, 32, 48]}


def network(version, block, **options):
    net = getattr(vision, f"ResNetV{version}")(
        getattr(vision, f"{block}V{version}"), [2, 1, 2, 1], THIN[block], classes=5, **options
    )
    net.initialize(mx.init.Xavier())
    net(zeros((1, 3, 64, 64)))
    rng = np.random.default_rng(0)
    for name, param in net._collect_params_with_prefix().items():
        values = rng.normal(size=param.shape)
        values = np.abs(values) + 0.5 if name.endswith("running_var") else values
        if version == 2 and name == "features.0.gamma":
            values = np.ones(param.shape)
        param.set_data(array(values.astype("float32")))
    return net


folder, mode = Path(sys.argv[1]), sys.argv[2]
if mode == "numpy":
    mx.npx.set_np()
zeros, array = (mx.np.zeros, mx.np.array) if mode == "numpy" else (mx.nd.zeros, mx.nd.array)


def write(folder, version, block):
    def path(name):
        return str(folder / f"{name}.params")

    net = network(version, block)
    named = net._collect_params_with_prefix()
    np.savez(folder / "expected.npz", **{name: param.data().asnumpy() for name, param in named.items()})

    net.save_parameters(path("save_parameters"))
    net.save_parameters(path("deduplicated"), deduplicate=True)
    net.features.save_parameters(path("features"))
    params = {name: param.data() for name, param in net.collect_params().items()}
    classic = {name: value.as_nd_ndarray() if mode == "numpy" else value for name, value in params.items()}
    mx.nd.save(path("nd_save"), classic)
    mx.nd.save(path("nd_save_reversed"), dict(reversed(classic.items())))
    mx.nd.save(path("nd_save_sorted"), {name: classic[name] for name in sorted(classic)})
    mx.nd.save(path("without_names"), list(classic.values()))
    mx.nd.save(path("other_dtypes"), {n: v.astype("float16" if "conv" in n else "float64") for n, v in classic.items()})
    net.hybridize()
    net(zeros((1, 3, 64, 64)))
    net.export(str(folder / "export"))
    if mode == "numpy":
        mx.npx.save(path("npx_save"), params)
    else:
        net.collect_params().save(path("dict_save"))
        net.collect_params().save(path("dict_save_stripped"), strip_prefix=net.prefix)
        net.save_params(path("save_params"))
        symbol, arg, aux = mx.model.load_checkpoint(str(folder / "export"), 0)
        module = mx.mod.Module(symbol, label_names=None)
        module.bind([("data", (1, 3, 64, 64))])
        module.set_params(arg, aux)
        module.init_optimizer(optimizer="sgd", optimizer_params={"momentum": 0.9})
        module.save_checkpoint(str(folder / "module"), 7, save_optimizer_states=True)
        mx.gluon.SymbolBlock.imports(
            str(folder / "export-symbol.json"), ["data"], str(folder / "export-0000.params")
        ).save_parameters(path("symbol_block"))
        # As in the book: the features of one network, a new output layer in another one, which has another number.
        target = network(version, block)
        target.features = net.features
        target.output.weight.set_data(net.output.weight.data())
        target.output.bias.set_data(net.output.bias.data())
        target.collect_params().save(path("features_of_another_network"))
    trainer = mx.gluon.Trainer(net.collect_params(), "adam")
    with mx.autograd.record():
        loss = net(zeros((1, 3, 64, 64))).sum()
    loss.backward()
    trainer.step(1)
    trainer.save_states(str(folder / "trainer.states"))


for version in (1, 2):
    for block in THIN:
        inside = folder / f"{version}-{block}"
        inside.mkdir()
        write(inside, version, block)
