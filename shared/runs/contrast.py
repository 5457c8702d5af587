"""Colours that can be read: how light they are, and how far apart two of them, as WCAG 2 counts it."""

import numpy as np


def readable(colour: str, background: str, least: float = 4.0) -> str:
    """`colour` (#rrggbb) moved away from `background` until their contrast is `least` to 1 (WCAG 2 asks for 3)."""
    rgb, target = rgb_of(colour), 0.0 if luminance(rgb_of(background)) > 0.5 else 1.0
    for _ in range(50):
        lighter, darker = sorted((luminance(rgb), luminance(rgb_of(background))), reverse=True)
        if (lighter + 0.05) / (darker + 0.05) >= least:
            break
        rgb = rgb + (target - rgb) * 0.06
    return "#" + "".join(f"{round(255 * value):02x}" for value in rgb)


def rgb_of(colour: str) -> np.ndarray:
    """Red, green and blue of `colour` (#rrggbb), each from 0 to 1."""
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def luminance(rgb: np.ndarray) -> float:
    """How light `rgb` is, from 0 (black) to 1 (white)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
