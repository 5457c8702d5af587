"""Draws small pictures: an object on a background, lit, with everything a camera adds.

Two styles. 'source' is a catalogue photograph: one thing, well lit, on a plain backdrop. 'target'
is a snapshot at a street stall: patterned tables, coloured light, ink-like edges, clutter, things
in the way, blur and grain. The outlines are drawn by the same functions (`catalogue.py`), so what a
network learnt about shapes from the one is of use in the other, and what it learnt about colours
and backgrounds is not.

A picture is a function of its random generator alone: the same generator state, the same pixels.
"""

import numpy as np
from PIL import Image, ImageFilter

from shared.images.mini.canvas import FINE, TALLEST, Canvas, blob, body, spine
from shared.images.mini.catalogue import CLUTTER, SOURCE, TARGET_FOODS, UPRIGHT
from shared.images.mini.long_food import hotdog
from shared.images.mini.materials import any_colour

# Changes whenever a change here or in the files imported above changes the pixels: cached folders
# carry it in their names, so that old pictures are never taken for new ones.
VERSION = 4

SOURCE_CLASSES = sorted(SOURCE)
TARGET_CLASSES = ["hotdog", "not-hotdog"]
STYLES = ("source", "target")


def draw(name, style, rng, size=64):
    """One picture, a PIL image in RGB of `size` by `size` pixels.

    name: a source class, or 'not-hotdog' in the target style, for any food that is none.
    style: 'source' or 'target'. rng: an np.random.Generator, the only source of chance.
    Raises ValueError for another name or style.
    """
    if style not in STYLES:
        raise ValueError(f"style must be one of {', '.join(STYLES)}, not {style!r}")
    if name == "not-hotdog" and style == "target":
        thing = _any_food(rng)
    elif name in SOURCE:
        thing = SOURCE[name]
    else:
        raise ValueError(f"there is no drawing of {name!r} in the {style} style")
    pixels = _studio(thing, rng, size) if style == "source" else _stall(thing, rng, size)
    return Image.fromarray(np.clip(pixels * 255 + 0.5, 0, 255).astype(np.uint8))


def _any_food(rng):
    shares = np.array(list(TARGET_FOODS.values()), float)
    return list(TARGET_FOODS)[rng.choice(len(shares), p=shares / shares.sum())]


# --- the two kinds of scene: each returns (size, size, 3) float64, about 0 to 1 ---


def _studio(thing, rng, size):
    c = Canvas(size)
    for _ in range(rng.poisson(0.8)):
        _prop(c, rng)
    _place(c, thing, rng, scale=(0.25, 0.48), off=0.12, squash=(0.65, 1.0), upright=0.35)
    thing(c, rng)
    if rng.random() < 0.2:
        _prop(c, rng)
    light = _light(rng, height=(0.7, 1.6), ambient=(0.4, 0.65))
    scene = _lit(c, rng, size, _backdrop(rng, size), light, grain=0.3)
    scene = _blur(scene, rng.uniform(0, 0.7))
    return _camera(scene, rng, tint=0.1, contrast=0.2, noise=0.06 * rng.random() ** 2)


def _stall(thing, rng, size):
    ink = rng.uniform(0.008, 0.02) if rng.random() < 0.6 else 0.0
    c = Canvas(size, ink)
    table = _table(rng, size)
    _tableware(c, rng)
    for _ in range(rng.poisson(1.2)):
        _beside(c, rng)
    _place(c, thing, rng, scale=(0.36, 0.49), off=0.07, squash=(0.65, 1.0), upright=0.4)
    thing(c, rng)
    if thing is hotdog and rng.random() < 0.12:  # two of them
        c.place(*rng.uniform(0.25, 0.75, 2), rng.uniform(0.25, 0.4), rng.uniform(0, 6.3))
        thing(c, rng)
    for _ in range(rng.poisson(0.5)):
        _beside(c, rng)
    light = _light(rng, height=(0.7, 1.5), ambient=(0.35, 0.6))
    scene = _lit(c, rng, size, table, light, grain=0.6)
    scene = _blur(scene, rng.uniform(0, 0.8))
    return _camera(scene, rng, tint=0.15, contrast=0.2, noise=0.06 * rng.random() ** 2)


def _place(c, thing, rng, scale, off, squash, upright):
    """The main object's pose. Something upright leans by about `upright` radians at most."""
    turn = rng.uniform(-upright, upright) if thing in UPRIGHT else rng.uniform(0, 2 * np.pi)
    x, y = 0.5 + rng.uniform(-off, off, 2)
    c.place(x, y, rng.uniform(*scale), turn, rng.uniform(*squash), rng.normal(0, 0.08))


def _prop(c, rng):
    """A pebble or a rod of any colour near the edge: the only clutter that a studio has."""
    turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.42, 0.62)
    c.place(
        0.5 + far * np.cos(turn),
        0.5 + far * np.sin(turn),
        rng.uniform(0.1, 0.28),
        rng.uniform(0, 6.3),
        rng.uniform(0.3, 1.0),
    )
    outline = blob(rng, 0, 0, 0.8, wobble=0.1) if rng.random() < 0.6 else body(spine(1.0), 0.25)
    colour = tuple(int(v) for v in 255 * np.minimum(_colour(rng, 0.3, 1.0, rng.random()), 1))
    c.dome(outline, colour, rng.uniform(0.1, 0.4), gloss=rng.random(), grain=rng.random())


def _beside(c, rng):
    """A piece of clutter near the edge of the picture, partly over what is there."""
    turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 0.62)
    c.place(0.5 + far * np.cos(turn), 0.5 + far * np.sin(turn), rng.uniform(0.1, 0.24), rng.uniform(0, 6.3))
    CLUTTER[rng.integers(len(CLUTTER))](c, rng)


def _tableware(c, rng):
    """A plate, a tray or a sheet of paper below the food, or nothing."""
    kind = rng.integers(5)
    shade = tuple(int(v) for v in rng.uniform(200, 250) * rng.uniform(0.92, 1.0, 3))
    c.place(*(0.5 + rng.uniform(-0.1, 0.1, 2)), rng.uniform(0.42, 0.6), rng.uniform(0, 6.3), rng.uniform(0.75, 1.0))
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], 1)
    if kind == 0:
        c.slab(ring, shade, 0.03, gloss=0.4)
        c.slab(ring * 0.7, tuple(int(v * 0.97) for v in shade), 0.015, gloss=0.4)
    elif kind == 1:
        c.slab(np.array([(-1, -0.55), (1, -0.55), (1, 0.55), (-1, 0.55)]), shade, 0.05)
        inner = np.array([(-0.9, -0.45), (0.9, -0.45), (0.9, 0.45), (-0.9, 0.45)])
        c.slab(inner, tuple(int(v) for v in 255 * _colour(rng, 0.35, 0.85, 0.55)), 0.01)
    elif kind == 2:
        c.slab(ring * (1 + 0.08 * np.sign(np.sin(turn * 5))[:, None]), shade, 0.02, grain=0.3)


# --- backgrounds: (size, size, 3) ---


def _grid(size):
    line = (np.arange(size) + 0.5) / size
    return np.meshgrid(line, line)  # x, y


def _colour(rng, low, high, strength):
    """A random colour of brightness low to high; strength 0 is grey, 1 pure."""
    hue = np.array(any_colour(rng)) / 230.0
    return rng.uniform(low, high) * (1 - strength + strength * hue)


def _backdrop(rng, size):
    """A wall that grows lighter to one side: bare, cloudy, with a table's edge or with lamps."""
    x, y = _grid(size)
    turn = rng.uniform(0, 2 * np.pi)
    ramp = np.clip(0.5 + (x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn), 0, 1)[..., None]
    first = _colour(rng, 0.45, 1.0, rng.uniform(0, 0.5))
    wall = first * (1 - ramp) + first * rng.uniform(0.6, 1.15) * ramp
    kind = rng.integers(4)
    if kind == 0:
        edge = np.clip((y - rng.uniform(0.45, 0.75)) * size / 2 + 0.5, 0, 1)[..., None]
        wall = wall * (1 - edge) + _colour(rng, 0.4, 0.9, 0.4) * edge
    elif kind == 1:
        wall = wall * (1 + rng.uniform(0.1, 0.6) * _cloud(rng, size, int(rng.integers(4, 20))))[..., None]
    elif kind == 2:  # lamps far behind, out of focus
        for _ in range(int(rng.integers(3, 9))):
            far = np.hypot(x - rng.random(), y - rng.random()) / rng.uniform(0.04, 0.16)
            spot = 0.6 / (1 + np.exp(np.minimum(12 * (far - 1), 50)))
            wall = wall + (_colour(rng, 0.2, 1.0, 0.7) - wall) * spot[..., None]
    return wall


def _table(rng, size):
    """What the food at a stall lies on: checked cloth, planks, stripes, stone or dots."""
    x, y = _grid(size)
    turn = rng.uniform(0, np.pi)
    u = x * np.cos(turn) + y * np.sin(turn) + rng.uniform(0, 1)
    v = -x * np.sin(turn) + y * np.cos(turn) + rng.uniform(0, 1)
    first, second = _colour(rng, 0.3, 0.9, 0.5), _colour(rng, 0.35, 1.0, 0.4)
    kind = rng.integers(5)
    step = 2 * np.pi * rng.uniform(3, 7)
    if kind == 0:  # checked cloth
        mix = (_wave(step * u, 4) + _wave(step * v, 4)) / 2
        first, second = _colour(rng, 0.4, 0.8, 0.75), np.array([0.93, 0.92, 0.9])
    elif kind == 1:  # planks, with the grain of the wood
        rings = np.sin(2 * np.pi * (v * 14 + 0.6 * np.sin(5 * u + 4 * np.floor(v * step / 6.28))))
        mix = 0.35 + 0.2 * rings + 0.45 * (_wave(step * v, 12) > 0.06)
        first = rng.uniform(0.3, 0.6) * np.array([0.75, 0.5, 0.32])
        second = first * rng.uniform(1.3, 1.9)
    elif kind == 2:  # stripes
        mix = _wave(step * u, rng.uniform(1, 8))
    elif kind == 3:  # stone
        mix = 0.5 + 0.9 * _cloud(rng, size, 6) + 0.35 * rng.standard_normal((size, size))
        second = first * rng.uniform(1.2, 1.7)
    else:  # dotted cloth
        mix = 0.5 + 0.5 * np.tanh(5 * (np.sin(step * u) * np.sin(step * v) - 0.55))
    mix = np.clip(mix, 0, 1)[..., None]
    return first * (1 - mix) + second * mix


def _wave(phase, sharp):
    """0 to 1 and back; the larger `sharp`, the nearer to a square wave."""
    return 0.5 + 0.5 * np.tanh(sharp * np.sin(phase)) / np.tanh(sharp)


def _cloud(rng, size, cells):
    """Smooth noise of about unit range, with `cells` bumps across. Returns (size, size)."""
    coarse = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((size, size), Image.BICUBIC), float) * 0.5


# --- light and lens ---


def _light(rng, height, ambient):
    """Where the light comes from: (direction of unit length, the share that comes from all sides).

    height: how far above the table, in units of how far to the side.
    """
    turn = rng.uniform(0, 2 * np.pi)
    way = np.array([np.cos(turn), np.sin(turn), rng.uniform(*height)])
    return way / np.linalg.norm(way), rng.uniform(*ambient)


def _lit(c, rng, size, background, light, grain):
    """The canvas over a background, shaded by its heights. Returns (size, size, 3)."""
    way, ambient = light
    colours = np.asarray(c.colours.reduce(FINE), float) / 255
    shape = np.asarray(c.geometry.reduce(FINE), float) / 255
    height = shape[..., 0] * TALLEST * size  # in pixels of the picture
    rough = shape[..., 2]
    noise = rng.standard_normal((size, size))

    soft = _soften(height, size / 80) + noise * rough * grain * 0.4
    alpha = colours[..., 3:]
    # Only what was drawn is shaded by its slope; the rim's drop to the table is no slope of either.
    dy, dx = (np.clip(slope * alpha[..., 0] ** 2, -1.6, 1.6) for slope in np.gradient(soft))
    steep = 1 / np.sqrt(dx * dx + dy * dy + 1)
    facing = np.clip((way[2] - dx * way[0] - dy * way[1]) * steep, 0, None)
    shaded = ambient + (1 - ambient) * np.minimum(facing / way[2], 1.6)
    shaded *= 1 - 0.55 * (1 - ambient) * _shadow(height, way, size)
    shaded *= 1 - np.clip((_soften(height, size / 16) - height) / size * 3.0, 0, 0.5)

    half = way + (0, 0, 1)
    half = half / np.linalg.norm(half)
    shine = np.clip((half[2] - dx * half[0] - dy * half[1]) * steep, 0, 1) ** 24
    speckle = 1 + 0.25 * grain * noise * rough
    scene = background * (1 - alpha) + colours[..., :3] * alpha * speckle[..., None]
    return scene * shaded[..., None] + (0.55 * shine * shape[..., 1])[..., None] * alpha


def _shadow(height, way, size):
    """How much of the light is blocked by something higher on its side, 0 to 1."""
    reach = size / 64
    rise = way[2] / np.hypot(way[0], way[1])  # the light's climb over one pixel to the side
    blocked = np.zeros_like(height)
    for step in (2, 4, 7, 11, 16):
        far = step * reach
        # Light comes from `way`, so look that way for something that stands in it.
        dx, dy = int(round(-way[0] * far)), int(round(-way[1] * far))
        other = np.roll(height, (dy, dx), (0, 1))
        blocked = np.maximum(blocked, np.clip((other - height - far * rise) / (1.5 * reach), 0, 1))
    return _soften(blocked, 0.8 * reach, 1.0)


def _soften(plane, radius, top=None):
    """A Gaussian blur of one (size, size) plane, `radius` in pixels; top: its greatest value."""
    top = max(float(plane.max()), 1e-6) if top is None else top
    image = Image.fromarray((np.clip(plane / top, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), float) * (top / 255)


def _blur(scene, radius):
    if radius < 0.2:
        return scene
    image = Image.fromarray((np.clip(scene, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), float) / 255


def _camera(scene, rng, tint, contrast, noise):
    """White balance, exposure, contrast and sensor noise."""
    scene = scene * (1 + tint * rng.uniform(-1, 1, 3)) * (1 + contrast * rng.uniform(-1, 0.6))
    scene = 0.5 + (scene - 0.5) * (1 + contrast * rng.uniform(-1, 1))
    return scene + noise * rng.standard_normal(scene.shape)
