"""Gluon's pre-activation ResNet v2, which torchvision lacks.

He et al., "Identity Mappings in Deep Residual Networks" (2016), laid out as in Gluon's `model_zoo.vision.ResNetV2`: the same
layers in the same order, so that the tensors of one fit the other. Batch normalisation has eps 1e-5 in both;
Gluon's momentum 0.9 weighs the old value, PyTorch's 0.1 the new one.
"""

from collections import OrderedDict

from torch import nn
from torch.nn import functional as F


class BasicBlockV2(nn.Module):
    """Two 3x3 convolutions, each after batch normalisation and ReLU. (N, in, H, W) -> (N, out, H/stride, W/stride)."""

    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.downsample = None
        if in_channels != out_channels:
            self.downsample = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, X):
        Y = F.relu(self.bn1(X))
        # The shortcut of a widening block starts behind the first activation, not at the input.
        residual = X if self.downsample is None else self.downsample(Y)
        Y = self.conv1(Y)
        Y = self.conv2(F.relu(self.bn2(Y)))
        return Y + residual


class BottleneckV2(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, a quarter as wide inside; otherwise as BasicBlockV2, and the stride is in the 3x3."""

    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        width = out_channels // 4
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.downsample = None
        if in_channels != out_channels:
            self.downsample = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, X):
        Y = F.relu(self.bn1(X))
        residual = X if self.downsample is None else self.downsample(Y)
        Y = self.conv1(Y)
        Y = self.conv2(F.relu(self.bn2(Y)))
        Y = self.conv3(F.relu(self.bn3(Y)))
        return Y + residual


class ResNetV2(nn.Module):
    """Images (N, 3, H, W) -> logits (N, classes).

    layers: blocks per stage; channels: width of the stem, then of every stage (one more than layers); block: BasicBlockV2 or
    BottleneckV2.
    """

    def __init__(self, layers, channels, classes, block=BasicBlockV2):
        super().__init__()
        features = OrderedDict()
        # Gluon's scale=False, center=False: the weight stays 1 and the bias 0, but both are among its tensors.
        features["bn0"] = nn.BatchNorm2d(3)
        features["bn0"].requires_grad_(False)
        features["conv1"] = nn.Conv2d(3, channels[0], 7, 2, 3, bias=False)
        features["bn1"] = nn.BatchNorm2d(channels[0])
        features["relu1"] = nn.ReLU()
        features["maxpool"] = nn.MaxPool2d(3, 2, 1)
        for stage, blocks in enumerate(layers, 1):
            width, out = channels[stage - 1], channels[stage]
            first = block(width, out, stride=1 if stage == 1 else 2)
            rest = [block(out, out, stride=1) for _ in range(blocks - 1)]
            features[f"layer{stage}"] = nn.Sequential(first, *rest)
        features["bn2"] = nn.BatchNorm2d(channels[-1])
        features["relu2"] = nn.ReLU()
        features["avgpool"] = nn.AdaptiveAvgPool2d(1)
        features["flatten"] = nn.Flatten()
        self.features = nn.Sequential(features)
        self.output = nn.Linear(channels[-1], classes)

    def forward(self, X):
        return self.output(self.features(X))
