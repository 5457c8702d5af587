"""What can be drawn, by name and by set.

A thing is one function `thing(c, rng)` that draws on a `Canvas` c. It stays within about one unit of the origin and takes
all of its variety (proportions, colours, toppings) from the np.random.Generator it is given.
"""

from shared.images.mini.long_food import (
    banana,
    burrito,
    carrot,
    corn,
    croissant,
    cucumber,
    eclair,
    french_loaf,
    hotdog,
    kebab,
    sausage,
    submarine,
)
from shared.images.mini.other_food import (
    bagel,
    broccoli,
    cheeseburger,
    doughnut,
    fries,
    granny_smith,
    ice_cream,
    lemon,
    mushroom,
    orange,
    pineapple,
    pizza,
    pretzel,
    strawberry,
    taco,
)
from shared.images.mini.things import (
    beer_bottle,
    coffee_mug,
    cup_from_above,
    desk_lamp,
    envelope,
    fork,
    laptop,
    loose_fries,
    napkin,
    photocopier,
    sauce_bottle,
    screwdriver,
    soccer_ball,
    splash,
    teapot,
    traffic_light,
    umbrella,
    wall_clock,
)

# The classes of the source set: "beer bottle" is drawn by beer_bottle.
SOURCE = {
    thing.__name__.replace("_", " "): thing
    for thing in (
        bagel, banana, beer_bottle, broccoli, burrito, carrot, cheeseburger, coffee_mug, corn,
        croissant, cucumber, desk_lamp, doughnut, envelope, french_loaf, granny_smith, hotdog,
        ice_cream, laptop, lemon, mushroom, orange, photocopier, pineapple, pizza, pretzel, screwdriver,
        soccer_ball, strawberry, teapot, traffic_light, umbrella, wall_clock,
    )
}  # fmt: skip

# How often each is drawn among the 'not-hotdog' pictures. Half are round or upright and a fresh look tells them from
# a hot dog; half are long, or bread, or sausage, and do not make it so easy.
TARGET_FOODS = {
    broccoli: 3, doughnut: 3, granny_smith: 3, ice_cream: 3, pineapple: 3, lemon: 2, mushroom: 2, orange: 1,
    strawberry: 1, fries: 2, taco: 2, kebab: 2, pretzel: 1, pizza: 1, bagel: 1, cheeseburger: 2,
    banana: 1, burrito: 1, carrot: 1, corn: 1, croissant: 1, cucumber: 1, eclair: 1, french_loaf: 1,
    sausage: 2, submarine: 2,
}  # fmt: skip

# What may lie beside either.
CLUTTER = [napkin, fork, sauce_bottle, splash, cup_from_above, loose_fries]

# These stand upright; everything else may lie at any angle.
UPRIGHT = {
    beer_bottle, broccoli, cheeseburger, coffee_mug, desk_lamp, fries, granny_smith, ice_cream,
    laptop, mushroom, photocopier, pineapple, strawberry, taco, teapot, traffic_light, umbrella,
    wall_clock,
}  # fmt: skip
