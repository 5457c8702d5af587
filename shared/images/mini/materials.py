"""What several drawings share: colours, chance, and lines and points to put on a thing."""

import numpy as np

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
