"""Processes with several sets of hyperparameters, asked as one: a column for each world of each set."""

from dataclasses import dataclass

import numpy as np

from trialflow.optimizer.gp import GaussianProcess

Array = np.ndarray


@dataclass(frozen=True)
class Ensemble:
    """Processes over the same points, all as likely to be the right one and each with as many worlds: c columns, member by member."""

    members: tuple[GaussianProcess, ...]

    @property
    def worlds(self) -> int:
        """The columns of each member."""
        return self.members[0].y.shape[1]

    def known(self, width: int) -> Array:
        """The means (n, c) at the members' own points, without coordinates beyond `width`."""
        first = self.members[0].x
        if first.shape[1] > width:
            return self.predict(first[:, :width])[0]
        return np.concatenate([one.means for one in self.members], axis=1)

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Means and standard deviations of the noise-free values at `points` (m, width): (m, c) each."""
        means, deviations = zip(*(one.predict(points) for one in self.members), strict=True)
        return np.concatenate(means, axis=1), np.stack(deviations, axis=1).repeat(self.worlds, axis=1)

    def slopes(self, points: Array) -> tuple[Array, Array, Array, Array]:
        """At `points` (m, width): means and standard deviations, (m, c) each, and their gradients, (m, width, c) each."""
        means, deviations, mean_slopes, deviation_slopes = zip(*(one.slopes(points) for one in self.members), strict=True)
        return (
            np.concatenate(means, axis=1),
            np.stack(deviations, axis=1).repeat(self.worlds, axis=1),
            np.concatenate(mean_slopes, axis=2),
            np.stack(deviation_slopes, axis=2).repeat(self.worlds, axis=2),
        )
