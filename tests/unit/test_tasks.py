"""tools/tasks.py: how long searches take of which some are cut off, against an example by hand and against searches whose times are known."""
import os
import sys

import numpy as np

from engram_test import run_tests

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
from tasks import first_and_later, median, restricted_mean, survival, survival_alike  # noqa: E402


def test_by_hand(bench):
    """Ends after 1, 3, 3 and 5 moves; cut off after 2 and 4. Of 6, 5, 4, 4, 2, 1 that are watched 1, 0, 2, 0, 1 end."""
    moves, reached = np.array([1, 2, 3, 3, 4, 5]), np.array([1, 0, 1, 1, 0, 1])
    curve = survival(moves, reached, 5)
    assert np.allclose(curve, [1, 5 / 6, 5 / 6, 5 / 12, 5 / 12, 0], atol=1e-15), curve
    assert median(curve) == 3 and np.isclose(restricted_mean(curve, 3), 1 + 5 / 6 + 5 / 6)
    assert np.isnan(median(survival([4, 4, 9], [1, 0, 0], 9))) and np.isnan(survival([2, 3], [1, 0], 5)[4]), "nothing is known behind the last one watched"
    assert median(survival([4, 4, 9], [1, 1, 0], 9)) == 4


def test_cut_off(bench):
    """A search ends with each move with probability p: half of them have after log(1/2)/log(1 - p). Those that were seen to end are shorter."""
    draw, p = np.random.default_rng(1), 0.02
    needed, watched = draw.geometric(p, 20000), draw.integers(1, 81, 20000)
    moves, reached = np.minimum(needed, watched), needed <= watched
    curve, half = survival(moves, reached, 80), np.log(0.5) / np.log(1 - p)
    assert abs(median(curve) - half) < 2.5 and np.abs(curve[:60] - (1 - p) ** np.arange(60)).max() < 0.02, median(curve)
    assert np.median(moves[reached]) < 0.7 * half and np.median(moves) < 0.8 * half, "the example has nothing to correct"


def episodes(sooner):
    """Of 100 moves, with two kinds of goals. @param sooner by which factor later searches end sooner @return of each search: episode, kind of goal, is it a later one, moves, reached"""
    draw, rows = np.random.default_rng(2), []
    for episode in range(3000):
        at = 0
        while at < 100:
            needed = draw.geometric((0.03, 0.008)[episode % 2] * (sooner if at else 1))
            rows.append((episode, episode % 2, at > 0, min(needed, 100 - at), needed <= 100 - at))
            at += needed
    return np.array(rows).T


def test_alike(bench):
    """Episodes of an agent that learns nothing, with goals that are easy or hard to find: later searches seem shorter, since they are of easy goals; of goals alike they are as long."""
    _, kind, later, moves, reached = episodes(1)
    first, second = (survival(moves[later == which], reached[later == which], 100) for which in (0, 1))
    assert median(second) < 0.75 * median(first), (median(first), median(second))
    first, second = (survival_alike(moves[later == which], reached[later == which], kind[later == which], [0.5, 0.5], 80) for which in (0, 1))
    assert abs(restricted_mean(second, 60) / restricted_mean(first, 60) - 1) < 0.05 and abs(median(second) / median(first) - 1) < 0.12, (median(first), median(second))


def test_exchanged(bench):
    """Searches of an episode that ended: as long in the mean if nothing is kept, although goals differ and the end cuts searches off; shorter if something is."""
    first, later = first_and_later(np.array([0, 0, 0, 1, 1, 2, 3, 3]), np.array([5, 2, 4, 7, 9, 20, 6, 1]), np.array([1, 1, 1, 1, 0, 0, 1, 1], bool))
    assert (first == [5, 6]).all() and (later == [3, 1]).all(), (first, later)
    for sooner, least, most in ((1, 0.94, 1.06), (3, 0, 0.75)):
        episode, _, _, moves, reached = episodes(sooner)
        first, later = first_and_later(episode, moves, reached == 1)
        assert len(first) > 1000 and least < later.mean() / first.mean() < most, (sooner, later.mean() / first.mean())


run_tests([test_by_hand, test_cut_off, test_alike, test_exchanged])
