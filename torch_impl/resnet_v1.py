"""ResNet v1: torchvision's, and Gluon's bottleneck block, which torchvision lacks.

He et al., "Deep Residual Learning for Image Recognition" (2015), as in Gluon's `model_zoo.vision.resnet50_v1`: the stride is in the
first 1x1 convolution, where torchvision has it in the 3x3 ("v1.5"), and the 1x1 convolutions have biases. Batch normalisation
takes each of those biases away again in training; in evaluation they count.
"""

from collections import OrderedDict

from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet


class BottleneckV1(Bottleneck):
    """1x1, 3x3 and 1x1 convolutions, a quarter as wide inside. (N, in, H, W) -> (N, out, H/stride, W/stride)."""

    def __init__(self, inplanes, planes, stride=1, *args, **kwargs):
        super().__init__(inplanes, planes, stride, *args, **kwargs)
        self.conv1 = nn.Conv2d(inplanes, planes, 1, stride)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1)


class ResNetV1(nn.Module):
    """torchvision's ResNet, divided as in Gluon: everything but `fc` is `features`, `fc` is `output`.

    layers: blocks per stage; channels: width of the stem, then of every stage (one more than layers); block: torchvision's
    BasicBlock or Bottleneck, or BottleneckV1.
    """

    def __init__(self, layers, channels, classes, block=BasicBlock):
        super().__init__()
        net = ResNet(block, layers)
        planes = [width // block.expansion for width in channels[1:]]
        if (channels[0], *planes) != (64, 64, 128, 256, 512):  # torchvision has no argument for widths
            net.inplanes = channels[0]
            net.conv1 = nn.Conv2d(3, channels[0], 7, 2, 3, bias=False)
            net.bn1 = nn.BatchNorm2d(channels[0])
            for stage, blocks in enumerate(layers, 1):
                layer = net._make_layer(block, planes[stage - 1], blocks, stride=1 if stage == 1 else 2)
                setattr(net, f"layer{stage}", layer)
        children = OrderedDict(net.named_children())
        del children["fc"]
        self.features = nn.Sequential(children)
        self.features.add_module("flatten", nn.Flatten())
        self.output = nn.Linear(channels[-1], classes)

    def forward(self, X):
        return self.output(self.features(X))
