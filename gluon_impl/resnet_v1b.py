"""torchvision's bottleneck ResNet (ResNet-50 "v1.5", GluonCV's `v1b`), which MXNet's model zoo lacks.

He et al., "Deep Residual Learning for Image Recognition" (2015), with the stride in the 3x3 convolution instead of the first 1x1
and no bias in any: another function than `model_zoo.vision.resnet50_v1`. Layers, order and names are those of torchvision's
`ResNet` and of GluonCV's `ResNetV1b`: `save_parameters` writes a file that GluonCV reads, and `load_parameters` reads GluonCV's.
"""

from mxnet.gluon import nn
from mxnet.gluon.block import HybridBlock


class BottleneckV1b(HybridBlock):
    """1x1, 3x3 and 1x1 convolutions, a quarter as wide inside. (N, in, H, W) -> (N, out, H/stride, W/stride)."""

    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        width = out_channels // 4
        self.conv1 = nn.Conv2D(width, 1, use_bias=False, in_channels=in_channels)
        self.bn1 = nn.BatchNorm()
        self.relu1 = nn.Activation("relu")
        self.conv2 = nn.Conv2D(width, 3, stride, 1, use_bias=False, in_channels=width)
        self.bn2 = nn.BatchNorm()
        self.relu2 = nn.Activation("relu")
        self.conv3 = nn.Conv2D(out_channels, 1, use_bias=False, in_channels=width)
        self.bn3 = nn.BatchNorm()
        self.relu3 = nn.Activation("relu")
        self.downsample = None
        if in_channels != out_channels:
            self.downsample = nn.HybridSequential()
            self.downsample.add(nn.Conv2D(out_channels, 1, stride, use_bias=False, in_channels=in_channels))
            self.downsample.add(nn.BatchNorm())

    def hybrid_forward(self, F, X):
        Y = self.relu1(self.bn1(self.conv1(X)))
        Y = self.relu2(self.bn2(self.conv2(Y)))
        Y = self.bn3(self.conv3(Y))
        return self.relu3(Y + (X if self.downsample is None else self.downsample(X)))


class ResNetV1b(HybridBlock):
    """Images (N, 3, H, W) -> logits (N, classes).

    layers: blocks per stage; channels: width of the stem, then of every stage (one more than layers).
    """

    def __init__(self, layers, channels, classes):
        super().__init__()
        self.conv1 = nn.Conv2D(channels[0], 7, 2, 3, use_bias=False, in_channels=3)
        self.bn1 = nn.BatchNorm()
        self.relu = nn.Activation("relu")
        self.maxpool = nn.MaxPool2D(3, 2, 1)
        for stage, blocks in enumerate(layers, 1):
            width, out = channels[stage - 1], channels[stage]
            layer = nn.HybridSequential()
            layer.add(BottleneckV1b(width, out, stride=1 if stage == 1 else 2))
            for _ in range(blocks - 1):
                layer.add(BottleneckV1b(out, out, stride=1))
            setattr(self, f"layer{stage}", layer)
        self.avgpool = nn.GlobalAvgPool2D()
        self.fc = nn.Dense(classes, in_units=channels[-1])  # flattens

    @property
    def features(self):
        """Everything but the output layer, under Gluon's word; made of the network's own blocks."""
        features = nn.HybridSequential()
        features.add(*list(self._children.values())[:-1])
        return features

    @property
    def output(self):
        """The output layer, under Gluon's word."""
        return self.fc

    def hybrid_forward(self, F, X):
        for block in self._children.values():
            X = block(X)
        return X
