"""The rungs in their order, each with the checks that a planted fault has to get past. The checks themselves stand in rungs/.

The green tests (test_parity_ladder_*.py) climb them with wider networks, more sizes and more steps than here.
"""

from dataclasses import dataclass

from shared.experiments import STRATEGIES
from shared.images.splits import Dataset

from .rungs import r01_pixels as pixels
from .rungs import r01_random_views as random_views
from .rungs import r01_shared_draws as shared_draws
from .rungs import r02_tensors as tensors
from .rungs import r03_activations as activations
from .rungs import r04_loss as loss
from .rungs import r05_class_activation as class_activation
from .rungs import r05_gradients as gradients
from .rungs import r06_effective_rates as effective_rates
from .rungs import r07_one_step as one_step
from .rungs import r08_trajectory as trajectory
from .rungs import r09_adaptation as adaptation
from .rungs import r09_batch_norm as batch_norm
from .rungs import r10_frozen as frozen
from .rungs import r11_row_reuse as row_reuse
from .rungs import r14_devices as devices
from .rungs import r15_strategies as strategies
from .scene import Scene

# Strategies whose training is that of `finetune` once the images, or the weights of the classes, are given.
SAME = ("mixup", "cutmix", "augmented", "balanced")


@dataclass(frozen=True)
class Climb:
    """What is climbed with. kinds, solid, coded: datasets of pictures.kinds_of_files, solid_colours and position_coded_files.

    names: experiments of rungs 6 to 8. draws, steps: of the random views and the trajectory, fewer than in the green tests.
    """

    scene: Scene
    kinds: Dataset
    solid: Dataset
    coded: Dataset
    names: tuple[str, ...] = ("finetune",)
    draws: int = 200
    steps: int = 8

    def checks(self) -> dict:
        """{rung: its checks, functions without arguments}, in order."""
        scene, kinds, names = self.scene, self.kinds, self.names
        return {
            1: [
                lambda: pixels.check_decoding(kinds),
                lambda: pixels.check_epochs(self.solid, scene.size),
                lambda: pixels.check_normalisation(kinds, scene.size),
                lambda: pixels.check_normalisation(kinds, 48),  # from 55 pixels to 48: the centre lies between two
                lambda: pixels.check_resize(kinds, scene.size),
                lambda: pixels.check_image_batch(kinds, scene.size),
                lambda: random_views.check_augmentation(self.draws),
                lambda: random_views.check_views(scene.size),
                lambda: shared_draws.check_order(self.solid, scene.size),
                lambda: shared_draws.check_regions(self.coded, scene.size),
                lambda: shared_draws.check_pixels(kinds, scene.size),
                lambda: shared_draws.check_independence(kinds, scene.size),
                lambda: shared_draws.check_own_draws(kinds, scene.size),
            ],
            2: [
                lambda: tensors.check_carrying(scene.source),
                lambda: tensors.check_new_tensors(scene.source),
                lambda: tensors.check_independence(scene),
                lambda: tensors.check_shared_start(scene),
            ],
            3: [
                lambda: activations.check_blocks(scene, "float64", training=False),
                lambda: activations.check_blocks(scene, "float64", training=True),
                lambda: activations.check_predictions(scene),
                lambda: activations.check_features(scene),
            ],
            4: [
                lambda: loss.check_loss(scene),
                lambda: loss.check_balanced_loss(scene),
                lambda: loss.check_reported_accuracies(scene, "frozen", steps=2, must_fall=False),
                lambda: loss.check_reported_accuracies(scene, must_fall=False),
            ],
            5: [lambda: gradients.check_gradients(scene), lambda: class_activation.check_maps(scene)],
            6: [lambda name=name: effective_rates.check_effective_rates(scene, name) for name in names],
            7: [
                *(lambda name=name: one_step.check_one_step(scene, name) for name in names),
                lambda: one_step.check_balanced_step(scene),
            ],
            8: [lambda name=name: trajectory.check_trajectory(scene, name, self.steps) for name in names],
            9: [
                lambda: batch_norm.check_batch_norm(scene),
                lambda: batch_norm.check_when_statistics_move(scene),
                lambda: adaptation.check_tent(scene),
                lambda: adaptation.check_batch_statistics(scene),
            ],
            10: [lambda: frozen.check_frozen(scene), lambda: frozen.check_locked(scene)],
            11: [lambda: row_reuse.check_row_reuse(scene)],
            14: [lambda: devices.check_devices(scene, 2), lambda: devices.check_devices(scene, 3)],
            15: [
                *(lambda name=name: strategies.check_steps(scene, name) for name in strategies.STEPPED),
                *(lambda name=name: strategies.check_lockstep(scene, name) for name in STRATEGIES if name not in SAME),
                lambda: strategies.check_mixed(scene, "mixup"),
                lambda: strategies.check_clipped_step(scene),
                lambda: strategies.check_smoothed_loss(scene),
                lambda: strategies.check_unlocked(scene),
                lambda: strategies.check_undone(scene),
            ],
        }

    def climb(self, first=1, last=15):
        """Climb the rungs `first` to `last`; raises shared.parity.tensors.Mismatch at the first check that does not hold.

        Rungs 12 and 13 are not for planted faults.
        """
        for rung, checks in self.checks().items():
            if first <= rung <= last:
                for check in checks:
                    check()
