"""Targets shared by neurons, frozen noise behind the cue, the change of weights in metrics.csv: what they are, and what is said of wrong values."""
import numpy as np
from engram_test import edges, metrics, read, run_tests

THETA = """\
simulation: {dt: 1 ms, reset: every_loop}
network: {kind: random, neurons: 80, excitatory_fraction: 1}
neuron: {model: theta}
plastic: {kind: existing, tau: 20 ms}
stimulus: {kind: constant, start: 10 ms, stop: 30 ms, noise_sd: 0.5, noise_tau: 5 ms}
targets: {kind: sines, duration: 200 ms, tasks: 2}
learning: {lambda: 1, mu: 0, every: 4 ms, loops: 2}
output: {weight_change: true, stimulus: true, correlation_window: 0 ms}
"""


def test_distinct(bench):
    config = bench.config("distinct.yaml", THETA)
    own = read(bench.train(config, "own"), "targets.h5", "targets/0/target")
    sharing = {}
    for distinct in (0.7, 0.3, 0):
        out = bench.train(config, f"distinct_{distinct}", 3, [f"targets.distinct={distinct}"])
        for task in (0, 1):
            got, alone = read(out, "targets.h5", f"targets/{task}/target"), read(bench.path("own"), "targets.h5", f"targets/{task}/target")
            shared = (got == alone[:, :1]).all(axis=0)
            assert (shared | (got == alone).all(axis=0)).all(), "neither its own target nor that of neuron 0"
            sharing.setdefault(distinct, shared)
            assert (sharing[distinct] == shared).all(), "tasks differ in who shares"
    assert sharing[0].all() and own.std(axis=1).min() > 0.1
    for distinct in (0.7, 0.3):
        assert abs(sharing[distinct].mean() - (1 - distinct)) < 4 * (0.21 / 80) ** 0.5, sharing[distinct].mean()
    assert not (sharing[0.7] & ~sharing[0.3])[1:].any(), "a neuron lost its target at a larger fraction"


def test_frozen_noise(bench):
    """An Ornstein-Uhlenbeck path a neuron and task, from the end of the cue on; the cue itself is as without noise."""
    config = bench.config("noise.yaml", THETA.replace("duration: 200 ms", "duration: 1200 ms").replace("loops: 2", "loops: 1"))
    paths = [read(bench.train(config, "noise", 2), "targets.h5", f"targets/{task}/stimulus") for task in (0, 1)]
    quiet = read(bench.train(config, "quiet", 1, ["stimulus.noise_sd=0"]), "targets.h5", "targets/0/stimulus")
    assert quiet.shape == (20, 80) and (quiet == paths[0][:20]).all()
    assert paths[0].shape == (1220, 80)
    x = paths[0][20:]
    assert abs(x.std() - 0.5) < 0.02 and abs(x[0].std() - 0.5) < 0.16, (x.std(), x[0].std())  # stationary from the start
    assert abs((x[1:] * x[:-1]).mean() / 0.25 - np.exp(-1 / 5)) < 0.05
    assert abs((x[15:] * x[:-15]).mean() / 0.25 - np.exp(-15 / 5)) < 0.05
    assert abs(np.corrcoef(x.ravel(), paths[1][20:].ravel())[0, 1]) < 0.05, "tasks share their noise"
    each = np.corrcoef(x.T)
    assert abs(each[np.triu_indices(80, 1)]).mean() < 0.15, "neurons share their noise"
    trained = bench.train(config, "same", 1, ["stimulus.kind=none", "learning.rule=none", "test.trials=2"])
    assert (read(trained, "targets.h5", "targets/0/stimulus")[20:] == x).all(), "the noise depends on the cue"


def test_noise_reaches_neurons(bench):
    """Without synapses and cue, the spikes of a test trial are those of the noise alone: the same in every trial once a neuron's start is forgotten."""
    config = bench.config("driven.yaml", THETA.replace("sines,", "sines, distinct: 0,"))
    words = ["network.weights=zero", "learning.rule=none", "stimulus.kind=none", "stimulus.noise_tau=40", "stimulus.noise_sd=3", "test.trials=3", "output.spikes=all"]
    with_noise = metrics(bench.train(config, "driven", 1, words))[0]["rate_hz"]
    without = metrics(bench.train(config, "still", 1, words + ["stimulus.noise_sd=0"]))[0]["rate_hz"]
    assert with_noise > 10 > 5 > without, (with_noise, without)


def test_weight_change(bench):
    """Of every loop; of the last one it is that of the weights in edges.h5, whatever their scale."""
    for name, words in (("theta", []), ("double", ["learning.precision=double", "network.sigma=100"]), ("tiny", ["learning.lambda=1e9"])):
        out = bench.train(bench.config("change.yaml", THETA), f"change_{name}", 2, ["learning.loops=3", *words])
        _, _, weights, initial = edges(out, "plastic")
        expected, got = np.linalg.norm(weights - initial), [row["weight_change"] for row in metrics(out)]
        assert expected > 0 and abs(got[-1] / expected - 1) < 1e-5, (name, got, expected)
        assert got[0] > 0 and len(set(got)) == 3, got
    out = bench.train(bench.config("change.yaml", THETA), "unasked", 1, ["output.weight_change=false"])
    assert {row["weight_change"] for row in metrics(out)} == {None}


def test_wrong_values(bench):
    for words, wanted in ((["targets.distinct=1.5"], ("targets.distinct", "from 0 to 1")), (["stimulus.noise_sd=-1"], ("stimulus.noise_sd", "from 0 to 1")),
                          (["stimulus.noise_tau=0"], ("stimulus.noise_tau",)), (["stimulus.noise=1"], ("noise_sd",)), (["output.weight_change=maybe"], ("output.weight_change",)),
                          (["targets.kind=surrogate", "targets.quantity=rate", "targets.distinct=0.5"], ("distinct", "allowed is 1"))):
        config = bench.config("wrong.yaml", THETA.replace("{kind: sines, duration: 200 ms, tasks: 2}", "{duration: 200 ms}"))
        out = bench.path("wrong")
        code, _, err = bench.run(["train", config, "-o", out] + [w for word in words for w in ("-P", word)])
        assert code == 2 and all(word in err for word in wanted), (words, code, err)


def test_shared_components(bench):
    """Surrogate rates that share three components: these hold most of the variance, means of units stay what they were."""
    config = bench.config("surrogate.yaml", THETA.replace("kind: sines, duration: 200 ms, tasks: 2", "kind: surrogate, quantity: rate, length: 2 s, conditions: 2").replace("loops: 2", "loops: 0"))
    rates = {name: [read(bench.train(config, name, ranks, words), "targets.h5", f"targets/{task}/rate") for task in (0, 1)]
             for name, ranks, words in (("alone", 1, []), ("alike", 2, ["targets.components=3"]), ("nothing_shared", 1, ["targets.components=3", "targets.shared=0"]))}

    def three_components(rate):
        size = np.linalg.svd((rate - rate.mean(axis=0)) / rate.std(axis=0), compute_uv=False)**2
        return size[:3].sum() / size.sum()

    for task in (0, 1):
        alone, alike, apart = (rates[name][task] for name in ("alone", "alike", "nothing_shared"))
        assert three_components(alone) < 0.75 < 0.9 < three_components(alike), (three_components(alone), three_components(alike))
        assert np.allclose(alone, apart, rtol=1e-6), "with nothing shared units vary as without components"
        assert np.allclose(alone.mean(axis=0), alike.mean(axis=0), rtol=0.1)
    code, _, err = bench.run(["check", config, "-P", "targets.shared=1.5"])
    assert code == 2 and "targets.shared" in err and "from 0 to 1" in err, err


run_tests([test_distinct, test_shared_components, test_frozen_noise, test_noise_reaches_neurons, test_weight_change, test_wrong_values])
