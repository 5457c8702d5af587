"""Foods that nobody takes for a hot dog: round, flat or upright ones. Each is `thing(c, rng)`, see catalogue.py."""

import numpy as np

from shared.images.mini.canvas import blob, body, box, oval, shrinking, spine
from shared.images.mini.materials import (
    CHEESE,
    CHOCOLATE,
    CRUST,
    DOUGH,
    LETTUCE,
    TOMATO,
    any_colour,
    darker,
    frill,
    pick,
    scatter,
    shade,
)


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
