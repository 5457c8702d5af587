"""The exercises by number. What an exercise is made of: report.py."""

from shared.exercises import adapting, freezing, hotdog_row, rates, strategy, tuning

EXERCISES = {1: rates, 2: tuning, 3: freezing, 4: hotdog_row, 5: strategy, 6: adapting}
