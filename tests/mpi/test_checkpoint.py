"""What is in a checkpoint: every dataset by name, type and shape, as programs of other revisions write and read them (format 2); and what the main ones mean.

A dataset that is renamed, added or shaped anew makes checkpoints that other revisions do not read: then checkpoint.c needs a new format, which reads the old one too.
"""
import os

import h5py
import numpy as np
from engram_test import edges, read, run_tests

SMALL = """
simulation: {dt: 1 ms, seed: 3, reset: RESET}
network: {NETWORK}
stimulus: {start: 10 ms, stop: 50 ms}
output: {spikes: none, report: [], edges: plastic}
checkpoint: {every_loops: 1}
"""
ATTRIBUTES = {"build", "checkpoint_format", "configuration", "identity", "inputs", "loop", "loops", "magic", "metrics_digest", "revision", "seconds", "spikes", "spikes_digest", "version"}

# Leaky neurons that go on from loop to loop: groups of 4 of 40 neurons share P (double), feed-forward units, time constants of their own, two tasks.
CARRIED = SMALL.replace("RESET", "never").replace("NETWORK", "neurons: 40, in_degree: 5, external_drive: 0.6") + """
neuron: {model: lif}
feedforward: {units: 6, rate: 50 Hz, weight: 0.3}
plastic: {excitatory_in_degree: 4, inhibitory_in_degree: 5, group_size: 4, tau_range: [20, 60]}
targets: {kind: ou, duration: 100 ms, tasks: 2}
learning: {loops: 3, every: 5 ms, precision: double}
"""
CARRIED_ARRAYS = {
    "measured/drive/0": ("f8", (20, 40)), "measured/drive/1": ("f8", (20, 40)), "plastic/weight": ("f8", (600,)), "rls/p": ("f8", (1200,)),
    "state/drive/excitatory_count": ("u2", (40,)), "state/drive/fixed": ("f8", (40,)), "state/drive/from_both": ("f8", (40,)), "state/drive/inhibitory_count": ("u2", (40,)),
    "state/drive/plastic_arriving": ("f8", (40,)), "state/drive/plastic_sum": ("f8", (40,)), "state/drive/total": ("f8", (40,)), "state/filter/arrived": ("f8", (46,)),
    "state/filter/interval_decay": ("f8", (1,)), "state/filter/r": ("f8", (46,)), "state/filter/touched": ("i4", (46,)), "state/filter/touched_count": ("i4", (1,)),
    "state/neurons/since_spike": ("i4", (40,)), "state/neurons/v": ("f8", (40,)), "state/trial/filter_age": ("i8", (1,)), "state/trial/spike_count": ("i4", (1,)),
    "state/trial/spikes": ("i4", (46,)),
}

# Theta neurons in the readout form, whose weights keep their signs: a P each, and who is frozen.
SIGNS = SMALL.replace("RESET", "never").replace("NETWORK", "kind: random, neurons: 20, wiring: in_degree, probability: 0.25, weights: dale, strength: 3, bias: 0.3") + """
neuron: {model: theta}
plastic: {kind: existing}
targets: {kind: sines, duration: 100 ms}
learning: {loops: 3, every: 5 ms, keep_signs: true, lambda: 0.1, mu: 0}
"""
SIGNS_ARRAYS = {
    "measured/drive/0": ("f8", (20, 20)), "plastic/weight": ("f4", (120,)), "rls/frozen": ("u1", (120,)), "rls/p": ("f4", (420,)), "state/drive/arriving_excitatory": ("f8", (20,)),
    "state/drive/arriving_inhibitory": ("f8", (20,)), "state/drive/fixed": ("f8", (20,)), "state/drive/from_both": ("f8", (20,)), "state/drive/learned": ("f8", (20,)),
    "state/drive/plastic_arriving": ("f8", (20,)), "state/drive/plastic_sum": ("f8", (20,)), "state/drive/total": ("f8", (20,)), "state/filter/arrived": ("f8", (20,)),
    "state/filter/interval_decay": ("f8", (1,)), "state/filter/r": ("f8", (20,)), "state/filter/touched": ("i4", (20,)), "state/filter/touched_count": ("i4", (1,)),
    "state/neurons/since_spike": ("i4", (20,)), "state/neurons/theta": ("f8", (20,)), "state/trial/filter_age": ("i8", (1,)), "state/trial/spike_count": ("i4", (1,)),
    "state/trial/spikes": ("i4", (20,)),
}

# Every loop afresh, P over all ranks.
DIVIDED = SMALL.replace("RESET", "every_loop").replace("NETWORK", "neurons: 40, in_degree: 5, external_drive: 0.6") + """
neuron: {model: lif}
plastic: {excitatory_in_degree: 4, inhibitory_in_degree: 5, group_size: 16}
targets: {kind: ou, duration: 100 ms}
learning: {loops: 2, every: 5 ms, store: distributed}
"""
DIVIDED_ARRAYS = {"measured/drive/0": ("f8", (20, 40)), "plastic/weight": ("f4", (360,)), "rls/group/0": ("f4", (45,)), "rls/group/1": ("f4", (45,)), "rls/group/2": ("f4", (45,))}


def checkpoint_of(out):
    names = [name for name in os.listdir(os.path.join(out, "checkpoint")) if name.startswith("loop-")]
    return os.path.join(out, "checkpoint", max(names))


def check(bench, name, text, wanted):
    out = bench.train(bench.config(name + ".yaml", text), name, 2)
    with h5py.File(checkpoint_of(out)) as file:
        found = {}
        file.visititems(lambda path, thing: found.update({path: (thing.dtype.str[1:], thing.shape)}) if isinstance(thing, h5py.Dataset) else None)
        attributes = set(file.attrs)
        weights, measured = file["plastic/weight"][:], file["measured/drive/0"][:]
    assert found == wanted, f"{name}: " + str({path: (found.get(path), wanted.get(path)) for path in found.keys() | wanted.keys() if found.get(path) != wanted.get(path)})
    assert attributes == ATTRIBUTES, attributes ^ ATTRIBUTES
    by_target = []  # row by row, the sources of a row in order: recurrent ones, then feed-forward ones
    for population, offset in (("plastic", 0), ("feedforward", 1 << 20)):
        if population == "plastic" or "feedforward:" in text:
            source, target, weight, _ = edges(out, population)
            by_target.append(np.stack([target, source + offset, weight]))
    all_edges = np.concatenate(by_target, axis=1)
    assert np.array_equal(all_edges[2][np.lexsort((all_edges[1], all_edges[0]))], weights), f"{name}: the weights are not those of edges.h5, row by row"
    assert np.array_equal(read(out, "targets.h5", "targets/0/drive"), measured), f"{name}: the averages are not those of targets.h5"
    return out


def test_carried(bench):
    out = check(bench, "carried", CARRIED, CARRIED_ARRAYS)
    with h5py.File(checkpoint_of(out)) as file:
        p = file["rls/p"][:].reshape(-1, 15 * 16 // 2)  # upper triangles, row by row
    diagonal = np.cumsum([0] + list(range(15, 1, -1)))
    assert np.all(p[:, diagonal] > 0) and len(np.unique(p[:, 0])) > 1, "no triangles of positive definite matrices"


def test_signs(bench):
    out = check(bench, "signs", SIGNS, SIGNS_ARRAYS)
    with h5py.File(checkpoint_of(out)) as file:
        assert set(np.unique(file["rls/frozen"][:])) == {0, 1}


def test_divided(bench):
    check(bench, "divided", DIVIDED, DIVIDED_ARRAYS)


if __name__ == "__main__":
    run_tests([test_carried, test_signs, test_divided])
