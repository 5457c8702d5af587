"""The tables of formats that README shows say what the rules do."""

from shared.networks.formats import FORMATS, formats_table, names_table, readable
from shared.networks.names import LAYOUTS, canonical_layers, feature_layers


def test_every_rule_is_a_line_of_the_table():
    header, lines = formats_table()
    assert len(lines) == len(FORMATS) and all(len(line) == len(header) for line in lines)
    for kind in FORMATS:
        line = next(line for line in lines if line[1] == kind.what)
        assert (line[2] == "read") == (kind.read is not None)
        assert kind.read or kind.remedy, kind.what
    assert [line[2] == "read" for line in lines] == sorted((line[2] == "read" for line in lines), reverse=True)
    assert {".params", ".pth", ".safetensors", ".npz", ".bin", ".ckpt"} <= set(readable().split(", "))


def test_the_table_of_names_shows_names_that_are_read():
    header, lines = names_table()
    assert len(lines) == len(LAYOUTS) + 1 and all(len(line) == len(header) for line in lines)
    for layout, (_, layer, output) in zip(LAYOUTS, lines, strict=False):
        assert feature_layers(layout)[layer.strip("`").removesuffix(".weight")] == "features.layer2.0.conv2"
        assert canonical_layers(layout)[output.strip("`").removesuffix(".weight")] == "output"


def test_no_two_layers_of_a_layout_have_the_same_name():
    for layout in LAYOUTS:
        layers = list(canonical_layers(layout).values())
        assert len(layers) == len(set(layers))
