"""A surface to draw things on: colours with a height map, in a turned and scaled frame.

Everything drawn lands in two images of `FINE` times the final resolution: one with the colours
(RGBA, transparent where nothing was drawn) and one with the geometry (how high the surface stands,
how glossy it is, how rough). `render.py` lights the second to shade the first. So an object here is
only outlines, colours and roundness; light and shadow come out alike for all of them.

Lengths are in the units of the current frame: an object is drawn about the origin and reaches from
about -1 to 1, x to the right and y down. `Canvas.place` says where that lands in the picture.
"""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw

FINE = 3  # drawn three times finer than the picture, then averaged: smooth edges
TALLEST = 0.5  # a height of 255 in the geometry image, as a fraction of the picture's side


class Canvas:
    """Colours and heights of one picture, and the frame in which the next thing is drawn."""

    def __init__(self, size, ink=0.0, ink_colour=(40, 25, 20)):
        """A transparent canvas for a picture of `size` by `size` pixels.

        ink: width of the outlines, as a fraction of the side; 0 draws none.
        """
        self.side = size * FINE
        self.colours = Image.new("RGBA", (self.side, self.side), (0, 0, 0, 0))
        self.geometry = Image.new("RGB", (self.side, self.side), (0, 0, 0))  # height, gloss, grain
        self._colour = ImageDraw.Draw(self.colours)
        self._shape = ImageDraw.Draw(self.geometry)
        self.ink = int(round(ink * self.side))
        self.ink_colour = (*ink_colour, 255)
        self.place(0.5, 0.5, 0.5)

    def place(self, x, y, scale, angle=0.0, squash=1.0, shear=0.0):
        """Put the frame's origin at (x, y) and make one unit `scale` long (fractions of the side).

        angle: radians, clockwise on the screen. squash: shortening of the frame's y axis, as when
        looking at a table from the side. shear: lean of the y axis.
        """
        cos, sin = np.cos(angle), np.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        lens = np.array([[1.0, shear], [0.0, squash]])
        self._matrix = (turn @ lens * scale * self.side).T
        self._origin = np.array([x, y]) * self.side
        self.unit = scale * self.side  # pixels in one unit
        self._lift = scale / TALLEST * 255  # grey levels in one unit of height

    def _pixels(self, points):
        return (np.asarray(points, float) @ self._matrix + self._origin).ravel().tolist()

    def _level(self, height):
        return int(min(255, max(0, height * self._lift)))

    def dome(self, outline, colour, depth, base=0.0, gloss=0.0, grain=0.0):
        """A rounded body: `outline(k)` gives its (n, 2) outline shrunk to k times its thickness.

        depth: how far it bulges above `base`. gloss, grain: 0 to 1.
        """
        edge = self._pixels(outline(1.0))
        self._colour.polygon(edge, fill=(*colour, 255))
        if self.ink:
            self._colour.line(edge + edge[:4], fill=self.ink_colour, width=self.ink, joint="curve")
        rest = (int(gloss * 255), int(grain * 255))
        for shrink, height in _steps(int(depth * self.unit / 3)):
            self._shape.polygon(self._pixels(outline(shrink)), fill=(self._level(base + depth * height), *rest))

    def slab(self, outline, colour, height, gloss=0.0, grain=0.0):
        """A flat body that stands `height` high. outline: (n, 2)."""
        edge = self._pixels(outline)
        self._colour.polygon(edge, fill=(*colour, 255))
        if self.ink:
            self._colour.line(edge + edge[:4], fill=self.ink_colour, width=self.ink, joint="curve")
        self._shape.polygon(edge, fill=(self._level(height), int(gloss * 255), int(grain * 255)))

    def paint(self, outline, colour):
        """Colour on whatever is there: the surface below keeps its height. outline: (n, 2)."""
        self._colour.polygon(self._pixels(outline), fill=(*colour, 255))

    def stroke(self, points, width, colour, height=None, gloss=0.0, grain=0.0):
        """A line of `width` along (n, 2) points; with a height it is a ribbon, without it paint."""
        path, pixels = self._pixels(points), max(1, int(round(width * self.unit)))
        ends = [path[:2], path[-2:]]
        reach = pixels / 2 - 0.5
        layers = [(self._colour, (*colour, 255))]
        if height is not None:
            fill = (self._level(height), int(gloss * 255), int(grain * 255))
            layers.append((self._shape, fill))
        for layer, fill in layers:
            layer.line(path, fill=fill, width=pixels, joint="curve")
            if pixels > 2:
                for x, y in ends:
                    layer.ellipse((x - reach, y - reach, x + reach, y + reach), fill=fill)

    def dots(self, points, radius, colours, height=None, gloss=0.0):
        """Small discs at (n, 2) points. colours: one for all, or one for each."""
        path, reach = self._pixels(points), max(0.5, radius * self.unit)
        many = isinstance(colours, list)
        for i in range(len(path) // 2):
            x, y = path[2 * i], path[2 * i + 1]
            box = (x - reach, y - reach, x + reach, y + reach)
            self._colour.ellipse(box, fill=(*(colours[i] if many else colours), 255))
            if height is not None:
                self._shape.ellipse(box, fill=(self._level(height), int(gloss * 255), 0))

    def hole(self, outline):
        """Cut through to the background. outline: (n, 2)."""
        edge = self._pixels(outline)
        self._colour.polygon(edge, fill=(0, 0, 0, 0))
        self._shape.polygon(edge, fill=(0, 0, 0))


@cache
def _steps(n):
    """A half circle in steps: how far the outline is shrunk, and the height reached there.

    n: more steps for a larger body, or they would show as rings.
    """
    rise = np.linspace(0.12, 0.5 * np.pi, min(14, max(5, n)))
    return [(float(np.cos(a)) if a < 1.5 else 0.08, float(np.sin(a))) for a in rise]


# --- outlines: (n, 2) arrays, or functions of the shrinking factor k that return one ---


@cache
def _circle(n):
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([np.cos(turn), np.sin(turn)], 1)


@cache
def _along(n):
    """n places from -1 to 1, denser at the ends, where a body's outline curves most."""
    return -np.cos(np.linspace(0, np.pi, n))


def oval(x, y, rx, ry=None, n=28):
    """An ellipse that shrinks towards its centre."""
    ry = rx if ry is None else ry
    return lambda k=1.0: _circle(n) * (rx * k, ry * k) + (x, y)


def blob(rng, x, y, rx, ry=None, wobble=0.08, n=28):
    """An ellipse with an uneven edge; `wobble` is the unevenness as a fraction of the radius."""
    ry = rx if ry is None else ry
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    edge = 1 + wobble * (
        np.sin(2 * turn + rng.uniform(0, 6.3))
        + 0.7 * np.sin(3 * turn + rng.uniform(0, 6.3))
        + 0.5 * np.sin(5 * turn + rng.uniform(0, 6.3))
    )
    points = _circle(n) * edge[:, None] * (rx, ry)
    return lambda k=1.0: points * k + (x, y)


def shrinking(points):
    """Any outline, shrunk towards the middle of its points."""
    points = np.asarray(points, float)
    middle = points.mean(0)
    return lambda k=1.0: (points - middle) * k + middle


def box(x0, y0, x1, y1):
    """A rectangle's corners."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], float)


def spine(length, bend=0.0, x=0.0, y=0.0):
    """The middle line of a long body: an arc of `length` to each side that turns by `bend` radians.

    Returns at(t, off): the points at t (from -1 to 1 along the arc), `off` to its side.
    """

    def at(t, off=0.0):
        t, off = np.asarray(t, float), np.asarray(off, float)
        points = np.empty((*t.shape, 2))
        if abs(bend) < 1e-3:
            points[..., 0] = x + length * t
            points[..., 1] = y + off
            return points
        turn = bend * t
        radius = length / bend
        points[..., 0] = x + (radius - off) * np.sin(turn)
        points[..., 1] = y + radius - (radius - off) * np.cos(turn) - radius * bend * bend / 6
        return points

    at.length = length
    return at


def body(at, thick, ends=6.0, taper=0.0, side=0.0, wobble=None):
    """A long body around a spine, `thick` to each side of it (a sausage, a loaf, a banana).

    ends: 2 gives an ellipse, 10 nearly a cylinder. taper: how much thinner it gets towards t = 1.
    side: the body's middle, off the spine. wobble: (n,) factors on the thickness, n = 22.
    """
    t = _along(22)
    width = np.maximum(1 - np.abs(t) ** ends, 0) ** (1 / min(ends, 2.5)) * (1 - taper * (t + 1) / 2)
    if wobble is not None:
        width = width * wobble

    def outline(k=1.0):
        short = t * (1 - (1 - k) * min(0.9, thick / at.length))
        return np.concatenate([at(short, side + width * thick * k), at(short[::-1], side - width[::-1] * thick * k)])

    return outline
