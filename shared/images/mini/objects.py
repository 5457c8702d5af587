"""The things that can be drawn: one function each, `thing(c, rng)` on a `Canvas` c.

Each stays within about one unit of the origin and takes all of its variety (proportions, colours,
toppings) from the np.random.Generator it is given. `SOURCE` are the classes of the source set;
`TARGET_FOODS` are the foods that are no hot dogs in the target set, some of which the source
network has never seen; `CLUTTER` is what may lie beside either.
"""

import numpy as np

from .canvas import blob, body, box, oval, shrinking, spine

# Colours that several things share, as 8-bit RGB.
CRUST, CRUMB, SAUSAGE = (205, 140, 70), (240, 210, 155), (170, 65, 40)
MUSTARD, KETCHUP, MAYO = (245, 195, 20), (190, 25, 15), (250, 240, 210)
LETTUCE, TOMATO, ONION, PICKLE = (120, 175, 55), (215, 60, 40), (245, 235, 240), (110, 130, 40)
CHEESE, CHOCOLATE, DOUGH = (250, 185, 50), (75, 40, 25), (200, 125, 55)


def shade(rng, colour, spread=0.1):
    """A colour near `colour`: brightness and each channel vary by about `spread`."""
    light = 1 + spread * rng.uniform(-1, 1)
    hue = 1 + 0.5 * spread * rng.uniform(-1, 1, 3)
    return tuple(int(v) for v in np.clip(np.asarray(colour) * light * hue, 0, 255))


def darker(colour, factor):
    """The same colour, `factor` times as bright."""
    return tuple(int(min(255, v * factor)) for v in colour)


def any_colour(rng):
    """A strong colour of any hue."""
    turn = rng.uniform(0, 2 * np.pi) + np.array([0, 2.1, 4.2])
    return tuple(int(v) for v in 125 + 105 * np.cos(turn))


def pick(rng, *choices):
    """One of the choices, all equally likely."""
    return choices[rng.integers(len(choices))]


def zigzag(at, turns, swing, start=-0.9, end=0.9, side=0.0, wave=False):
    """A line that swings to both sides of a spine, as sauce is squeezed on."""
    t = np.linspace(start, end, 10 * turns if wave else 2 * turns + 1)
    if wave:
        return at(t, side + swing * np.sin(np.linspace(0, 2 * np.pi * turns / 2, len(t))))
    return at(t, side + swing * np.where(np.arange(len(t)) % 2, 1, -1))


def scatter(rng, n, rx, ry=None, x=0.0, y=0.0):
    """n points spread over an ellipse. Returns (n, 2)."""
    turn, far = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.uniform(0, 1, n))
    return np.stack([x + rx * far * np.cos(turn), y + (ry or rx) * far * np.sin(turn)], 1)


def frill(at, thick, rng, waves=9):
    """The wavy outline of a salad leaf that lies along a spine."""
    t = np.linspace(-1, 1, 40)
    edge = thick * (1 + 0.18 * np.sin(np.linspace(0, 2 * np.pi * waves, 40) + rng.uniform(0, 6)))
    return np.concatenate([at(t, edge), at(t[::-1], -edge[::-1])])


# --- long foods: hot dogs and what could be taken for one ---


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


# --- other foods ---


def cheeseburger(c, rng):
    wide, rise = rng.uniform(0.78, 0.92), rng.uniform(0.42, 0.58)
    crust = shade(rng, pick(rng, CRUST, DOUGH, (220, 155, 80)), 0.1)
    low = rng.uniform(0.25, 0.35)
    c.dome(body(spine(wide * 0.95, y=low + 0.22), 0.2, ends=6.0), crust, 0.2, grain=0.2)
    layers = [(shade(rng, (95, 50, 30), 0.15), 0.14), (shade(rng, CHEESE, 0.05), 0.06)]
    if rng.random() < 0.6:
        layers.insert(rng.integers(3), (shade(rng, TOMATO, 0.08), 0.08))
    layers.append((shade(rng, LETTUCE, 0.12), 0.09))
    y = low + 0.1
    for i, (colour, thick) in enumerate(layers):
        at = spine(wide * rng.uniform(0.96, 1.06), y=y)
        if i == len(layers) - 1:
            c.slab(frill(at, thick * 1.2, rng, 7), colour, 0.3, grain=0.5)
        else:
            c.dome(body(at, thick, ends=8.0), colour, thick, base=0.2, grain=0.3)
        y -= thick * 1.1
    turn = np.linspace(np.pi, 2 * np.pi, 20)
    top = np.stack([wide * np.cos(turn), y + 0.06 + rise * 1.35 * np.sin(turn)], 1)
    c.dome(shrinking(top), crust, rise, base=0.15, gloss=0.3, grain=0.1)
    if rng.random() < 0.75:
        c.dots(scatter(rng, 16, wide * 0.62, rise * 0.45, y=y - rise * 0.62), 0.035, (250, 235, 190))


def pizza(c, rng):
    crust, base = shade(rng, CRUST, 0.1), shade(rng, CHEESE, 0.08)
    if rng.random() < 0.55:
        c.dome(oval(0, 0, 0.95), crust, 0.12, grain=0.4)
        c.slab(blob(rng, 0, 0, 0.8, wobble=0.03)(), base, 0.1, grain=0.5)
        spots = scatter(rng, 11, 0.7)
        cuts = rng.uniform(0, 3.1) + np.arange(3) * np.pi / 3
    else:
        tip = np.array([(-0.75, -0.8), (0.75, -0.8), (0, 0.95)])
        c.slab(tip, base, 0.1, grain=0.5)
        c.dome(body(spine(0.8, rng.uniform(-0.3, 0), y=-0.8), 0.15), crust, 0.15, grain=0.3)
        along = rng.uniform(0, 1, 7)
        spots = np.stack([rng.uniform(-0.5, 0.5, 7) * (1 - along), -0.6 + 1.25 * along], 1)
        cuts = []
    kind = rng.integers(3)
    for x, y in spots:
        if kind == 0 or rng.random() < 0.5:
            c.dome(oval(x, y, 0.14, n=14), shade(rng, (195, 50, 35), 0.12), 0.03, base=0.1, gloss=0.3)
        else:
            c.dome(oval(x, y, 0.09, 0.06, n=10), shade(rng, (60, 90, 40), 0.3), 0.05, base=0.1)
    for turn in cuts:
        edge = 0.9 * np.array([np.cos(turn), np.sin(turn)])
        c.stroke([-edge, edge], 0.02, darker(base, 0.65))


def taco(c, rng):
    shell = shade(rng, pick(rng, (240, 195, 90), (230, 180, 100), (215, 160, 80)), 0.08)
    turn = np.linspace(np.pi, 2 * np.pi, 24)
    arch = np.stack([0.92 * np.cos(turn), 0.45 + 1.05 * np.sin(turn)], 1)
    c.slab(arch + (0.05, -0.1), darker(shell, 0.85), 0.1)
    rim = np.stack([0.88 * np.cos(turn), 0.4 + 1.05 * np.sin(turn)], 1)
    for colour, n, far in ((LETTUCE, 26, 0.0), (TOMATO, 10, 0.04), (CHEESE, 14, 0.02)):
        where = rim[rng.integers(0, 24, n)] * (1, 1) + rng.normal(0, 0.04, (n, 2)) + (0, far)
        c.dots(where, rng.uniform(0.06, 0.1), [shade(rng, colour, 0.15) for _ in range(n)], height=0.3)
    c.dome(shrinking(arch * (0.98, 0.95) + (0, 0.06)), shell, 0.25, base=0.1, grain=0.5)
    c.dots(scatter(rng, 10, 0.6, 0.4, y=0.1), 0.03, darker(shell, 0.8))


def fries(c, rng):
    gold = shade(rng, (245, 205, 100), 0.06)
    for _ in range(int(rng.integers(11, 17))):
        x = rng.uniform(-0.55, 0.55)
        tip = (x * rng.uniform(1.0, 1.5), rng.uniform(-0.95, -0.45))
        c.stroke([(x, 0.3), tip], 0.14, shade(rng, gold, 0.12), height=0.2, grain=0.2)
    red = shade(rng, pick(rng, (205, 35, 30), (230, 230, 225), any_colour(rng)), 0.08)
    c.slab([(-0.68, -0.15), (0.68, -0.15), (0.5, 0.95), (-0.5, 0.95)], red, 0.3)
    c.paint(oval(0, 0.4, 0.22)(), darker(red, 1.5))


def doughnut(c, rng):
    hole = rng.uniform(0.22, 0.32)
    c.dome(oval(0, 0, 0.9), shade(rng, DOUGH, 0.1), 0.35, grain=0.2)
    icing = shade(rng, pick(rng, CHOCOLATE, (240, 150, 180), (250, 235, 215), CHEESE), 0.1)
    c.dome(blob(rng, 0, 0, 0.8, wobble=0.04), icing, 0.1, base=0.32, gloss=0.6)
    n = int(rng.integers(0, 26))
    c.dots(scatter(rng, n, 0.75), 0.04, [any_colour(rng) for _ in range(n)])
    c.dome(oval(0, 0, hole * 1.25), shade(rng, DOUGH, 0.1), -0.2, base=0.3)
    c.hole(oval(0, 0, hole)())


def bagel(c, rng):
    hole = rng.uniform(0.18, 0.28)
    crust = shade(rng, pick(rng, DOUGH, CRUST, (165, 95, 40)), 0.1)
    c.dome(blob(rng, 0, 0, 0.92, wobble=0.02), crust, 0.4, gloss=0.25, grain=0.2)
    n = int(rng.integers(0, 45))
    c.dots(scatter(rng, n, 0.8), 0.035, pick(rng, (245, 230, 185), (45, 40, 40)))
    c.dome(oval(0, 0, hole * 1.35), darker(crust, 0.85), -0.3, base=0.36)
    c.hole(oval(0, 0, hole)())


def pretzel(c, rng):
    crust = shade(rng, pick(rng, (150, 80, 35), (175, 100, 45)), 0.12)
    half = np.array([(-0.45, 0.72), (-0.15, 0.15), (0.12, -0.12), (0.3, -0.6), (0.8, -0.72), (0.98, -0.1), (0.65, 0.5)])
    rope = np.concatenate([half, [(0, 0.75)], half[::-1] * (-1, 1)])
    rope = rope * (1, rng.uniform(0.85, 1.05))
    for _ in range(3):  # cut the corners until it is round
        near, far = 0.75 * rope[:-1] + 0.25 * rope[1:], 0.25 * rope[:-1] + 0.75 * rope[1:]
        rope = np.stack([near, far], 1).reshape(-1, 2)
    width = rng.uniform(0.2, 0.28)
    for k, lift in ((1.0, 0.35), (0.7, 0.8), (0.4, 1.0)):
        c.stroke(rope, width * k, crust, height=width * lift, gloss=0.4, grain=0.1)
    salt = rope[rng.integers(0, len(rope), 24)] + rng.normal(0, width * 0.2, (24, 2))
    c.dots(salt, 0.028, (250, 245, 235))


def ice_cream(c, rng):
    wafer = shade(rng, (215, 155, 85), 0.1)
    c.dome(shrinking([(-0.4, 0.05), (0.4, 0.05), (0.03, 1.0), (-0.03, 1.0)]), wafer, 0.3)
    for k in np.linspace(-0.6, 0.6, 5):
        c.stroke([(k * 0.5 - 0.1, 0.1), (k * 0.15 + 0.08, 0.8)], 0.02, darker(wafer, 0.75))
        c.stroke([(k * 0.5 + 0.1, 0.1), (k * 0.15 - 0.08, 0.8)], 0.02, darker(wafer, 0.75))
    flavours = ((250, 235, 200), CHOCOLATE, (240, 150, 175), (150, 205, 160), (120, 70, 130))
    spots = pick(rng, [(0, -0.15)], [(0, -0.1), (0, -0.6)], [(-0.25, -0.1), (0.25, -0.1), (0, -0.5)])
    for x, y in spots:
        c.dome(
            blob(rng, x, y, 0.42, 0.38, 0.04),
            shade(rng, pick(rng, *flavours), 0.1),
            0.4,
            base=0.05,
            gloss=0.2,
            grain=0.3,
        )
    if rng.random() < 0.3:
        c.dome(oval(0, spots[-1][1] - 0.4, 0.12), (200, 25, 40), 0.12, base=0.3, gloss=0.8)


def round_fruit(c, rng, colour, grain=0.2, gloss=0.35, wide=1.0):
    """The ball that apples, oranges and the like start from."""
    c.dome(blob(rng, 0, 0, 0.85 * wide, 0.85, 0.02), colour, 0.75, gloss=gloss, grain=grain)


def granny_smith(c, rng):
    skin = shade(rng, (135, 185, 50), 0.12)
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    dent = 1 - 0.16 * np.exp(-((turn - 1.5 * np.pi) ** 2) / 0.08)
    flat = 1 - 0.1 * np.exp(-((turn - 0.5 * np.pi) ** 2) / 0.1)
    edge = 0.85 * (dent * flat)[:, None] * np.stack([1.05 * np.cos(turn), np.sin(turn)], 1)
    c.dome(shrinking(edge), skin, 0.7, gloss=0.6)
    c.dots(scatter(rng, 20, 0.6), 0.015, darker(skin, 1.3))
    c.stroke([(0, -0.6), (rng.normal(0, 0.1), -0.98)], 0.06, (90, 60, 30), height=0.7)
    if rng.random() < 0.6:
        leaf = spine(0.22, 0.4, x=0.25, y=-0.85)
        c.dome(body(leaf, 0.1, ends=2.0), shade(rng, (60, 130, 40), 0.15), 0.05, base=0.6)


def orange(c, rng):
    skin = shade(rng, (245, 140, 25), 0.08)
    if rng.random() < 0.5:
        round_fruit(c, rng, skin, grain=0.9)
        c.dots([(rng.normal(0, 0.3), rng.normal(0, 0.3))], 0.06, (90, 110, 40))
        return
    c.dome(oval(0, 0, 0.88), skin, 0.3, grain=0.6)  # a half, with its segments
    c.slab(oval(0, 0, 0.8)(), (250, 225, 170), 0.3)
    for turn in np.arange(9) * 2 * np.pi / 9 + rng.uniform(0, 1):
        wedge = [(0.08 * np.cos(turn), 0.08 * np.sin(turn))]
        wedge += [(0.73 * np.cos(turn + d), 0.73 * np.sin(turn + d)) for d in (-0.28, -0.1, 0.1, 0.28)]
        c.paint(wedge, shade(rng, (250, 160, 50), 0.06))


def lemon(c, rng):
    at = spine(0.95)
    skin = shade(rng, (250, 225, 55), 0.06)
    c.dome(body(spine(0.98), 0.16, ends=3.0), skin, 0.2, grain=0.8)
    c.dome(body(at, 0.62, ends=2.0), skin, 0.6, gloss=0.35, grain=0.9)
    if rng.random() < 0.3:
        leaf = spine(0.3, 0.4, x=-0.8, y=-0.3)
        c.dome(body(leaf, 0.13, ends=2.0), shade(rng, (60, 130, 40), 0.15), 0.05, base=0.5)


def strawberry(c, rng):
    red = shade(rng, (215, 30, 45), 0.1)
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    wide = 0.75 * np.where(np.sin(turn) > 0, (1 - np.sin(turn)) ** 0.35, 1.0)
    edge = np.stack([wide * np.cos(turn) * 1.05, -0.25 + np.where(np.sin(turn) > 0, 1.2, 0.42) * np.sin(turn)], 1)
    c.dome(shrinking(edge), red, 0.55, gloss=0.5)
    for row in range(5):
        for x in np.linspace(-0.55 + 0.11 * row, 0.55 - 0.11 * row, 5 - row):
            c.dots([(x, -0.35 + 0.24 * row)], 0.035, (250, 215, 120))
    for turn in np.linspace(-2.9, -0.24, 6):
        tip = (0.5 * np.cos(turn), -0.62 + 0.3 * np.sin(turn))
        leaf = [(-0.1, -0.5), tip, (0.1, -0.5)]
        c.slab(leaf, shade(rng, (80, 150, 50), 0.15), 0.6)


def pineapple(c, rng):
    for turn in np.linspace(-2.6, -0.5, 8):
        tip = (0.5 * np.cos(turn) * rng.uniform(0.7, 1.1), -0.4 + 0.62 * np.sin(turn))
        c.slab([(-0.16, -0.25), tip, (0.16, -0.25)], shade(rng, (75, 140, 65), 0.2), 0.2)
    gold = shade(rng, (225, 165, 50), 0.1)
    c.dome(oval(0, 0.35, 0.5, 0.64), gold, 0.48, grain=0.4)
    for k in np.linspace(-0.9, 0.9, 7):
        half = 0.46 * np.sqrt(1 - (0.8 * k) ** 2)
        for lean in (-0.28, 0.28):
            c.stroke([(-half, 0.35 + 0.55 * k - lean), (half, 0.35 + 0.55 * k + lean)], 0.025, darker(gold, 0.62))


def broccoli(c, rng):
    stem = shade(rng, (150, 185, 95), 0.1)
    c.dome(body(spine(0.1, x=0, y=0.5), 0.45, ends=8.0), stem, 0.2)
    c.slab([(-0.14, 0.95), (0.14, 0.95), (0.4, 0.05), (-0.4, 0.05)], stem, 0.2)
    for x, y in np.concatenate([scatter(rng, 16, 0.68, 0.45, y=-0.25), scatter(rng, 7, 0.4, 0.3, y=-0.2)]):
        green = shade(rng, (50, 115, 45), 0.2)
        c.dome(oval(x, y, 0.24, n=14), green, 0.3, base=0.15, grain=1.0)


def mushroom(c, rng):
    pale = shade(rng, (235, 220, 195), 0.06)
    c.dome(body(spine(0.1, y=0.4), 0.55, ends=8.0, wobble=1), pale, 0.2)
    c.dome(shrinking(box(-0.24, -0.1, 0.24, 0.9)), pale, 0.24, grain=0.2)
    turn = np.linspace(np.pi, 2 * np.pi, 20)
    cap = np.stack([0.9 * np.cos(turn), 0.12 + rng.uniform(0.75, 1.0) * np.sin(turn)], 1)
    skin = shade(rng, pick(rng, (165, 115, 75), (220, 200, 170), (200, 40, 35)), 0.1)
    c.dome(shrinking(cap), skin, 0.6, base=0.15, gloss=0.3)
    if skin[0] > 1.8 * skin[1]:
        c.dots(scatter(rng, 9, 0.6, 0.3, y=-0.3), 0.09, (250, 245, 235))


# --- things that are no food ---


def beer_bottle(c, rng):
    glass = shade(rng, pick(rng, (95, 55, 20), (35, 85, 40), (120, 75, 30)), 0.15)
    neck, wide = rng.uniform(0.11, 0.15), rng.uniform(0.28, 0.36)
    side = [(neck, -0.95), (neck, -0.5), (wide, -0.15), (wide, 0.95)]
    edge = np.array(side + [(-x, y) for x, y in side[::-1]])
    c.dome(lambda k=1.0: edge * (k, 1), glass, wide, gloss=0.9)
    c.slab(box(-wide, 0.1, wide, 0.65), shade(rng, pick(rng, (240, 230, 200), any_colour(rng))), wide * 0.9)
    c.paint(oval(0, 0.37, wide * 0.55, 0.18)(), any_colour(rng))
    c.slab(box(-neck * 1.2, -1.0, neck * 1.2, -0.86), any_colour(rng), wide, gloss=0.6)


def coffee_mug(c, rng):
    colour = shade(rng, pick(rng, (235, 235, 230), any_colour(rng), any_colour(rng)), 0.1)
    ring = np.linspace(-1.4, 1.4, 14)
    handle = np.stack([0.5 + 0.36 * np.cos(ring), 0.08 + 0.4 * np.sin(ring)], 1)
    c.stroke(handle, 0.14, darker(colour, 0.9), height=0.2, gloss=0.5)
    half = np.linspace(0, np.pi, 14)
    edge = np.concatenate(
        [np.stack([0.6 * np.cos(half), 0.68 + 0.2 * np.sin(half)], 1), [(-0.62, -0.6), (0.62, -0.6)]]
    ) - (0.1, 0)
    c.dome(lambda k=1.0: (edge + (0.1, 0)) * (k, 1) - (0.1, 0), colour, 0.5, gloss=0.6)
    if rng.random() < 0.4:
        c.paint(box(-0.7, 0.0, 0.5, 0.3), any_colour(rng))
    c.slab(oval(-0.1, -0.6, 0.62, 0.22)(), darker(colour, 1.1), 0.4, gloss=0.4)
    c.slab(oval(-0.1, -0.57, 0.52, 0.16)(), shade(rng, (80, 45, 25)), 0.2, gloss=0.6)


def desk_lamp(c, rng):
    colour = shade(rng, pick(rng, any_colour(rng), (60, 60, 65), (200, 200, 205)), 0.1)
    elbow = (-0.5 + rng.normal(0, 0.08), -0.05 + rng.normal(0, 0.08))
    head = (0.2 + rng.normal(0, 0.08), -0.6 + rng.normal(0, 0.08))
    c.dome(oval(0, 0.85, 0.42, 0.14), colour, 0.1, gloss=0.5)
    for a, b in (((0, 0.8), elbow), (elbow, head)):
        c.stroke([a, b], 0.08, darker(colour, 0.8), height=0.15, gloss=0.5)
    x, y = head
    shade_ = [(x - 0.16, y - 0.2), (x + 0.14, y - 0.26), (x + 0.62, y + 0.22), (x - 0.12, y + 0.4)]
    c.dome(shrinking(shade_), colour, 0.3, gloss=0.6)
    c.slab(oval(x + 0.25, y + 0.32, 0.3, 0.1)(), (255, 245, 190), 0.2)


def envelope(c, rng):
    paper = shade(rng, pick(rng, (245, 240, 225), (215, 185, 140), any_colour(rng)), 0.06)
    tall = rng.uniform(0.55, 0.68)
    c.slab(box(-0.95, -tall, 0.95, tall), paper, 0.06)
    edge = darker(paper, 0.72)
    if rng.random() < 0.6:
        c.stroke([(-0.93, -tall), (0, 0.12), (0.93, -tall)], 0.035, edge)
        c.stroke([(-0.93, tall), (-0.2, 0.0)], 0.025, edge)
        c.stroke([(0.93, tall), (0.2, 0.0)], 0.025, edge)
        if rng.random() < 0.4:
            c.dome(oval(0, 0.1, 0.13), (180, 25, 35), 0.05, base=0.06, gloss=0.5)
    else:
        c.paint(box(0.55, -tall + 0.1, 0.85, -tall + 0.45), any_colour(rng))
        for i in range(3):
            c.stroke([(-0.3, -0.05 + 0.17 * i), (rng.uniform(0.2, 0.5), -0.05 + 0.17 * i)], 0.035, (70, 70, 90))


def laptop(c, rng):
    case = shade(rng, pick(rng, (180, 182, 188), (60, 60, 66), (225, 220, 215)), 0.08)
    c.slab([(-0.72, -0.85), (0.72, -0.85), (0.72, 0.15), (-0.72, 0.15)], case, 0.2)
    c.paint(box(-0.64, -0.77, 0.64, 0.07), shade(rng, pick(rng, (35, 50, 75), any_colour(rng))))
    for i in range(int(rng.integers(2, 5))):
        y = -0.62 + 0.16 * i
        c.stroke([(-0.5, y), (rng.uniform(-0.2, 0.5), y)], 0.05, (220, 230, 240))
    c.slab([(-0.72, 0.15), (0.72, 0.15), (0.95, 0.75), (-0.95, 0.75)], darker(case, 0.9), 0.1)
    for i in range(3):
        y, half = 0.26 + 0.12 * i, 0.64 + 0.05 * i
        c.stroke([(-half, y), (half, y)], 0.07, (40, 40, 45))
    c.paint([(-0.22, 0.6), (0.22, 0.6), (0.25, 0.72), (-0.25, 0.72)], darker(case, 0.75))


def photocopier(c, rng):
    case = shade(rng, pick(rng, (215, 215, 210), (190, 195, 200), (230, 225, 210)), 0.08)
    dark = darker(case, 0.75)
    c.slab(box(-0.72, -0.35, 0.62, 0.95), case, 0.4)
    for y in (0.3, 0.6):
        c.stroke([(-0.72, y), (0.62, y)], 0.03, dark)
        c.stroke([(-0.2, y + 0.14), (0.1, y + 0.14)], 0.05, darker(case, 0.5))
    c.paint(box(-0.6, -0.08, 0.5, 0.12), darker(case, 0.35))  # the slot, with a sheet in it
    c.slab([(-0.45, 0.02), (0.35, 0.02), (0.4, 0.14), (-0.5, 0.14)], (250, 250, 250), 0.45)
    lid = rng.uniform(0.0, 0.35)
    c.slab([(-0.76, -0.38), (0.62, -0.38), (0.62, -0.55 - lid), (-0.7, -0.55 - lid)], dark, 0.5)
    c.slab(box(-0.78, -0.45, 0.72, -0.3), darker(case, 1.08), 0.5)
    c.slab(box(0.3, -0.62, 0.75, -0.4), (60, 65, 75), 0.52)
    c.paint(box(0.36, -0.58, 0.55, -0.45), (90, 200, 220))
    c.dots([(0.66, -0.52)], 0.05, (70, 200, 80))
    if rng.random() < 0.6:
        c.slab([(0.62, 0.1), (0.98, 0.0), (0.98, 0.08), (0.62, 0.2)], darker(case, 0.85), 0.4)


def screwdriver(c, rng):
    colour = any_colour(rng)
    reach = rng.uniform(-0.1, 0.1)
    c.stroke([(reach, 0), (0.9, 0)], rng.uniform(0.07, 0.1), (170, 175, 180), height=0.1, gloss=0.9)
    c.slab([(0.85, -0.06), (1.0, -0.03), (1.0, 0.03), (0.85, 0.06)], (140, 145, 150), 0.1)
    grip = spine((reach + 0.98) / 2, x=(reach - 0.98) / 2)
    thick = rng.uniform(0.17, 0.23)
    c.dome(body(grip, thick, ends=6.0), colour, thick, gloss=0.6)
    for off in (-0.5, 0, 0.5):
        c.stroke(grip([-0.75, 0.6], off * thick), 0.04, darker(colour, 0.6))


def soccer_ball(c, rng):
    c.dome(oval(0, 0, 0.92, n=36), shade(rng, (240, 240, 240), 0.04), 0.85, gloss=0.35)
    dark = shade(rng, pick(rng, (30, 30, 35), (30, 30, 35), any_colour(rng)), 0.1)
    turn0, (x0, y0) = rng.uniform(0, 6.3), rng.normal(0, 0.12, 2)
    five = turn0 + np.arange(5) * 2 * np.pi / 5
    patch = np.stack([np.cos(five), np.sin(five)], 1)
    c.paint(patch * 0.28 + (x0, y0), dark)
    for turn in five:
        way = np.array([np.cos(turn), np.sin(turn)])
        c.stroke([way * 0.28 + (x0, y0), way * 0.6 + (x0, y0)], 0.035, dark)
        side = np.array([-way[1], way[0]])
        outer = [
            way * 0.56 + side * 0.02,
            way * 0.7 - side * 0.24,
            way * 0.88 - side * 0.16,
            way * 0.88 + side * 0.16,
            way * 0.7 + side * 0.24,
        ]
        c.paint(np.array(outer) + (x0 * 0.3, y0 * 0.3), dark)


def teapot(c, rng):
    colour = shade(rng, pick(rng, (235, 230, 220), any_colour(rng), any_colour(rng)), 0.1)
    ring = np.linspace(-1.5, 1.5, 14)
    handle = np.stack([-0.5 - 0.4 * np.cos(ring), 0.05 + 0.42 * np.sin(ring)], 1)
    c.stroke(handle, 0.13, darker(colour, 0.85), height=0.2, gloss=0.5)
    c.slab([(0.35, 0.35), (0.4, 0.0), (0.8, -0.45), (0.98, -0.4), (0.7, 0.2)], colour, 0.25, gloss=0.5)
    c.dome(oval(0, 0.15, 0.62, 0.55), colour, 0.55, gloss=0.7)
    if rng.random() < 0.4:
        c.dots(scatter(rng, 9, 0.45, 0.35, y=0.15), 0.06, any_colour(rng))
    c.dome(oval(0, -0.38, 0.35, 0.12), darker(colour, 0.9), 0.2, base=0.4, gloss=0.6)
    c.dome(oval(0, -0.55, 0.1), darker(colour, 0.8), 0.1, base=0.5, gloss=0.6)


def traffic_light(c, rng):
    case = shade(rng, pick(rng, (45, 48, 48), (215, 165, 30), (40, 70, 50)), 0.12)
    c.stroke([(0, 0.7), (0, 1.1)], 0.14, (110, 110, 110), height=0.1)
    c.dome(body(spine(0.35, y=-0.05), 0.85, ends=12.0), case, 0.1, base=0.2)
    lit = rng.integers(3)
    for i, colour in enumerate(((245, 50, 40), (250, 195, 40), (60, 215, 100))):
        glow = colour if i == lit else darker(colour, 0.35)
        c.dome(oval(0, -0.58 + 0.53 * i, 0.22), glow, 0.1, base=0.25, gloss=0.6)


def umbrella(c, rng):
    first = any_colour(rng)
    second = pick(rng, first, darker(first, 0.75), (240, 238, 230), any_colour(rng))
    c.stroke([(0, -0.2), (0, 0.75)], 0.05, (90, 70, 50), height=0.1)
    hook = np.linspace(0, np.pi, 8)
    c.stroke(np.stack([0.12 - 0.12 * np.cos(hook), 0.75 + 0.14 * np.sin(hook)], 1), 0.06, (90, 70, 50), height=0.1)
    turn = np.linspace(np.pi, 2 * np.pi, 22)
    rise = rng.uniform(0.75, 0.9)
    dome = np.stack([0.95 * np.cos(turn), 0.05 + rise * np.sin(turn)], 1)
    scallop = np.linspace(0.95, -0.95, 24)[1:-1]
    rim = np.stack([scallop, 0.05 - 0.09 * np.abs(np.sin(np.pi * 2.5 * scallop / 0.95))], 1)
    c.dome(shrinking(np.concatenate([dome, rim])), first, 0.5, gloss=0.3)
    edges = np.linspace(-0.95, 0.95, 6)
    for i in range(0, 5, 2):
        c.paint([(0, 0.05 - rise), (edges[i], 0.0), (edges[i + 1], 0.0)], second)
    c.stroke([(0, 0.05 - rise), (0, -rise - 0.06)], 0.05, (90, 70, 50))


def wall_clock(c, rng):
    rim = shade(rng, pick(rng, any_colour(rng), (70, 50, 35), (50, 50, 55)), 0.1)
    c.dome(oval(0, 0, 0.95, n=36), rim, 0.2, gloss=0.5)
    face = shade(rng, pick(rng, (250, 248, 240), (250, 248, 240), (235, 220, 180)), 0.04)
    c.slab(oval(0, 0, 0.78)(), face, 0.1)
    for turn in np.arange(12) * np.pi / 6:
        way = np.array([np.cos(turn), np.sin(turn)])
        c.stroke([way * 0.62, way * 0.72], 0.05, (40, 40, 45))
    for reach, width in ((0.4, 0.09), (0.62, 0.06)):
        turn = rng.uniform(0, 2 * np.pi)
        c.stroke([(0, 0), (reach * np.cos(turn), reach * np.sin(turn))], width, (25, 25, 30))
    c.dots([(0, 0)], 0.06, (180, 30, 30))


# --- what lies about on a table ---


def napkin(c, rng):
    paper = shade(rng, pick(rng, (245, 243, 238), any_colour(rng)), 0.05)
    c.slab(blob(rng, 0, 0, 0.9, 0.8, 0.05, n=5)(), paper, 0.03, grain=0.2)
    c.stroke([(-0.6, 0.1), (0.5, -0.2)], 0.03, darker(paper, 0.85))


def fork(c, rng):
    steel = shade(rng, (185, 188, 195), 0.08)
    c.stroke([(-1, 0), (0.4, 0)], 0.1, steel, height=0.08, gloss=0.9)
    for off in (-0.12, 0, 0.12):
        c.stroke([(0.4, 0), (0.55, off), (1.0, off)], 0.06, steel, height=0.08, gloss=0.9)


def sauce_bottle(c, rng):
    colour = shade(rng, pick(rng, KETCHUP, MUSTARD, (235, 235, 230)), 0.08)
    c.dome(body(spine(0.6, x=-0.2), 0.35, ends=6.0), colour, 0.35, gloss=0.6)
    c.dome(body(spine(0.3, x=0.6), 0.18, taper=0.8), darker(colour, 0.85), 0.2, gloss=0.5)
    c.paint(box(-0.55, -0.2, 0.1, 0.2), pick(rng, (250, 245, 230), any_colour(rng)))


def splash(c, rng):
    colour = shade(rng, pick(rng, KETCHUP, MUSTARD, LETTUCE, ONION), 0.1)
    c.dome(blob(rng, 0, 0, 0.5, wobble=0.2), colour, 0.15, gloss=0.5)
    c.dots(scatter(rng, 5, 0.9), 0.08, colour, height=0.05)


def cup_from_above(c, rng):
    colour = shade(rng, pick(rng, (240, 240, 235), any_colour(rng)), 0.08)
    c.dome(oval(0, 0, 0.8), colour, 0.5)
    c.slab(oval(0, 0, 0.66)(), shade(rng, pick(rng, (70, 35, 20), (230, 150, 40), (200, 60, 60))), 0.3, gloss=0.6)


def loose_fries(c, rng):
    for _ in range(int(rng.integers(3, 8))):
        x, y, turn = *rng.uniform(-0.5, 0.5, 2), rng.uniform(0, np.pi)
        way = 0.45 * np.array([np.cos(turn), np.sin(turn)])
        c.stroke([(x, y) - way, (x, y) + way], 0.16, shade(rng, (245, 205, 100), 0.1), height=0.15)


SOURCE = {
    "bagel": bagel,
    "banana": banana,
    "beer bottle": beer_bottle,
    "broccoli": broccoli,
    "burrito": burrito,
    "carrot": carrot,
    "cheeseburger": cheeseburger,
    "coffee mug": coffee_mug,
    "corn": corn,
    "croissant": croissant,
    "cucumber": cucumber,
    "desk lamp": desk_lamp,
    "doughnut": doughnut,
    "envelope": envelope,
    "french loaf": french_loaf,
    "granny smith": granny_smith,
    "hotdog": hotdog,
    "ice cream": ice_cream,
    "laptop": laptop,
    "lemon": lemon,
    "mushroom": mushroom,
    "orange": orange,
    "photocopier": photocopier,
    "pineapple": pineapple,
    "pizza": pizza,
    "pretzel": pretzel,
    "screwdriver": screwdriver,
    "soccer ball": soccer_ball,
    "strawberry": strawberry,
    "teapot": teapot,
    "traffic light": traffic_light,
    "umbrella": umbrella,
    "wall clock": wall_clock,
}

# How often each is drawn among the 'not-hotdog' pictures. Half are round or upright and a fresh look tells them from
# a hot dog; half are long, or bread, or sausage, and do not make it so easy.
TARGET_FOODS = {
    broccoli: 3, doughnut: 3, granny_smith: 3, ice_cream: 3, pineapple: 3, lemon: 2, mushroom: 2, orange: 1,
    strawberry: 1, fries: 2, taco: 2, kebab: 2, pretzel: 1, pizza: 1, bagel: 1, cheeseburger: 2,
    banana: 1, burrito: 1, carrot: 1, corn: 1, croissant: 1, cucumber: 1, eclair: 1, french_loaf: 1,
    sausage: 2, submarine: 2,
}  # fmt: skip

CLUTTER = [napkin, fork, sauce_bottle, splash, cup_from_above, loose_fries]

# These stand upright; everything else may lie at any angle.
UPRIGHT = {
    beer_bottle,
    broccoli,
    cheeseburger,
    coffee_mug,
    desk_lamp,
    fries,
    granny_smith,
    ice_cream,
    laptop,
    mushroom,
    photocopier,
    pineapple,
    strawberry,
    taco,
    teapot,
    traffic_light,
    umbrella,
    wall_clock,
}
