"""Things that are no food, and what lies about on a table. Each is `thing(c, rng)`, see catalogue.py."""

import numpy as np

from shared.images.mini.canvas import blob, body, box, oval, shrinking, spine
from shared.images.mini.materials import (
    KETCHUP,
    LETTUCE,
    MUSTARD,
    ONION,
    any_colour,
    darker,
    pick,
    scatter,
    shade,
)


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
