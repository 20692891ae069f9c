"""Frames that stand in for speech, which is licensed, and what linear readouts make of them.

    tools/frames.py FILE SEED...     a group SEED each: features, labels (400 utterances of 100 frames), test_features, test_labels (200); 12 classes, 16 features

Attribute past_K of a group: part of the test frames that a linear softmax reads right that sees K frames before, too (trained by gradient descent).

A hidden semi-Markov process: means of classes mu_c ~ N(0, 0.55^2), rows of transitions ~ Dirichlet(0.35) without staying, durations uniform in 4 .. 12 frames;
co-articulation m_f = 0.6 m_(f-1) + 0.4 mu_c, feature = m_f + N(0, 1)."""
import sys

import h5py
import numpy as np

from endings import end_with, whole

__all__ = ["PAST", "write"]
CLASSES, FEATURES, FRAMES, TRAIN, TEST = 12, 16, 100, 400, 200
SPREAD, CONCENTRATION, SHORTEST, LONGEST, KEPT = 0.55, 0.35, 4, 12, 0.6
PAST = (0, 3, 8)


def utterance(draw, means, rows):
    labels, state = [], draw.integers(CLASSES)
    while len(labels) < FRAMES:
        labels += [state] * int(draw.integers(SHORTEST, LONGEST + 1))
        state = draw.choice(CLASSES, p=rows[state])
    labels, mean, features = np.array(labels[:FRAMES]), means[labels[0]], []
    for label in labels:
        mean = KEPT * mean + (1 - KEPT) * means[label]
        features.append(mean + draw.normal(size=FEATURES))
    return np.array(features, np.float32), labels


def write(group, seed):
    draw = np.random.default_rng(seed)
    means = draw.normal(0, SPREAD, (CLASSES, FEATURES))
    rows = draw.dirichlet([CONCENTRATION] * CLASSES, CLASSES)
    np.fill_diagonal(rows, 0)
    rows /= rows.sum(1, keepdims=True)
    for prefix, count in (("", TRAIN), ("test_", TEST)):
        features, labels = zip(*(utterance(draw, means, rows) for _ in range(count)))
        group[f"{prefix}features"], group[f"{prefix}labels"] = np.array(features), np.array(labels, np.int32)
    for past in PAST:
        group.attrs[f"past_{past}"] = baseline(group, past)


def with_past(features, past):
    """Each frame beside the frames before it, zeros before the first. @return [utterance frame][column]"""
    padded = np.pad(features, ((0, 0), (past, 0), (0, 0)))
    frames = features.shape[1]
    columns = [padded[:, past - k:past - k + frames] for k in range(past + 1)]
    return np.concatenate(columns + [np.ones_like(features[:, :, :1])], 2).reshape(-1, features.shape[2] * (past + 1) + 1)


def fit(x, labels, classes, steps=120, cost=1e-4):
    """A linear softmax by gradient descent with momentum on whitened columns."""
    scale = x.std(0)
    scale[scale == 0] = 1
    x, wanted, weights = x / scale, np.eye(classes, dtype=x.dtype)[labels], np.zeros((x.shape[1], classes), x.dtype)
    speed = np.zeros_like(weights)
    for _ in range(steps):
        said = x @ weights
        said = np.exp(said - said.max(1, keepdims=True))
        slope = x.T @ (said / said.sum(1, keepdims=True) - wanted) / len(x) + cost * weights
        speed = 0.9 * speed - 0.5 * slope
        weights += speed
    return weights / scale[:, None]


def baseline(group, past):
    train, labels, test, wanted = (group[name][:] for name in ("features", "labels", "test_features", "test_labels"))
    weights = fit(with_past(train, past), labels.ravel(), CLASSES)
    return float(((with_past(test, past) @ weights).argmax(1) == wanted.ravel()).mean())


def make(path, *seeds):
    with whole(path) as part, h5py.File(part, "w") as file:  # members of an array may do the same at a time
        for seed in seeds:
            write(file.create_group(seed), int(seed))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(print("usage: tools/frames.py FILE SEED...", file=sys.stderr) or 2)
    end_with("frames.py", make, *sys.argv[1:])
