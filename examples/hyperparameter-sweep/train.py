"""Fits a small neural network to two spirals by gradient descent, with Python alone.

Writes results/metrics.json and results/loss.svg.
"""

from __future__ import annotations

import argparse
import json
import math
import operator
import random
from pathlib import Path

Vector = list[float]


def two_spirals(points: int, noise: float, rng: random.Random) -> list[tuple[Vector, float]]:
    """Return points on two arms that wind around each other, labelled 0 and 1."""
    found = []
    for number in range(points):
        label = float(number % 2)
        turn = 0.5 + 2.5 * (number / points)
        angle = turn * 2.2 + math.pi * label
        x = turn * math.cos(angle) + rng.gauss(0, noise)
        y = turn * math.sin(angle) + rng.gauss(0, noise)
        found.append(([x / 3, y / 3, (x * x + y * y) / 9], label))
    return found


class Network:
    """One hidden layer of tanh, one logistic output."""

    def __init__(self, inputs: int, hidden: int, rng: random.Random) -> None:
        self.w1 = [[rng.gauss(0, 1.2) for _ in range(inputs + 1)] for _ in range(hidden)]
        self.w2 = [rng.gauss(0, 1 / math.sqrt(hidden)) for _ in range(hidden + 1)]

    def forward(self, x: Vector) -> tuple[Vector, float]:
        """Return the hidden layer's values and the probability of label 1."""
        hidden = [math.tanh(w[-1] + sum(map(operator.mul, w, x))) for w in self.w1]
        total = self.w2[-1] + sum(map(operator.mul, self.w2, hidden))
        return hidden, 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))

    def step(self, x: Vector, label: float, rate: float) -> float:
        """Learn from one point and return the loss before."""
        hidden, chance = self.forward(x)
        error = chance - label
        for unit, value in enumerate(hidden):
            slope = error * self.w2[unit] * (1 - value * value)
            weights = self.w1[unit]
            for index, item in enumerate(x):
                weights[index] -= rate * slope * item
            weights[-1] -= rate * slope
            self.w2[unit] -= rate * error * value
        self.w2[-1] -= rate * error
        return -math.log(max(chance if label else 1 - chance, 1e-12))


def loss_plot(losses: Vector) -> str:
    """Return a plot of the loss over the epochs, as SVG."""
    most = max(losses)
    points = " ".join(
        f"{40 + 540 * i / max(len(losses) - 1, 1):.1f},{260 - 230 * value / most:.1f}"
        for i, value in enumerate(losses)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 300" font-family="sans-serif">'
        '<rect width="600" height="300" fill="white"/>'
        '<path d="M40 20V260H590" fill="none" stroke="gray"/>'
        f'<polyline points="{points}" fill="none" stroke="steelblue" stroke-width="2"/>'
        f'<text x="44" y="20" font-size="12">loss (first {losses[0]:.3f}, '
        f"last {losses[-1]:.3f})</text>"
        f'<text x="540" y="280" font-size="12">{len(losses)} epochs</text></svg>\n'
    )


def main() -> None:
    """Train, measure on points not seen in training, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, default=0.05, help="learning rate")
    parser.add_argument("--hidden", type=int, default=12, help="hidden units")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311 - the same numbers again are wanted
    points = two_spirals(240, 0.05, rng)
    rng.shuffle(points)
    training, test = points[:180], points[180:]
    network = Network(3, options.hidden, rng)
    losses = []
    for epoch in range(options.epochs):
        rng.shuffle(training)
        losses.append(sum(network.step(x, y, options.lr) for x, y in training) / len(training))
        if epoch % 25 == 0:
            print(f"epoch {epoch}: loss {losses[-1]:.4f}", flush=True)
    right = sum((network.forward(x)[1] > 0.5) == bool(y) for x, y in test)
    metrics = {**vars(options), "loss": losses[-1], "accuracy": right / len(test)}
    results = Path("results")
    results.mkdir(exist_ok=True)
    (results / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    (results / "loss.svg").write_text(loss_plot(losses), encoding="utf-8")
    print(f"accuracy {metrics['accuracy']:.3f}")


if __name__ == "__main__":
    main()
