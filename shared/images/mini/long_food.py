"""Hot dogs, and the long foods that could be taken for one. Each is `thing(c, rng)`, see catalogue.py."""

import numpy as np

from shared.images.mini.canvas import blob, body, oval, spine
from shared.images.mini.materials import (
    CHEESE,
    CHOCOLATE,
    CRUMB,
    CRUST,
    DOUGH,
    KETCHUP,
    LETTUCE,
    MAYO,
    MUSTARD,
    ONION,
    PICKLE,
    SAUSAGE,
    TOMATO,
    darker,
    frill,
    pick,
    scatter,
    shade,
    zigzag,
)


def bun(c, at, rng, thick, gap, colour, front=0.5):
    """The two halves of a long roll, split along the top. front: the nearer half's share."""
    crumb = shade(rng, CRUMB, 0.06)
    wobble = 1 + 0.03 * np.sin(np.linspace(0, 9, 22) + rng.uniform(0, 6))
    for side, share in ((-1, 1.5 - front), (1, 0.5 + front)):
        middle = side * (gap + thick * share * 0.55)
        half = body(at, thick * share, ends=5.0, side=middle, wobble=wobble)
        c.dome(half, colour, thick * share, gloss=0.12, grain=0.35)
        inner = at(np.linspace(-0.88, 0.88, 12), middle - side * thick * share * 0.62)
        c.stroke(inner, thick * share * 0.55, crumb)


def sauce(c, at, rng, swing, base, colours=(MUSTARD, KETCHUP, MAYO), reach=0.9):
    """One squeeze of sauce along a spine: a zigzag, a wave or a straight line."""
    colour = shade(rng, pick(rng, *colours), 0.08)
    kind = rng.integers(3)
    width = rng.uniform(0.05, 0.09)
    if kind == 2:
        line = at(np.linspace(-reach, reach, 12), rng.uniform(-0.4, 0.4) * swing)
    else:
        turns = int(rng.integers(5, 10))
        line = zigzag(at, turns, swing, -reach, reach, wave=kind == 1)
    c.stroke(line, width, colour, height=base, gloss=0.5)


def hotdog(c, rng):
    """A sausage in a split roll, longer or shorter than it, with any toppings or none."""
    at = spine(rng.uniform(0.78, 0.9), rng.normal(0, 0.16))
    long = spine(at.length * rng.uniform(0.98, 1.16), 0.0)
    bend = rng.normal(0, 0.2)
    at, long = spine(at.length, bend), spine(long.length, bend)
    thick, meat = rng.uniform(0.2, 0.27), rng.uniform(0.13, 0.19)
    front = pick(rng, 0.5, 0.5, 0.7, 0.3)
    colour = shade(rng, pick(rng, CRUST, CRUST, (225, 165, 90), (180, 110, 50)), 0.1)
    lean = (0.5 - front) * 0.25
    bun(c, at, rng, thick, meat * rng.uniform(0.45, 0.75), colour, front)
    if rng.random() < 0.25:
        c.slab(
            frill(spine(at.length * 0.95, bend, y=lean), meat * 1.5, rng), shade(rng, LETTUCE), thick * 0.8, grain=0.6
        )
    middle = spine(long.length, bend, y=lean)
    red = shade(rng, pick(rng, SAUSAGE, SAUSAGE, (190, 85, 50), (140, 50, 35), (205, 95, 70)), 0.1)
    c.dome(body(middle, meat, ends=7.0), red, meat, base=thick * 0.75, gloss=0.65, grain=0.1)
    if rng.random() < 0.25:  # grill marks
        for t in np.linspace(-0.75, 0.75, int(rng.integers(4, 7))):
            c.stroke(middle([t - 0.05, t + 0.05], [-meat * 0.8, meat * 0.8]), 0.045, darker(red, 0.5))
    top = thick * 0.75 + meat
    if rng.random() < 0.22:
        n = int(rng.integers(25, 50))
        green = pick(rng, PICKLE, ONION, (150, 60, 30), CHEESE, (120, 150, 50))
        t = rng.uniform(-0.9, 0.9, n)
        c.dots(
            middle(t, rng.normal(0, meat * 0.5, n)),
            rng.uniform(0.03, 0.05),
            [shade(rng, green, 0.2) for _ in range(n)],
            height=top + 0.02,
        )
    if rng.random() < 0.72:
        sauce(c, middle, rng, meat * rng.uniform(0.45, 0.85), top + 0.03)
    if rng.random() < 0.22:
        sauce(c, middle, rng, meat * rng.uniform(0.45, 0.85), top + 0.05)


def french_loaf(c, rng):
    at = spine(0.95, rng.normal(0, 0.12))
    thick = rng.uniform(0.2, 0.3)
    crust = shade(rng, pick(rng, DOUGH, CRUST, (185, 115, 50)), 0.1)
    c.dome(body(at, thick, ends=3.5), crust, thick, gloss=0.15, grain=0.6)
    pale = shade(rng, (240, 205, 140), 0.05)
    lean = rng.uniform(0.08, 0.2)
    for t in np.linspace(-0.75, 0.75, int(rng.integers(4, 7))):
        c.stroke(at([t - lean, t, t + lean], [-thick * 0.6, 0, thick * 0.6]), 0.07, pale)


def burrito(c, rng):
    at = spine(rng.uniform(0.75, 0.9), rng.normal(0, 0.1))
    thick = rng.uniform(0.26, 0.34)
    skin = shade(rng, (235, 205, 150), 0.08)
    c.dome(body(at, thick, ends=8.0), skin, thick, grain=0.3)
    n = int(rng.integers(8, 18))
    spots = at(rng.uniform(-0.9, 0.9, n), rng.uniform(-0.8, 0.8, n) * thick)
    c.dots(spots, rng.uniform(0.03, 0.06), shade(rng, (165, 105, 50)))
    c.stroke(at([-0.9, 0.9], [thick * 0.5, -thick * 0.2]), 0.03, darker(skin, 0.7))
    if rng.random() < 0.6:  # a cut end, with the filling
        end = at([0.95])[0]
        c.slab(oval(*end, 0.14, thick * 0.9)(), shade(rng, (130, 80, 40)), thick)
        filling = [pick(rng, LETTUCE, TOMATO, CHEESE, (70, 40, 30), (240, 230, 200)) for _ in range(22)]
        c.dots(scatter(rng, 22, 0.11, thick * 0.75, *end), 0.05, filling)
    if rng.random() < 0.4:  # half in foil
        foil = body(spine(at.length * 0.55, 0.0, x=-at.length * 0.5), thick * 1.08, ends=7.0)
        c.dome(foil, shade(rng, (190, 195, 200), 0.06), thick * 1.1, gloss=0.9, grain=1.0)


def banana(c, rng):
    for i in range(int(rng.integers(1, 4))):
        at = spine(0.92, rng.uniform(0.6, 1.0), y=-0.22 * i)
        thick = rng.uniform(0.16, 0.23)
        skin = shade(rng, pick(rng, (250, 215, 60), (245, 205, 45), (225, 215, 80)), 0.06)
        c.dome(body(at, thick, ends=2.6, taper=0.25), skin, thick, gloss=0.25)
        c.stroke(at(np.linspace(-0.8, 0.8, 10), thick * 0.25), 0.03, darker(skin, 0.85))
        for t in (-0.97, 0.97):
            c.stroke(at([t, t * 1.06]), 0.08, shade(rng, (90, 75, 30)))
        n = int(rng.integers(0, 12))
        c.dots(at(rng.uniform(-0.8, 0.8, n), rng.normal(0, thick * 0.4, n)), 0.025, (120, 85, 40))


def cucumber(c, rng):
    at = spine(0.92, rng.normal(0, 0.2))
    thick = rng.uniform(0.18, 0.25)
    skin = shade(rng, (55, 110, 45), 0.15)
    c.dome(body(at, thick, ends=5.0), skin, thick, gloss=0.4, grain=0.4)
    for off in np.linspace(-0.7, 0.7, 4):
        c.stroke(at(np.linspace(-0.85, 0.85, 8), off * thick), 0.025, darker(skin, 1.35))
    for i in range(int(rng.integers(0, 4))):
        x, y = -0.5 + 0.45 * i, rng.uniform(0.25, 0.4)
        c.dome(oval(x, y, 0.24), shade(rng, (70, 125, 50)), 0.06)
        c.paint(oval(x, y, 0.2)(), shade(rng, (205, 225, 150), 0.05))
        c.dots(scatter(rng, 8, 0.1, x=x, y=y), 0.025, (235, 235, 190))


def corn(c, rng):
    at = spine(0.85, rng.normal(0, 0.08))
    thick = rng.uniform(0.24, 0.3)
    gold = shade(rng, (250, 205, 60), 0.06)
    c.dome(body(at, thick, ends=3.0, taper=0.3), darker(gold, 0.8), thick, gloss=0.3)
    t, off = np.meshgrid(np.linspace(-0.9, 0.88, 16), np.linspace(-0.8, 0.8, 6))
    narrow = 1 - 0.3 * (t + 1) / 2
    c.dots(at(t.ravel(), (off * narrow * thick).ravel()), 0.048, gold)
    for _ in range(int(rng.integers(0, 4))):
        leaf = spine(0.5, rng.normal(0, 0.5), x=-0.6, y=rng.uniform(-0.25, 0.25))
        c.dome(body(leaf, 0.12, ends=2.0), shade(rng, (130, 170, 70), 0.15), 0.1, base=thick * 0.8)


def sausage(c, rng):
    """Sausages without a roll; the sauce on them is the same as on a hot dog."""
    n = int(rng.integers(1, 4))
    for i in range(n):
        at = spine(rng.uniform(0.8, 0.95), rng.normal(0, 0.3), y=(i - (n - 1) / 2) * 0.42)
        meat = rng.uniform(0.15, 0.21)
        red = shade(rng, pick(rng, SAUSAGE, (190, 85, 50), (140, 50, 35), (205, 95, 70)), 0.12)
        c.dome(body(at, meat, ends=6.0), red, meat, gloss=0.65, grain=0.1)
        if rng.random() < 0.5:
            for t in np.linspace(-0.75, 0.75, int(rng.integers(4, 7))):
                c.stroke(at([t - 0.05, t + 0.05], [-meat * 0.8, meat * 0.8]), 0.045, darker(red, 0.5))
        if rng.random() < 0.4:
            sauce(c, at, rng, meat * rng.uniform(0.4, 0.8), meat + 0.03)


def submarine(c, rng):
    """A filled roll without a sausage: slices of ham, cheese, tomato and salad between the halves."""
    bend = rng.normal(0, 0.1)
    at = spine(rng.uniform(0.82, 0.95), bend)
    thick = rng.uniform(0.22, 0.3)
    colour = shade(rng, pick(rng, CRUST, (225, 165, 90), (180, 110, 50)), 0.1)
    bun(c, at, rng, thick, rng.uniform(0.06, 0.12), colour, pick(rng, 0.5, 0.7, 0.3))
    c.slab(
        frill(spine(at.length, bend), rng.uniform(0.17, 0.26), rng), shade(rng, LETTUCE, 0.15), thick * 0.9, grain=0.6
    )
    for t in np.linspace(-0.8, 0.8, int(rng.integers(4, 8))):
        x, y = at([t], rng.normal(0, 0.03))[0]
        kind = rng.integers(4)
        slice_ = shade(rng, (TOMATO, (235, 150, 140), CHEESE, ONION)[kind], 0.08)
        c.dome(blob(rng, x, y, rng.uniform(0.12, 0.2), rng.uniform(0.1, 0.16)), slice_, 0.04, base=thick, gloss=0.3)
    if rng.random() < 0.4:
        sauce(c, at, rng, rng.uniform(0.08, 0.14), thick + 0.08)


def eclair(c, rng):
    at = spine(rng.uniform(0.8, 0.92), rng.normal(0, 0.12))
    thick = rng.uniform(0.25, 0.32)
    c.dome(body(at, thick, ends=5.0), shade(rng, DOUGH, 0.12), thick, grain=0.4)
    icing = shade(rng, pick(rng, CHOCOLATE, CHOCOLATE, (120, 65, 40), (240, 225, 200), (235, 150, 170)), 0.1)
    cover = spine(at.length * 0.9, 0.0)
    c.dome(body(cover, thick * 0.68, ends=5.0), icing, 0.08, base=thick * 0.9, gloss=0.8)
    if rng.random() < 0.5:
        sauce(c, cover, rng, thick * 0.4, thick + 0.1, (MAYO, CHOCOLATE), 0.8)


def kebab(c, rng):
    at = spine(1.0)
    c.stroke(at([-1.05, 1.05]), 0.05, (200, 170, 120), height=0.1)
    size = rng.uniform(0.16, 0.22)
    for t in np.arange(-0.75, 0.76, size * 1.7):
        food = shade(rng, pick(rng, SAUSAGE, (130, 75, 40), TOMATO, LETTUCE, ONION, CHEESE), 0.12)
        x, y = at([t])[0]
        c.dome(blob(rng, x, y, size * 0.85, size * rng.uniform(1, 1.4), 0.12), food, size, gloss=0.4, grain=0.3)


def croissant(c, rng):
    at = spine(0.9, rng.uniform(0.5, 1.1))
    thick = rng.uniform(0.3, 0.38)
    crust = shade(rng, pick(rng, DOUGH, CRUST, (190, 115, 45)), 0.1)
    c.dome(body(at, thick, ends=1.7), crust, thick, gloss=0.25, grain=0.3)
    for t in np.linspace(-0.7, 0.7, 6):
        w = thick * (1 - abs(t) ** 1.7) ** 0.6
        c.stroke(at([t - 0.04, t + 0.04], [-w, w]), 0.05, darker(crust, 0.68))


def carrot(c, rng):
    at = spine(0.85, rng.normal(0, 0.12))
    thick = rng.uniform(0.22, 0.28)
    orange_ = shade(rng, (240, 130, 40), 0.1)
    for _ in range(5):
        leaf = spine(0.25, rng.normal(0, 0.6), x=-0.95, y=rng.normal(0, 0.1))
        c.stroke(leaf([-1, 0, 1]), 0.08, shade(rng, (80, 145, 50), 0.2), height=0.1)
    c.dome(body(at, thick, ends=5.0, taper=0.75), orange_, thick, gloss=0.2, grain=0.2)
    for t in rng.uniform(-0.8, 0.7, 7):
        off = rng.uniform(-0.5, 0.5) * thick
        c.stroke(at([t, t], [off, off + 0.12]), 0.025, darker(orange_, 0.75))
