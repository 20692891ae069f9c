"""Functions of src/tasks/function_family.c, and what ways to learn them that are no networks make of an episode's examples.

    baselines("networks", 30)["ridge so far"]     [example] mean squared error over episodes, as the job's network is judged
"""
import numpy as np

__all__ = ["baselines"]
SLOPE, HIDDEN, SMALLEST, RIDGE = 5, 10, 0.2, 1e-3


def sigmoid(x):
    return 1 / (1 + np.exp(-SLOPE * x))


def episode(family, draw, examples):
    """Arguments [example][argument] and values of a function."""
    if family == "sines":
        x = draw.uniform(-1, 1, (examples, 1))
        return x, (1 + draw.uniform(SMALLEST, 1) * np.sin(np.pi * x[:, 0] + draw.uniform(0, 2 * np.pi))) / 2
    x, into, bias, out = draw.uniform(-1, 1, (examples, 2)), draw.uniform(-1, 1, (2, HIDDEN)), draw.uniform(-1, 1, HIDDEN), draw.uniform(-1, 1, HIDDEN)
    return x, sigmoid(sigmoid(x @ into + bias) @ out + draw.uniform(-1, 1))


def baselines(family, examples, episodes=200):
    """One half; the mean of the values so far; the linear function that fits the whole episode best; ridge regression on the examples so far."""
    draw = np.random.default_rng(1)
    errors = {name: np.zeros((episodes, examples)) for name in ("one half", "mean so far", "best linear", "ridge so far")}
    for n in range(episodes):
        x, y = episode(family, draw, examples)
        columns = np.c_[x, np.ones(examples)]
        errors["one half"][n] = (y - 0.5) ** 2
        errors["mean so far"][n] = (y - np.concatenate([[0.5], np.cumsum(y)[:-1] / np.arange(1, examples)])) ** 2
        errors["best linear"][n] = (y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]) ** 2
        square, product = RIDGE * np.eye(columns.shape[1]), np.zeros(columns.shape[1])
        for k in range(examples):
            errors["ridge so far"][n, k] = (y[k] - 0.5 - columns[k] @ np.linalg.solve(square, product)) ** 2
            square, product = square + np.outer(columns[k], columns[k]), product + columns[k] * (y[k] - 0.5)
    return {name: values.mean(0) for name, values in errors.items()}
