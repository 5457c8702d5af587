"""Faults that people really make, as edits of the implementations' source text, and the rung of the ladder that catches each.

    python -c "import sys; sys.path.insert(0, 'tests'); from parity import faults; print(faults.table())"

prints the table; test_parity_catches_faults.py plants every fault and asserts its row.
"""

from shared.parity.tensors import RUNGS

from .planting import fault

GLUON_DATA, TORCH_DATA = "gluon_impl/data.py", "torch_impl/data.py"
GLUON_NETS, TORCH_NETS = "gluon_impl/nets.py", "torch_impl/nets.py"
GLUON_DISTRIBUTED, TORCH_DISTRIBUTED = "gluon_impl/distributed.py", "torch_impl/distributed.py"
GLUON_ADAPTATION, TORCH_ADAPTATION = "gluon_impl/adaptation.py", "torch_impl/adaptation.py"
GLUON_TRAINING, TORCH_TRAINING = "gluon_impl/training.py", "torch_impl/training.py"
GLUON_GRAD_CAM, TORCH_GRAD_CAM = "gluon_impl/grad_cam.py", "torch_impl/grad_cam.py"
GLUON_STRATEGIES, TORCH_STRATEGIES = "gluon_impl/strategies.py", "torch_impl/strategies.py"
RESNET_V2 = "torch_impl/resnet_v2.py"
SHARED_STRATEGIES = "shared/strategies.py"

IMAGE_FOLDER = "ListedImages(split.folder, transform)"
GROUP = '{"params": params, "lr": experiment.learning_rate * multiple, "multiple": multiple}'
OF_GROUPS = "for multiple, params in groups.items()"
NAMED_TENSORS = "return {name: tensor for name, tensor in net.state_dict().items() if"

FAULTS = (
    # pixels
    fault(
        "class order flipped", TORCH_DATA, 1, "labels: hotdog/",
        IMAGE_FOLDER, "ListedImages(split.folder, transform, lambda label: 1 - label)",
    ),
    fault(
        "BGR for RGB", GLUON_DATA, 1, "decoded pixels: hotdog/",
        "ListedImages(str(split.folder))",
        "ListedImages(str(split.folder), transform=lambda image, label: (image[:, :, ::-1], label))",
    ),
    fault(
        "images turned by their EXIF tag", TORCH_DATA, 1, "turned.jpg has shape",
        "from torchvision.datasets import ImageFolder", "from PIL import ImageOps\nfrom torchvision.datasets import ImageFolder",
        IMAGE_FOLDER, IMAGE_FOLDER[:-1] + ", loader=lambda file: ImageOps.exif_transpose(default_loader(file)))",
    ),
    fault(
        "last batch dropped", TORCH_DATA, 1, "training batches have",
        "shuffle=draws == OWN,", "shuffle=draws == OWN,\n        drop_last=True,",
    ),
    fault(
        "normalisation missing when testing", GLUON_DATA, 1, "test 0",
        "transforms.CenterCrop(size),\n            transforms.ToTensor(),\n            normalize,",
        "transforms.CenterCrop(size),\n            transforms.ToTensor(),",
    ),
    fault(
        "mean and deviation in BGR order", TORCH_DATA, 1, "training 0",
        "[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]", "[0.406, 0.456, 0.485], [0.225, 0.224, 0.229]",
    ),
    fault(
        "pixels times a rounded 1/255", TORCH_DATA, 1, "images of one colour",
        "ConvertImageDtype(torch.float32)", "v2.ToDtype(torch.float32, scale=True)",
    ),
    fault(
        "centre crop that rounds where Gluon's cuts off", TORCH_DATA, 1, "crop and normalisation",
        "v2.Lambda(partial(crop, top=(side - size) // 2, left=(side - size) // 2, height=size, width=size))",
        "v2.CenterCrop(size)",
    ),
    fault(
        "resize that keeps the aspect", TORCH_DATA, 1, "resized images",
        "v2.Resize([side, side], antialias=False)", "v2.Resize(side, antialias=False)",
    ),
    fault(
        "antialiased resize", TORCH_DATA, 1, "resized images",
        "v2.Resize([side, side], antialias=False)", "v2.Resize([side, side], antialias=True)",
    ),
    fault(
        "crops of half the area at least", TORCH_DATA, 1, "torch: smallest area",
        "v2.RandomResizedCrop(size, ", "v2.RandomResizedCrop(size, scale=(0.5, 1.0), ",
    ),
    fault(
        "training views smoothed as they shrink", TORCH_DATA, 1, "training views",
        "v2.RandomResizedCrop(size, antialias=False)", "v2.RandomResizedCrop(size, antialias=True)",
    ),
    fault(
        "training views of nearest pixels", TORCH_DATA, 1, "training views",
        "v2.RandomResizedCrop(size, ", "v2.RandomResizedCrop(size, interpolation=0, ",
    ),
    fault(
        "regions of a tenth of the area at least", TORCH_DATA, 1, "ranges of the random views: areas",
        "v2.RandomResizedCrop(size, ", "v2.RandomResizedCrop(size, scale=(0.1, 1.0), ",
    ),
    fault(
        "mirrored less than half of the time", TORCH_DATA, 1, "ranges of the random views: share mirrored",
        "v2.RandomHorizontalFlip()", "v2.RandomHorizontalFlip(0.45)",
    ),
    fault(
        "single images augmented", TORCH_DATA, 1, "torch: image_batch and test_iter",
        "test_augs(size)(default_loader(file))", "train_augs(size)(default_loader(file))",
    ),
    fault(
        "mirroring forgotten", GLUON_DATA, 1, "gluon: share mirrored",
        "            transforms.RandomFlipLeftRight(),\n", "",
    ),
    # shared draws
    fault(
        "order from another stream", TORCH_DATA, 1, "torch: order of epoch 1: place 1",
        "EpochOrder(seed, len(split))", "EpochOrder(seed + 1, len(split))",
    ),
    fault(
        "the same order in every epoch", "shared/images/draws.py", 1, "shared draws: two epochs have the same order",
        'generator(seed, "order", epoch)', 'generator(seed, "order")',
    ),
    fault(
        "mirrored the other way round", TORCH_DATA, 1, "torch: mirrored as drawn: epoch 1",
        "horizontal_flip(pixels) if drawn.mirrored else pixels", "pixels if drawn.mirrored else horizontal_flip(pixels)",
    ),
    fault(
        "mirrored upside down", GLUON_DATA, 1, "gluon: mirrored as drawn: epoch 1",
        "np.flip(pixels, axis=1)", "np.flip(pixels, axis=0)",
    ),
    fault(
        "view of another image", TORCH_DATA, 1, "torch: mirrored as drawn: epoch 1",
        "view(self.seed, epoch, position, ", "view(self.seed, epoch, position + 1, ",
    ),
    fault(
        "the first epoch's views in every epoch", GLUON_DATA, 1, "gluon: mirrored as drawn: epoch 2",
        "view(self.seed, epoch, position, ", "view(self.seed, 1, position, ",
    ),
    fault(
        "epoch not part of the stream of views", "shared/images/draws.py", 1, "shared draws: two views",
        'generator(seed, "view", epoch, position)', 'generator(seed, "view", position)',
    ),
    fault(
        "height and width exchanged", GLUON_DATA, 1, "gluon: ",
        "pixels.shape[1], pixels.shape[0])", "pixels.shape[0], pixels.shape[1])",
    ),
    fault(
        "views smoothed as they shrink, with shared draws", TORCH_DATA, 1, "views of shared draws",
        "[self.size, self.size], antialias=False", "[self.size, self.size], antialias=True",
    ),
    fault(
        "views drawn one after the other", TORCH_DATA, 1, "torch: mirrored as drawn: epoch 1",
        "    def __getitem__(self, key):\n        epoch, position = key\n",
        "    drawn = 0\n\n    def __getitem__(self, key):\n        epoch, position = key\n        self.drawn += 1\n",
        "view(self.seed, epoch, position, ", "view(self.seed, epoch, self.drawn - 1, ",
    ),
    fault(
        "own generators that do not start anew", GLUON_DATA, 1, "gluon: own draws, epoch 2 with and without",
        "        seed_everything(epoch_seed(seed, epoch))\n", "",
    ),
    # tensors
    fault(
        "start of shared draws in one framework only", "shared/runs/frameworks.py", 2, "scratch: shared start",
        "if draws == SHARED:", 'if draws == SHARED and (framework == "gluon" or not scratch):',
    ),
    fault(
        "new output layer drawn by the number of tensors", "shared/images/draws.py", 2, "output layer of scratch and finetune",
        'generator(seed, f"initial {name}")', 'generator(seed, f"initial {len(shapes)}")',
    ),
    fault(
        "kernels transposed on the way in", TORCH_NETS, 2, "carried into torch: features.conv1.weight",
        "tensor.copy_(torch.from_numpy(tensors[name]))",
        "array = torch.from_numpy(tensors[name])\n"
        "            tensor.copy_(array.transpose(2, 3) if array.ndim == 4 else array)",
    ),
    fault(
        "features shared between networks", GLUON_NETS, 2, "another network after training",
        "def pretrained_net(source):\n",
        "_made = {}\n\n\ndef pretrained_net(source):\n"
        "    if source.fingerprint not in _made:\n"
        "        _made[source.fingerprint] = _pretrained_net(source)\n"
        "    return _made[source.fingerprint]\n\n\ndef _pretrained_net(source):\n",
        "    set_tensors(net, get_tensors(net) | features)\n", "    net.features = pretrained_net(source).features\n",
    ),
    fault(
        "network on the source's own memory", TORCH_NETS, 2, "the source's tensors after training",
        "            tensor.copy_(torch.from_numpy(tensors[name]))",
        "            net.load_state_dict({name: torch.from_numpy(tensors[name])}, strict=False, assign=True)",
    ),
    fault(
        "PyTorch's own initialisation from scratch", TORCH_NETS, 2, "over Xavier's bound",
        "nn.init.xavier_uniform_(module.weight)", 'nn.init.kaiming_normal_(module.weight, mode="fan_out")',
    ),
    fault(
        "random bias in the new output layer", TORCH_NETS, 2, "output.bias",
        "nn.init.zeros_(module.bias)", "pass",
    ),
    # activations
    fault(
        "two tensors permuted, there and back", TORCH_NETS, 3, "layer1.0 is the first that differs",
        NAMED_TENSORS,
        'state, one, two = net.state_dict(), "features.layer1.0.conv1.weight", "features.layer1.0.conv2.weight"\n'
        "    return {name: state[{one: two, two: one}.get(name, name)] for name in state if",
    ),
    fault(
        "batch normalisation with epsilon 0.001", RESNET_V2, 3, "layer1.0 is the first that differs",
        "nn.BatchNorm2d(out_channels)", "nn.BatchNorm2d(out_channels, eps=1e-3)",
    ),
    fault(
        "shortcut taken before the activation", RESNET_V2, 3, "layer2.0 is the first that differs",
        "self.downsample(Y)", "self.downsample(X)",
    ),
    fault(
        "evaluation in train mode", TORCH_TRAINING, 3, "predictions: probabilities",
        "    net.eval()\n", "    net.train()\n",
    ),
    # loss
    fault(
        "training in eval mode after the first evaluation", TORCH_TRAINING, 4, "reported: loss",
        "        net.train()\n", "",
    ),
    fault(
        "softmax before a loss that has its own", GLUON_TRAINING, 4, "reported: loss",
        "loss(y_hat, y)", "loss(npx.softmax(y_hat), y)",
    ),
    fault(
        "accuracy of the least probable class", TORCH_TRAINING, 4, "torch: reported test accuracy",
        "(probabilities.argmax(axis=1) == labels).mean()", "(probabilities.argmin(axis=1) == labels).mean()",
    ),
    fault(
        "best accuracy so far reported", GLUON_TRAINING, 4, "gluon: reported test accuracy",
        "def _metrics(", "seen = []\n\n\ndef _metrics(",
        "    return EpochMetrics(", "    seen.append(accuracy)\n    accuracy = max(seen)\n    return EpochMetrics(",
    ),
    fault(
        "frozen features of evaluation taken in train mode", GLUON_TRAINING, 4, "gluon: reported test accuracy, frozen",
        "predict_features(net, batches, device)  # once", "predict_features(net, batches, device, True)  # once",
    ),
    fault(
        "weighed loss over the sum of the weights", TORCH_TRAINING, 4, "torch: weighed loss against NumPy",
        "l = l * torch.tensor(class_weights, dtype=l.dtype, device=device)[y]",
        "w = torch.tensor(class_weights, dtype=l.dtype, device=device)[y]\n                l = l * w / w.mean()",
    ),
    fault(
        "weights of the classes exchanged", GLUON_TRAINING, 4, "gluon: weighed loss against NumPy",
        "np.array(class_weights, dtype=l.dtype, ctx=device)[y]", "np.array(class_weights, dtype=l.dtype, ctx=device)[1 - y]",
    ),
    # gradients
    fault(
        "first BatchNorm's scale and offset trained", RESNET_V2, 5, "features.bn0.weight",
        '        features["bn0"].requires_grad_(False)\n', "",
    ),
    fault(
        "no gradient through the shortcuts", RESNET_V2, 5, "is the first that differs",
        "self.downsample(Y)", "self.downsample(Y.detach())",
    ),
    # gradients of activations
    fault(
        "what speaks against a class kept in its map", GLUON_GRAD_CAM, 5, "gluon: maps of the last stage by hand",
        "npx.relu((weights * maps).sum(axis=1))", "(weights * maps).sum(axis=1)",
    ),
    fault(
        "gradients averaged over channels, not over pixels", TORCH_GRAD_CAM, 5, "torch: maps of the last stage by hand",
        "gradient.mean(dim=(2, 3), keepdim=True)", "gradient.mean(dim=1, keepdim=True)",
    ),
    fault(
        "largest gradient in place of the mean", GLUON_GRAD_CAM, 5, "gluon: maps of the last stage by hand",
        ".mean(axis=(2, 3), keepdims=True)", ".max(axis=(2, 3), keepdims=True)",
    ),
    fault(
        "ReLU before the sum over the channels", TORCH_GRAD_CAM, 5, "torch: maps of the last stage by hand",
        "(weights * maps).sum(dim=1).relu()", "(weights * maps).relu().sum(dim=1)",
    ),
    fault(
        "maps of the stage below", TORCH_GRAD_CAM, 5, "has shape",
        "stages[stage - 1] + 1", "stages[max(stage - 2, 0)] + 1",
    ),
    fault(
        "maps of the first class whatever is asked for", TORCH_GRAD_CAM, 5, "maps of the last stage by hand: stage 4, class 1",
        "[:, class_index]", "[:, 0]",
    ),
    fault(
        "gradient of the probability, not of the score", TORCH_GRAD_CAM, 5, "torch: maps of the last stage by hand",
        "net.output(_through(above, maps.requires_grad_()))[", "net.output(_through(above, maps.requires_grad_())).softmax(dim=1)[",
    ),
    fault(
        "feature maps normalised by the batch", GLUON_GRAD_CAM, 5, "gluon: maps of the last stage by hand",
        "autograd.pause(train_mode=False)", "autograd.pause(train_mode=True)",
    ),
    fault(
        "statistics moved by a map", TORCH_GRAD_CAM, 5, "torch: what a map must not change: features.bn0.running_mean",
        "    net.eval()\n", "",
    ),
    fault(
        "network left in evaluation mode", TORCH_GRAD_CAM, 5, "torch: what a map must not change: mode of ",
        "module.training = mode", "pass",
    ),
    fault(
        "parameters' gradients overwritten by a map", GLUON_GRAD_CAM, 5, "gluon: what a map must not change: gradient of",
        "    (gradient,) = autograd.grad(score, maps, train_mode=False)",
        "    score.backward(train_mode=False)\n    gradient = maps.grad.as_nd_ndarray()",
    ),
    fault(
        "a map's gradients added to the parameters'", TORCH_GRAD_CAM, 5, "torch: what a map must not change: gradient of",
        "    (gradient,) = torch.autograd.grad(score, maps)", "    score.backward()\n    gradient = maps.grad",
    ),
    # effective rates
    fault(
        "head multiplier dropped", TORCH_TRAINING, 6, "torch's rate: full batch: output.weight",
        GROUP, '{"params": params, "lr": experiment.learning_rate, "multiple": multiple}',
    ),
    fault(
        "weight decay off", TORCH_TRAINING, 6, "torch's decay: full batch: features.conv1.weight",
        "weight_decay=experiment.weight_decay", "weight_decay=0.0",
    ),
    fault(
        "weight decay skips biases and scales", TORCH_TRAINING, 6, "torch's decay: full batch: features.bn1.weight",
        "groups.setdefault(rate_multiple(name, experiment), [])",
        "groups.setdefault((rate_multiple(name, experiment), param.ndim > 1), [])",
        GROUP, GROUP[:-1] + ', "weight_decay": experiment.weight_decay * weights}',
        OF_GROUPS, "for (multiple, weights), params in groups.items()",
    ),
    fault(
        "summed instead of mean loss", TORCH_TRAINING, 6, "torch's rate: full batch: features.conv1.weight",
        "l.mean().backward()", "l.sum().backward()",
    ),
    fault(
        "short batch averaged as if it were full", GLUON_TRAINING, 6, "gluon's rate: short batch: features.conv1.weight",
        "trainer.step(len(y))", 'trainer.step((full := max(len(y), locals().get("full", 0))))',
    ),
    fault(
        "gradients of the batch before not cleared", TORCH_TRAINING, 6, "torch's rate: short batch: features.conv1.weight",
        "            trainer.zero_grad()\n", "",
    ),
    fault(
        "momentum 0.9", GLUON_TRAINING, 6, "gluon's rate: short batch: features.conv1.weight",
        '"wd": experiment.weight_decay}', '"wd": experiment.weight_decay, "momentum": 0.9}',
    ),
    # one step
    fault(
        "classes weighed in the report only", TORCH_TRAINING, 7, "torch: the step with weighed classes",
        "            l = loss(y_hat, y)\n", "            l = plain = loss(y_hat, y)\n",
        "l.mean().backward()", "plain.mean().backward()",
    ),
    # trajectory
    fault(
        "learning rate lowered from the fifth epoch", TORCH_TRAINING, 8, "finetune: loss: step 7 is the first that differs",
        "            trainer.step()\n",
        '            trainer.step()\n            trainer.param_groups[0]["lr"] *= 0.9 if epoch > 4 else 1\n',
    ),
    # running statistics
    fault(
        "Gluon's BatchNorm momentum 0.9 taken as torch's", RESNET_V2, 9, "features.layer1.0.bn1.running_mean",
        "nn.BatchNorm2d(in_channels)", "nn.BatchNorm2d(in_channels, momentum=0.9)",
    ),
    fault(
        "frozen statistics that move", TORCH_NETS, 10, "torch's frozen features: features.bn0.running_mean",
        "module.track_running_stats = not kept", "pass",
    ),
    fault(
        "features in train mode taken in eval mode", GLUON_TRAINING, 3, "gluon: logits from features in train mode",
        "autograd.train_mode() if training else autograd.predict_mode()", "autograd.predict_mode()",
    ),
    fault(
        "features of the first batch only", TORCH_TRAINING, 3, "torch: logits from features in eval mode: logits has shape",
        "net.features(_to(device, X)).cpu().numpy(), y.numpy()) for X, y in batches]",
        "net.features(_to(device, X)).cpu().numpy(), y.numpy()) for X, y in batches[:1]]",
    ),
    fault(
        "batch normalisation that is not locked", TORCH_NETS, 10, "torch, locked: loss in training and in evaluation",
        "LockedBatchNorm2d if lock_batch_norm and kept else nn.BatchNorm2d", "nn.BatchNorm2d",
    ),
    fault(
        "use_global_stats forgotten", GLUON_NETS, 10, "gluon, locked: loss in training and in evaluation",
        '["use_global_stats"] = lock_batch_norm and kept', '["use_global_stats"] = False',
    ),
    # adapting at test time
    fault(
        "entropy maximised", GLUON_ADAPTATION, 9, "Tent: predictions: batch 2 is the first",
        "entropy = -(np.exp(log_p)", "entropy = (np.exp(log_p)",
    ),
    fault(
        "entropy summed over the batch", TORCH_ADAPTATION, 9, "Tent: predictions: batch 2 is the first",
        "entropy.mean().backward()", "entropy.sum().backward()",
    ),
    fault(
        "the output layer adapted too", TORCH_ADAPTATION, 9, "torch: what Tent must not change: output.weight",
        "    for param in adapted:", "    adapted += net.output.parameters()\n    for param in adapted:",
    ),
    fault(
        "convolutions adapted too", GLUON_ADAPTATION, 9, "gluon: what Tent must not change: features.conv1.weight",
        'param.grad_req = "null"', "pass", "gluon.Trainer(adapted, ", "gluon.Trainer(net.collect_params(), ",
    ),
    fault(
        "scale and shift of the first layer of v2 adapted", TORCH_ADAPTATION, 9,
        "torch: what Tent must not change: features.bn0.weight",
        "adapted += [p for p in module.parameters() if p.requires_grad]", "adapted += module.parameters()",
    ),
    fault(
        "scales adapted without shifts", GLUON_ADAPTATION, 9, "gluon: Tent has not adapted features.bn1.bias",
        "for param in (block.gamma, block.beta):", "for param in (block.gamma,):",
    ),
    fault(
        "running statistics that move at test time", TORCH_ADAPTATION, 9,
        "torch: what Tent must not change: features.bn0.running_mean",
        "module.track_running_stats = False", "pass",
    ),
    fault(
        "running statistics that move in the backward pass", GLUON_ADAPTATION, 9,
        "gluon: what Tent must not change: features.bn1.running_mean",
        'block._kwargs["momentum"] = 1.0', "pass",
    ),
    fault(
        "settings of batch normalisation changed after compiling", GLUON_ADAPTATION, 9,
        "gluon: what Tent must not change: features.bn1.running_mean",
        "net.hybridize(static_alloc=True)", "pass",
    ),
    fault(
        "running statistics used at test time", TORCH_ADAPTATION, 9, "Tent: predictions: batch 1 is the first",
        "net.train()", "net.eval()",
    ),
    fault(
        "predictions from after the step", TORCH_ADAPTATION, 9, "Tent: predictions: batch 1 is the first",
        "outputs.append((log_p.detach()", "outputs.append((net(_to(device, X)).log_softmax(dim=1).detach()",
    ),
    fault(
        "gradients of earlier batches added up", TORCH_ADAPTATION, 9, "Tent: predictions: batch 3 is the first",
        "trainer.zero_grad()", "pass",
    ),
    # row reuse
    fault(
        "row 713, the photocopier, for 934", GLUON_NETS, 11, "gluon: source row 934",
        "reused_output(source, row, ", "reused_output(source, 713, ",
    ),
    fault(
        "the row in the other class's slot", TORCH_NETS, 11, "torch: source row 934",
        "reused_output(source, row, slot, ", "reused_output(source, row, 1 - slot, ",
    ),
    fault(
        "the row always in the first slot", "shared/runs/frameworks.py", 11, "gluon: source row 934",
        "source.row(experiment.row), dataset.hotdog_slot,", "source.row(experiment.row), 0,",
    ),
    fault(
        "the row without its bias", TORCH_NETS, 11, "row 0 of output.bias",
        "tensors | reused_output(source, row, slot, tensors, other_row)",
        'tensors | {"output.weight": reused_output(source, row, slot, tensors, other_row)["output.weight"]}',
    ),
    # devices
    fault(
        "gradients of the devices summed instead of averaged", TORCH_DISTRIBUTED, 14, "torch, 2 devices and one process",
        "share = group.part / group.images", "share = 1.0",
    ),
    fault(
        "averaged over devices instead of images", TORCH_DISTRIBUTED, 14, "torch, 3 devices and one process",
        "share = group.part / group.images", "share = 1 / group.ranks",
    ),
    fault(
        "a part seen twice", "shared/parts.py", 14, "torch, 2 devices and one process",
        "batch[part_of(len(batch), self.group.rank, self.group.ranks)]", "batch[part_of(len(batch), 0, self.group.ranks)]",
    ),
    fault(
        "device 1 with another initial layer", "shared/runs/devices.py", 14, "output.weight differs",
        "        self.check_start(net)\n",
        '        if self.framework == "torch":\n            net.output.weight.data.add_(self.group.rank)\n'
        "        self.check_start(net)\n",
    ),
    fault(
        "a short last batch weighed as a whole one", "shared/parts.py", 14, "torch, 3 devices and one process",
        "min(self.batch_size, self.count - number * self.batch_size)", "self.batch_size",
    ),
    fault(
        "each context steps by its own gradient", GLUON_DISTRIBUTED, 14, "gluon, 2 devices: weights of two contexts",
        '{"kvstore": "device", "update_on_kvstore": False}', '{"kvstore": None, "update_on_kvstore": False}',
    ),
    fault(
        "each device with its own running statistics", GLUON_DISTRIBUTED, 14, "gluon, 2 devices: running statistics",
        "param.set_data(sum(copies) / len(copies))", "pass",
    ),
    # strategies
    fault(
        "all parameters set free, the first BatchNorm's too", TORCH_NETS, 15,
        "gradual: torch, step 5: features.bn0.weight was trained",
        "param.requires_grad_(is_trained(name, below))", "param.requires_grad_(not is_kept(name, below))",
    ),
    fault(
        "network not compiled anew when batch normalisation is unlocked", GLUON_STRATEGIES, 15, "gradual",
        "        net.hybridize(static_alloc=True)", "        pass",
    ),
    fault(
        "batch normalisation locked for good in PyTorch", TORCH_NETS, 15, "gradual",
        "LockedBatchNorm2d if lock_batch_norm and kept else nn.BatchNorm2d",
        "LockedBatchNorm2d if isinstance(module, LockedBatchNorm2d) or lock_batch_norm and kept else nn.BatchNorm2d",
    ),
    fault(
        "batch normalisation locked above the frozen stages too", GLUON_NETS, 15, "gluon, step",
        '["use_global_stats"] = lock_batch_norm and kept', '["use_global_stats"] = lock_batch_norm',
    ),
    fault(
        "statistics moving below the trained stage", TORCH_NETS, 15, "torch, unlocked, kept",
        "module.track_running_stats = not kept", 'module.track_running_stats = below != "output"',
    ),
    fault(
        "optimiser without the parameters that come later", TORCH_TRAINING, 15, "gradual: torch, step 2",
        "for name, param in named_parameters(net).items():",
        "for name, param in {n: p for n, p in named_parameters(net).items() if p.requires_grad}.items():",
    ),
    fault(
        "phases an epoch late", TORCH_STRATEGIES, 15, "gradual: torch, step 2",
        "stage_at(experiment.trained_from, epoch)", "stage_at(experiment.trained_from, epoch - 1)",
    ),
    fault(
        "features that are still taken as frozen", TORCH_TRAINING, 15, "gradual: torch, step 2",
        "stage = enter_phase(net, experiment, epoch, stage)", "enter_phase(net, experiment, epoch, stage)",
    ),
    fault(
        "a stage's rate on its neighbour", SHARED_STRATEGIES, 15, "discriminative: gluon's step: step 1: features.conv1.weight",
        'STAGES.index("layer4") - STAGES.index(stage)', 'STAGES.index("output") - STAGES.index(stage)',
    ),
    fault(
        "the last normalisation of v2 in the stem", SHARED_STRATEGIES, 15, "partial: gluon's step: step 1: features.bn2.weight",
        'if part == "bn2":', 'if part == "none":',
    ),
    fault(
        "schedule off by one update", TORCH_STRATEGIES, 15, "warmup-cosine: ",
        "update = (epoch - 1) * len(batches) + step", "update = (epoch - 1) * len(batches) + step + 1",
    ),
    fault(
        "schedule that begins anew with every epoch", GLUON_STRATEGIES, 15, "warmup-cosine: ",
        "update = (epoch - 1) * len(batches) + step", "update = step",
    ),
    fault(
        "output layer left out of the schedule", TORCH_STRATEGIES, 15, "warmup-cosine: torch's step: step 2: output.weight",
        "for group in trainer.param_groups:", "for group in trainer.param_groups[:1]:",
    ),
    fault(
        "one update less to the end of the schedule", SHARED_STRATEGIES, 15, "warmup-cosine: gluon's step: step 2",
        "math.pi * (update - climb + 1) /", "math.pi * (update - climb) /",
    ),
    fault(
        "weight decay in Adam's gradient", GLUON_STRATEGIES, 15, "adamw: ",
        "        decay, self.wd = self.wd, 0.0\n", "        decay = self.wd\n",
        "        weight *= 1 - self._get_lr(index) * self._get_wd(index)\n", "",
    ),
    fault(
        "gradients clipped as sums", GLUON_STRATEGIES, 15, "clipped: ",
        "for g in gradients)) / count", "for g in gradients))",
    ),
    fault(
        "every tensor's gradient clipped by itself", TORCH_STRATEGIES, 15, "clipped: ",
        "nn.utils.clip_grad_norm_(net.parameters(), experiment.clip_norm * count)",
        "[nn.utils.clip_grad_norm_([p], experiment.clip_norm) for p in net.parameters() if p.grad is not None]",
    ),
    fault(
        "dropout that is not made up for", GLUON_STRATEGIES, 15, "dropout-head: ",
        "net.output(features * ", "net.output((1 - experiment.dropout) * features * ",
    ),
    fault(
        "smoothing spread over the wrong classes only", SHARED_STRATEGIES, 15, "smoothed: ",
        "rest = label_smoothing / classes\n    return 1 - label_smoothing + rest, rest",
        "rest = label_smoothing / (classes - 1)\n    return 1 - label_smoothing, rest",
    ),
)  # fmt: skip


def table() -> str:
    """The faults and their rungs as a Markdown table."""
    lines = ["| fault | planted in | caught by rung | which names |", "| --- | --- | --- | --- |"]
    for f in FAULTS:
        lines.append(f"| {f.name} | `{f.file}` | {f.rung} {RUNGS[f.rung]} | {f.sign} |")
    return "\n".join(lines)
