"""Opens exported files as their users do: in a process of its own that has the framework and nothing of this project.

    python opens.py CASES.json

CASES.json: [{"folder", "lines" (Python that leaves the network in `net`), "images" (.npy), "out" (.npy), "mode"}]. Each case writes
the probabilities that it got. mode: torch, onnx, classic or np (MXNet without and with NumPy semantics).
"""

import json
import os
import sys

import numpy


def probabilities(case):
    names = {"images": numpy.load(case["images"])}
    os.chdir(case["folder"])
    sys.path.insert(0, case["folder"])
    exec("\n".join(case["lines"]), names)
    sys.path.pop(0)
    if case["mode"] == "onnx":
        return names["probabilities"]
    if case["mode"] == "torch":
        import torch

        with torch.no_grad():
            return names["net"](torch.from_numpy(names["images"])).softmax(1).numpy()
    import mxnet as mx

    if case["mode"] == "np":
        return mx.npx.softmax(names["net"](mx.np.array(names["images"]))).asnumpy()
    return mx.nd.softmax(names["net"](mx.nd.array(names["images"]))).asnumpy()


with open(sys.argv[1], encoding="utf-8") as file:
    cases = json.load(file)
if cases[0]["mode"] == "np":
    import mxnet

    mxnet.npx.set_np()
for case in cases:
    numpy.save(case["out"], probabilities(case))
strangers = {name.partition(".")[0] for name in sys.modules} & {"shared", "gluon_impl", "torch_impl"}
assert not strangers, strangers
