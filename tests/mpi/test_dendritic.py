"""The system dendritic: fast forms against the step as it is written, here and in a program of its own; closed forms; bits on any number of ranks; resuming; bad input.

Equations and the order of a step: src/systems/dendritic/README.md, sections 2 and 3.
"""
import csv
import json
import os
import sys

import h5py
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "science"))
import reference  # noqa: E402
from choices import missing  # noqa: E402
from engram_test import SLOW, contents, difference, edges, metrics, read, run_tests  # noqa: E402

BARS = {"stimulus.side": 4, "stimulus.pair_probability": 0.7, "network.neurons": 9}
RATES = {  # ten times those of the paper, as in its bars of 4 x 4
    "dendritic": {},
    "somatic": {"learning.input_rate": 5e-4, "learning.inhibition_rate": 1e-3},
    "dendritic_slow": {"learning.input_rate": 1e-6, "learning.inhibition_rate": 5e-4, "learning.average_rate": 5e-4},
    "dendritic_simultaneous": {"learning.input_rate": 5e-4, "learning.inhibition_rate": 1e-3},
    "dendritic_decay": {"learning.input_rate": 2e-4, "learning.inhibition_rate": 1e-3},
}
WEIGHTS = {"dendritic": 1e-13, "somatic": 1e-12, "dendritic_slow": 1e-11, "dendritic_simultaneous": 1e-10, "dendritic_decay": 1e-10}


def words(parameters):
    return [f"{key}={value}" for key, value in parameters.items()]


def train(bench, name, parameters, ranks=1):
    """A run of the small configuration that all of them differ from."""
    if not os.path.exists(bench.path("base.yaml")):
        bench.config("base.yaml", "simulation: {dt: 1 ms, seed: 1, loop_duration: 5 s}\nlearning: {rule: dendritic, loops: 2, decoder_rate: 5e-4, homeostasis_rate: 4e-2}\n"
                                  "neuron: {stochasticity_rate: 7e-6}\nstimulus: {kind: bars}\noutput: {spikes: all, edges: all}\ntest: {trials: 0}\ncheckpoint: {every_loops: 1}\n")
    return bench.train(bench.path("base.yaml"), name, ranks, words({**BARS, **parameters}))


def of_rule(rule, more=None):
    return {"learning.rule": rule, **RATES[rule], **(more or {})}


def spikes(out, dt=1.0):
    """[(step, neuron)] in the order of time."""
    with h5py.File(os.path.join(out, "spikes.h5")) as file:
        times, ids = file["spikes/neurons/timestamps"][:], file["spikes/neurons/node_ids"][:].astype(int)
    steps = np.rint(times / dt).astype(int) - 1
    order = np.lexsort((ids, steps))
    return list(zip(steps[order].tolist(), ids[order].tolist()))


def matrix(out, population):
    """[target][source] of edges.h5"""
    source, target, weight, _ = edges(out, population)
    whole = np.zeros((target.max() + 1, source.max() + 1))
    whole[target, source] = weight
    return whole


def last(out, column):
    with open(os.path.join(out, "metrics.csv"), encoding="utf-8") as file:
        return float(list(csv.DictReader(file))[-1][column])


# ---- fast, as written ----

CASES = {"plain": {}, "outside": {"neuron.bias": "outside", "neuron.stochasticity": 0.5}, "every_5": {"learning.update_every": 5}, "winner": {"neuron.winner": "one", "neuron.rate": "40 Hz"},
         "queue": {"network.neurons": 70, "stimulus.side": 9, "simulation.loop_duration": "1 s", "neuron.rate": "10 Hz"}, "narrow": {"network.neurons": 70, "simulation.loop_duration": "1 s", "neuron.rate": "40 Hz"}}
LARGE = ("queue", "narrow")  # of rules without compartments; narrow: more neurons than pixels, several fire at once, and dendritic keeps no W


def test_fast_against_literal(bench):
    """All spikes the same, weights to rounding. Rules with sgn(F) for 2 s only: where a weight goes through 0, which happens later, rounding decides how it goes on."""
    for rule in RATES:
        for case, more in CASES.items():
            if case in (*LARGE, "winner") and rule not in ("dendritic", "somatic", "dendritic_slow")[:2 if case in LARGE else 3]:
                continue
            parameters = of_rule(rule, {**more, **({"simulation.loop_duration": "1 s"} if rule in ("dendritic_simultaneous", "dendritic_decay") else {})})
            fast, literal = train(bench, "fast", parameters), train(bench, "literal", {**parameters, "learning.stepping": "literal"})
            a, b = spikes(fast), spikes(literal)
            assert len(a) > 150 and a == b, f"{rule}, {case}: {len(a)} and {len(b)} spikes; the first that differ: {next((p for p in zip(a, b) if p[0] != p[1]), None)}"
            for what in ("input", "decoder"):
                one, other = read(fast, "dendritic.h5", what), read(literal, "dendritic.h5", what)
                assert np.abs(one - other).max() < WEIGHTS[rule] * np.abs(other).max(), (rule, case, what, np.abs(one - other).max())
            assert case != "narrow" or last(fast, "coincidence") > 0.5, last(fast, "coincidence")
            population = "somatic" if rule == "somatic" else "dendritic"
            one, other = matrix(fast, population), matrix(literal, population)
            assert np.abs(one - other).max() < WEIGHTS[rule] * np.abs(other).max(), (rule, case, population, np.abs(one - other).max())


def test_short_traces(bench):
    """Traces that a step takes to 1e-9, 1e-22 and 0: spikes and weights as in the step as written. What waits until a neuron fires is not multiplied by 1/lambda."""
    for tau in ("50 us", "20 us", "1 us"):
        for rule in RATES:
            parameters = of_rule(rule, {"neuron.tau": tau, "neuron.rate": "40 Hz", "simulation.loop_duration": "1 s", "learning.loops": 1, "network.initial_input": 0 if rule == "dendritic" else 0.3})
            fast, literal = train(bench, "fast", parameters), train(bench, "literal", {**parameters, "learning.stepping": "literal"})
            a, b = spikes(fast), spikes(literal)
            assert len(a) > 150 and a == b, f"{rule}, {tau}: {len(a)} and {len(b)} spikes"
            one, other = (matrix(out, "somatic" if rule == "somatic" else "dendritic") for out in (fast, literal))
            assert np.abs(one - other).max() < 1e-12 * np.abs(other).max(), (rule, tau, np.abs(one - other).max() / np.abs(other).max())


def test_frozen(bench):
    """With frozen weights: spikes of each neuron and what is decoded as in the step as written, where W is kept and where it is not."""
    for neurons in (9, 70):
        outs = [train(bench, stepping, of_rule("dendritic", {"network.neurons": neurons, "neuron.rate": "40 Hz", "learning.loops": 1, "learning.stepping": stepping, "protocol.images": 10}))
                for stepping in ("fast", "literal")]
        for out in outs:
            bench.succeed(["test", out, "--trials", "2", "-o", f"{out}.h5", "--overwrite"])
        rates, decoded = ([read(bench.work, f"{os.path.basename(out)}.h5", f"test/0/{what}") for out in outs] for what in ("rate_hz", "reconstructions"))
        assert (rates[0] == rates[1]).all() and rates[0].mean() > 10, (neurons, rates)
        assert np.abs(decoded[0] - decoded[1]).max() < 1e-12 * np.abs(decoded[1]).max() and decoded[1].max() > 0.01, neurons


def test_strong_decay(bench):
    """What decay leaves of all weights in a loop is too small a number for doubles: what fires is as in the step as written."""
    parameters = of_rule("dendritic_decay", {"learning.decay": 1, "learning.inhibition_rate": 0.1, "learning.loops": 1, "simulation.loop_duration": "8 s"})
    fast, literal = spikes(train(bench, "fast", parameters)), spikes(train(bench, "literal", {**parameters, "learning.stepping": "literal"}))
    assert len(fast) > 500 and fast == literal, (len(fast), len(literal))


def test_identities(bench):
    """README.md 3: dendritic F = D' and W = -F D; slow Fb - Fb(0) = -W_jji where both have one rate; the rate that homeostasis holds."""
    out = train(bench, "identity", of_rule("dendritic", {"learning.loops": 4}))
    F, D = read(out, "dendritic.h5", "input"), read(out, "dendritic.h5", "decoder")
    assert (F == D).all() and np.abs(F).max() > 0.1
    assert np.abs(matrix(out, "dendritic") + F @ D.T).max() < 1e-14 * np.abs(F @ D.T).max() * 100
    slow = train(bench, "slow", of_rule("dendritic_slow"))
    with h5py.File(os.path.join(slow, "checkpoint", "loop-0000000002.h5")) as file:
        average = next(file[name][:] for name in names(file) if name.endswith("dendritic/average"))
    tensor, neurons = read(slow, "dendritic.h5", "dendritic"), BARS["network.neurons"]
    own = -tensor[np.arange(neurons), np.arange(neurons)]
    assert np.abs(average[:, :16] - 0.001 - own).max() < 1e-13 and np.abs(own).max() > 1e-3
    assert np.abs(matrix(slow, "dendritic") - tensor.sum(2)).max() < 1e-13 * np.abs(tensor.sum(2)).max()
    somatic = train(bench, "rate", of_rule("somatic", {"learning.loops": 8, "learning.homeostasis_rate": 0.1}))
    assert abs(last(somatic, "rate_hz") - 15) < 0.6, last(somatic, "rate_hz")


def test_annealing(bench):
    """README.md 2.6 at every loop's end: s2f + (s2 - s2f) exp(-2 eS t), to nearly two time constants; every second step the same."""
    for every in (1, 2):
        out = train(bench, "anneal", {"learning.rule": "dendritic", "neuron.stochasticity_rate": 2e-5, "simulation.loop_duration": "2 s", "learning.loops": 20, "learning.update_every": every})
        told = np.array([row["stochasticity"] for row in metrics(out)])
        known = 0.1 + 0.9 * np.exp(-2 * 2e-5 * 2e3 * np.arange(1, 21))
        assert np.abs(told / known - 1).max() < 1e-4 and known[-1] < 0.3, told / known - 1


def test_trace(bench):
    """README.md 2.4: z is 0 in the step of a lone spike, 1 in the next one, lambda in the one after. One neuron whose autapse stays: its inhibition is W z."""
    for rule in ("somatic", "dendritic_slow"):
        for stepping in ("fast", "literal"):
            out = train(bench, "trace", {"learning.rule": rule, "learning.stepping": stepping, "network.neurons": 1, "network.initial_input": 0.1, "network.initial_spread": 0.1, "learning.input_rate": 0,
                                         "learning.inhibition_rate": 0, **({"learning.average_rate": 0} if rule == "dendritic_slow" else {}), "learning.loops": 1, "output.report": "[inhibition, v]",
                                         "neuron.rate": "40 Hz"})
            autapse = matrix(out, "somatic" if rule == "somatic" else "dendritic")[0, 0]
            traced, fired, z, seen = read(out, "report.h5", "report/neurons_inhibition/data")[:, 0] / autapse, {step for step, _ in spikes(out)}, 0.0, []
            for step in range(len(traced)):
                z = np.exp(-0.1) * z + (step in fired)
                seen.append(z)
            first = min(fired)
            assert autapse < -0.1 and len(fired) > 20 and np.abs(traced - seen).max() < 1e-6 * max(seen), (rule, stepping, np.abs(traced - seen).max())
            assert first > 0 and first + 1 not in fired and np.abs(traced[first - 1:first + 2] - [0, 1, np.exp(-0.1)]).max() < 1e-6, (rule, stepping, first)


def test_decoder_by_steps(bench):
    """README.md 3.1 on an image that stays: what spikes learn at once is what each step would, and one step more at the end of each stretch; the rest is of second order in the rate."""
    rng, lam, M = np.random.default_rng(2), np.exp(-0.1), 16
    with h5py.File(bench.path("one.h5"), "w") as file:
        file["train"] = file["test"] = x = rng.random((1, M))
    out = bench.train(bench.config("one.yaml", f"simulation: {{dt: 1 ms, loop_duration: 1 s}}\nnetwork: {{neurons: 5}}\nstimulus: {{kind: hdf5, path: {bench.path('one.h5')}}}\noutput: {{spikes: all}}\n"
                                   "learning: {rule: somatic, loops: 1, decoder_rate: 2e-5}\nneuron: {rate: 40 Hz}\ntest: {trials: 0}\n"), "one")
    fired, ours, x = spikes(out), read(out, "dendritic.h5", "decoder").T, x[0]
    s = np.zeros((1000, 5))
    s[tuple(np.array(fired).T)] = 1
    D, extra, z, since, memory, after = np.zeros((M, 5)), np.zeros((M, 5)), np.zeros(5), None, None, None
    events = np.flatnonzero(s.any(1))
    for step in range(events[-1] + 1):
        if since is not None:
            D += 2e-5 * np.outer(x - D @ z, z)
        if s[step].any() and since is not None:  # the sum's last term, and that it begins with z + s, of which z is lambda z in the step after
            n, z0 = step - since + 1, memory
            at_once = 2e-5 * ((lam ** np.arange(n)).sum() * np.outer(x, z0) - (lam ** (2 * np.arange(n))).sum() * np.outer(D @ z0, z0))
            stretch = [lam ** q * after for q in range(n - 1)]
            extra += at_once - 2e-5 * sum(np.outer(x - D @ part, part) for part in stretch)
        if s[step].any():
            since, memory, after = step, z + s[step], lam * z + s[step]
        z = lam * z + s[step]
    apart, left = np.abs(ours - D).max() / np.abs(D).max(), np.abs(ours - extra - D).max() / np.abs(D).max()
    print(f"  {len(fired)} spikes: {apart:.1e} apart, {left:.1e} but for the ends of stretches", flush=True)
    assert len(fired) > 100 and 0.02 < apart < 0.3 and left < 0.05 * apart, (apart, left)


def test_somatic_inhibition(bench):
    """README.md 3.2: W goes to -F D, which no rule of it mentions."""
    errors = [row["balance_error"] for row in metrics(train(bench, "inhibition", of_rule("somatic", {"learning.loops": 60, "output.edges": "none", "output.spikes": "none"})))]
    assert errors[-1] < 0.06 and errors[-1] < errors[0] / 4, errors


def names(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def test_single_neuron(bench):
    """Without weights a neuron fires with P = 1/(1 + exp(-b/s2)), b the bias that homeostasis holds still: 3 standard errors of 1e6 draws."""
    out = train(bench, "single", {"learning.rule": "dendritic", "network.neurons": 100, "learning.decoder_rate": 0, "learning.homeostasis_rate": 0, "neuron.stochasticity_rate": 0, "neuron.rate": "200 Hz", "simulation.loop_duration": "10 s",
                                  "learning.loops": 1, "output.edges": "none", "guards.max_rate": "1000 Hz"})
    counts = np.bincount(read(out, "spikes.h5", "spikes/neurons/node_ids").astype(int), minlength=100)
    assert abs(counts.mean() / 1e4 - 0.2) < 3 * np.sqrt(0.2 * 0.8 / 1e6), counts.mean()
    assert abs(counts.std() / np.sqrt(1e4 * 0.2 * 0.8) - 1) < 0.3, counts.std()  # independent draws


# ---- a program of its own, with the same draws ----

ESCAPE, ESCAPE_REST, IMAGE = 37, 38, 39  # include/engram/random.h


def escape_draws(seed, stream, steps, neurons):
    """[step][neuron] U of 48 bits: 16 of a block of 8 steps, and 32 more."""
    step, j = np.arange(steps)[:, None], np.arange(neurons)[None, :]
    block, word = reference.words(seed, ESCAPE, j, (stream << 40) + step // 8), step % 8 // 2
    whole = np.choose(word, block)
    short = np.where(step % 2, whole >> np.uint64(16), whole & np.uint64(0xffff)).astype(float)
    rest = reference.words(seed, ESCAPE_REST, j, (stream << 40) + step)[0].astype(float)
    return (short + (rest + 0.5) / 2**32) / 2**16


def bars(seed, number, side, pair_probability):
    """An image to train with: pairs of an index with pair_probability, else two independent bars."""
    words = np.array(reference.words(seed, IMAGE, np.arange(3), number))
    bits = [int(words[1][k]) << 32 | int(words[0][k]) for k in range(3)]
    first, picture = bits[1] * 2 * side >> 64, np.zeros((side, side))
    second = (first + side) % (2 * side) if ((bits[0] >> 11) + 0.5) / 2**53 < pair_probability else bits[2] * 2 * side >> 64
    for bar in (first, second):
        picture[(slice(None), bar) if bar < side else (bar - side, slice(None))] = 1
    return picture.ravel()


def program(rule, rates, loops=4, images=50, neurons=9, side=4, seed=1, every=1, outside=False):
    """README.md 2.7 with 3.1 to 3.6, as matrices, dt = 1 ms. @return spikes as spikes() of a run, F, D', W of the soma or the tensor"""
    M, lam, s2, rho, fired, m = side * side, np.exp(-0.1), 1.0, 0.015, [], every
    compartments = rule not in ("somatic", "dendritic")
    F = np.full((neurons, M), 0.001 if rule in ("dendritic_slow", "dendritic_decay") else 0.0)
    average, D, W = F.copy(), np.zeros((M, neurons)), np.zeros((neurons, neurons, M) if compartments else (neurons, neurons))
    b, z, counted, now, last = np.full(neurons, np.log(rho / (1 - rho))), np.zeros(neurons), np.zeros(neurons), bars(seed, 0, side, 0.7), None
    for step in range(loops * images * 100):
        loop, k = step // (images * 100), step % 100 + 1
        if step % (images * 100) == 0:
            U = escape_draws(seed, loop + 1, images * 100, neurons)
            threshold = np.log(U) - np.log1p(-U)
        if k == 1:
            before, now = now, bars(seed, step // 100, side, 0.7)
        f = min(1, k / 100 / 0.3)
        x = f * now + (1 - f) * before                                                                  # 1
        if compartments:                                                                                # 2
            inhibition = np.tensordot(z, W, (0, 1))
            u = F * x + inhibition
            V, own = u.sum(1), np.einsum("jji->j", W)
        else:
            V, own = F @ x + W @ z, np.diag(W)
        h = (V + own / 4) / s2 + b if outside else (V + own / 4 + b) / s2
        s = threshold[step % (images * 100)] < h
        if k % m == 0:                                                                                  # 3
            if rule == "somatic":
                W = W - m * rates["W"] * np.outer(V, z)
            if compartments:
                average = average + m * rates.get("Fb", 0) * z[:, None] * u
                bounded, sign = np.maximum(0.002, np.abs(F)), np.sign(F)
                F = F + m * rates["F"] * {"dendritic_slow": lambda: average / F - F, "dendritic_simultaneous": lambda: z[:, None] * (x + sign * inhibition / bounded),
                                          "dendritic_decay": lambda: sign * z[:, None] * u / bounded - 0.005 * F}[rule]()
                W = W - m * rates["W"] * (z[None, :, None] * u[:, None, :] + (0.005 * W if rule == "dendritic_decay" else 0))
            b = b + m * rates["B"] * (rho - counted / m)
            counted = np.zeros(neurons)
            sigma = np.sqrt(s2)
            s2 = (sigma + m * 7e-6 * (0.1 - s2) / sigma) ** 2
        if s.any():                                                                                     # 4
            if last:
                then, x0, z0 = last
                S1, S2 = (lam ** np.arange(step - then + 1)).sum(), (lam ** (2 * np.arange(step - then + 1))).sum()
                if rule == "somatic":
                    F = F + rates["F"] * (S1 * np.outer(z0, x0) - S2 * F * z0[:, None] ** 2)
                if rule == "dendritic":  # it decodes with F'
                    F = F + rates["D"] * np.outer(z0, S1 * x0 - S2 * F.T @ z0)
                D = D + rates["D"] * np.outer(S1 * x0 - S2 * D @ z0, z0)
                W = -F @ D if rule == "dendritic" else W
            last = step, x, z + s
            fired.extend((step, int(j)) for j in np.flatnonzero(s))
        z = lam * z + s                                                                                 # 5
        counted = counted + s                                                                           # 6
    return fired, F, D.T, W


REPLAYED = {  # rule: how long, and what else; rules with sgn(F) until a weight goes through 0
    "somatic": {}, "dendritic": {}, "dendritic, narrow": {"neurons": 30}, "dendritic_slow": {"every": 5}, "dendritic_simultaneous": {"loops": 1, "images": 10}, "dendritic_decay": {"loops": 1, "images": 10, "outside": True},
}


def test_independent_program(bench):
    """All spikes of 20,000 steps and all weights to 1e-10 of the largest, in a program that has nothing but README.md and the generator in common."""
    for name, more in REPLAYED.items():
        rule = name.split(",")[0]
        rates = {"F": RATES[rule].get("learning.input_rate"), "W": RATES[rule].get("learning.inhibition_rate"), "Fb": RATES[rule].get("learning.average_rate", 0), "D": 5e-4, "B": 4e-2}
        theirs, *weights = program(rule, rates, **more)
        ours = train(bench, "ours", of_rule(rule, {"learning.loops": more.get("loops", 4), "network.neurons": more.get("neurons", 9), "simulation.loop_duration": f"{more.get('images', 50) * 100} ms", "learning.update_every": more.get("every", 1),
                                                   "neuron.bias": "outside" if more.get("outside") else "inside"}))
        seen = spikes(ours)
        assert len(seen) > 100 and seen == theirs, f"{name}: {len(seen)} and {len(theirs)} spikes; the first that differ: {next((p for p in zip(seen, theirs) if p[0] != p[1]), None)}"
        known = read(ours, "dendritic.h5", "input"), read(ours, "dendritic.h5", "decoder"), matrix(ours, rule) if weights[2].ndim == 2 else read(ours, "dendritic.h5", "dendritic")
        print(f"  {name}: {len(seen)} spikes;", ", ".join(f"{which} {np.abs(one - other).max() / np.abs(other).max():.1e}" for which, one, other in zip("FDW", known, weights)), flush=True)
        for which, one, other in zip("FDW", known, weights):
            assert one.shape == other.shape and np.abs(one - other).max() < 1e-10 * np.abs(other).max(), (name, which, np.abs(one - other).max() / np.abs(other).max())


# ---- ranks, kills, other runs ----

KINDS = {
    "somatic": of_rule("somatic", {"test.every": 1, "test.trials": 1, "protocol.images": 5, "neuron.winner": "one", "network.neurons": 70}),
    "dendritic": of_rule("dendritic", {"learning.stages": "[1, 1]", "learning.decoder_rate": "[1e-3, 1e-4]", "neuron.bias": "outside", "network.neurons": 67, "test.every": 1, "test.trials": 1,
                                        "protocol.images": 5}),
    "kept": of_rule("dendritic", {"network.neurons": 67, "stimulus.side": 9}),
    "slow": of_rule("dendritic_slow", {"learning.update_every": 5}),
    "simultaneous": of_rule("dendritic_simultaneous", {"test.every": 1, "test.trials": 2, "protocol.images": 3}),
    "decay": of_rule("dendritic_decay", {"network.neurons": 67}),
    "literal": of_rule("dendritic_slow", {"learning.stepping": "literal", "learning.pruned": 0.4}),
}


def test_ranks_and_resume(bench):
    """The same bits on other ranks, and resumed there after the first loop."""
    for number, (name, parameters) in enumerate(KINDS.items()):
        parameters = {**parameters, "simulation.loop_duration": "1 s", "neuron.rate": "40 Hz", "learning.loops": 3}
        one = contents(train(bench, "one", parameters))
        for ranks in ((7,), (4,), ())[number % 3] if SLOW else (2, 7) if number % 2 else (3, 4):
            other = contents(train(bench, "other", parameters, ranks))
            assert not difference(one, other), f"{name} on {ranks} ranks: {difference(one, other)}"
        part = train(bench, "part", {**parameters, "learning.loops": 1})
        bench.succeed(["train", os.path.join(part, "parameters.yaml"), "--resume", part, "-P", "learning.loops=3"], ranks=3)
        assert not difference(one, contents(part)), f"{name} resumed on 3 ranks: {difference(one, contents(part))}"


def test_choices(bench):
    """Every kind and choice of the listing is in some case of these tests; images of files: tests/unit/test_images.c."""
    cases = [{"learning": {"rule": rule}} for rule in RATES]
    for case in list(CASES.values()) + list(KINDS.values()) + [{"learning.stepping": "literal"}]:
        nested = {}
        for key, value in case.items():
            nested.setdefault(key.split(".")[0], {})[key.split(".")[1]] = value
        cases.append(nested)
    listing = bench.succeed(["list", "dendritic"])
    left = [what for what in missing(listing, cases, least=(5, 6)) if not what.startswith(("stimulus", "simulation", "output", "checkpoint", "guards", "test"))]
    assert not left, left


def test_deleted_neurons(bench):
    """A trained network that loses neurons codes worse; the others are not trained again."""
    out = train(bench, "whole", of_rule("dendritic", {"learning.loops": 8, "protocol.images": 40}))
    losses = []
    for part in (0, 0.5):
        bench.succeed(["test", out, "--trials", "2", "-o", bench.path(f"test_{part}.h5"), *(["--delete-neurons", str(part)] if part else [])])
        with open(bench.path(f"test_{part}.json"), encoding="utf-8") as file:
            losses.append(json.load(file)["tasks"][0]["loss"])
    assert losses[1] > 1.1 * losses[0], losses


def test_undefined(bench):
    """Trials without a spike have no coincidence, and neurons that learned nothing no cosine: means are over the others, and empty if there is none. Trials that are skipped are others."""
    out = train(bench, "few", {"simulation.dt": "20 ms", "network.neurons": 9, "neuron.rate": "2 Hz", "learning.loops": 1, "simulation.loop_duration": "400 ms", "protocol.images": 1})
    norms = np.linalg.norm(read(out, "dendritic.h5", "decoder"), axis=-1)
    assert 0 < (norms > 0).sum() < 9 and abs(last(out, "cosine") - 1) < 1e-12, (norms, last(out, "cosine"))

    def tested(trials, skipped):
        path = bench.path("few_test.h5")
        bench.succeed(["test", out, "--trials", str(trials), "--skip-trials", str(skipped), "-o", path, "--overwrite"])
        with open(path.replace(".h5", ".json"), encoding="utf-8") as file:
            return json.load(file)["tasks"][0]["coincidence"]
    each = [tested(1, n) for n in range(8)]
    assert read(bench.work, "few_test.h5", "test/0/images").shape == (1, 16)
    defined = [value for value in each if value is not None]
    assert 0 < len(defined) < 8 and max(defined) > 0, each
    assert abs(tested(8, 0) - np.mean(defined)) < 1e-6, (each, tested(8, 0))
    assert tested(1, each.index(None)) is None


def test_large_loss(bench):
    """A loss that grew large is what it is, over few images and over many; one beyond all numbers that sums hold is left out, not another number."""
    def tested(rate, images):
        out = train(bench, "large_loss", {"learning.rule": "somatic", "learning.loops": 1, "learning.decoder_rate": rate, "learning.input_rate": 1e-9, "learning.inhibition_rate": 1e-9,
                                          "guards.min_rate": 0, "guards.max_rate": 0, "protocol.images": images, "stimulus.pair_probability": 0})
        bench.succeed(["test", out, "--trials", "1", "-o", bench.path("large_loss.h5"), "--overwrite"])
        with open(bench.path("large_loss.json"), encoding="utf-8") as file:
            return json.load(file)["tasks"][0]["loss"]
    few, many = tested(0.2, 10), tested(0.2, 3000)
    assert few > 2.5 and 0.5 < many / few < 2, (few, many)
    assert tested(0.5, 10) is None


def test_refused(bench):
    """One message, exit code 2, before any work."""
    for parameters, words_of_it in [({"learning.update_every": 3}, "update_every"), ({"simulation.loop_duration": "150 ms"}, "loop_duration"), ({"simulation.reset": "loop"}, "reset"),
                                    ({"learning.decoder_rate": "[1e-3, 1e-4]"}, "decoder_rate"), ({"learning.rule": "dendritic_slow", "network.initial_input": 0}, "initial_input"),
                                    ({"network.initial_input": 0.1}, "initial_input"), ({"learning.rule": "dendritic_slow", "learning.pruned": 0.5}, "stepping"), ({"neuron.rate": "1000 Hz"}, "rate"),
                                    ({"simulation.dt": "0.3 ms"}, "duration"), ({"simulation.baseline": "1 s"}, "baseline"), ({"learning.stages": "[1.5]"}, "whole number"),
                                    ({"learning.stages": "[" + ", ".join(["1"] * 17) + "]"}, "at most 16"), ({"learning.stages": "[1, 1]", "learning.homeostasis_rate": "[1e-3, 1e-4, 1e-5]"}, "2 stages"),
                                    ({"neuron.stochasticity_rate": 1}, "stochasticity_rate"), ({"learning.rule": "dendritic_decay", "learning.decay": 10, "learning.inhibition_rate": 0.1}, "decay"),
                                    ({"learning.rule": "dendritic_decay", "network.initial_input": 0}, "initial_input"), ({"network.neurons": 0}, "neurons"), ({"neuron.tau": "nan"}, "tau")]:
        train_words = [word for key, value in {**BARS, "learning.rule": "dendritic", **parameters}.items() for word in ("-P", f"{key}={value}")]
        code, _, err = bench.run(["train", bench.config("refused.yaml", "simulation: {dt: 1 ms}\n"), "-o", bench.path("refused"), *train_words])
        assert code == 2 and words_of_it in err and len(err.strip().splitlines()) == 1, (parameters, code, err)
        assert not os.path.exists(bench.path("refused"))
    out = train(bench, "tested", {"learning.loops": 1, "simulation.loop_duration": "100 ms"})
    for option in ("--noise", "--delete-synapses", "--delete-unit-synapses", "--shuffle-synapses", "--delete-spike"):
        code, _, err = bench.run(["test", out, "-o", bench.path("refused.h5"), option, "0.5"])
        assert code == 2 and f"{option}: the system dendritic" in err and len(err.strip().splitlines()) == 1 and not os.path.exists(bench.path("refused.h5")), (option, code, err)


run_tests([test_fast_against_literal, test_short_traces, test_frozen, test_strong_decay, test_identities, test_annealing, test_trace, test_decoder_by_steps, test_somatic_inhibition, test_single_neuron, test_independent_program, test_ranks_and_resume, test_choices, test_deleted_neurons, test_undefined, test_large_loss, test_refused])
