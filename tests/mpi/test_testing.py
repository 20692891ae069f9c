"""engram test: frozen-weight trials over groups of ranks, deleted neurons, synapses and spikes, external noise.

Whatever is asked for, 1, 2, 3 and 4 ranks in any grouping write the same bits, and without a perturbation those of the tests at the end of training.
"""
import json
import os
import shutil

import h5py
import numpy as np
from engram_test import metrics, run_tests

THETA = """\
simulation: {dt: 1 ms, seed: 5, reset: every_loop, loop_duration: 500 ms}
network:    {kind: random, neurons: 100, excitatory_fraction: 1, probability: 0.3, sigma: 1}
neuron:     {model: theta}
plastic:    {kind: existing, tau: 20 ms}
stimulus:   {kind: constant, amplitude: 2, start: 0 ms, stop: 50 ms}
targets:    {kind: sines, duration: 300 ms}
learning:   {lambda: 1, mu: 0, every: 2 ms, loops: 12}
output:     {correlation_window: 0 ms}
test:       {trials: 5, psth_bin: 10 ms}
"""
LIF = """\
simulation:  {dt: 0.5 ms, seed: 3, baseline: 200 ms}
network:     {kind: balanced_ei, neurons: 61, in_degree: 5, external_drive: 0.6}
neuron:      {model: lif, noise_sd: 0.5, noise: current}
plastic:     {tau_range: [20, 60], group_size: 4}
feedforward: {units: 9, rate: 50 Hz, weight: 0.3}
stimulus:    {start: 20 ms, stop: 40 ms}
targets:     {kind: sinusoid, tasks: 2, duration: 100 ms, period: 100 ms}
learning:    {every: 5 ms, loops: 4}
output:      {correlation_window: 10 ms}
test:        {trials: 3, psth_bin: 5 ms}
"""
DELAYED = """\
simulation:  {dt: 0.5 ms, seed: 3}
network:     {kind: random, neurons: 61, probability: 0.5, sigma: 4, bias: 1.1, delay_range: [0.5 ms, 3 ms]}
neuron:      {model: lif, noise_sd: 0.5}
plastic:     {excitatory_in_degree: 6, inhibitory_in_degree: 5, delay: 2 ms, delay_sd: 1 ms}
stimulus:    {start: 20 ms, stop: 40 ms}
targets:     {kind: sinusoid, duration: 100 ms, period: 100 ms}
learning:    {every: 5 ms, loops: 2}
output:      {correlation_window: 10 ms}
test:        {trials: 3, psth_bin: 5 ms}
"""
GROUPINGS = ((1, None), (2, 2), (2, 1), (3, 2), (4, 4), (4, 2), (4, 1))  # ranks, ranks of a group; 3 by 2 leaves one idle
FEWER = ((1, None), (3, None), (4, 2))  # for tests without a perturbation


def trained(bench, name, text):
    """Folder of a trained network, trained once."""
    out = bench.path(name)
    return out if os.path.exists(out) else bench.train(bench.config(f"{name}.yaml", text), name)


def test(bench, run, name, *options, ranks=1, size=None):
    """Test `run`; return the path of the results."""
    path = bench.path(name + ".h5")
    sizes = ["--ranks-per-trial", str(size)] if size else []
    code, out, err = bench.run(["test", run, "-o", path, "--overwrite", *sizes, *options], ranks)
    assert code == 0, f"{options} on {ranks} ranks by {size}: exit code {code}\n{out}\n{err}"
    return path


def contents(path):
    """{name: bytes} of all datasets and attributes but the configuration."""
    found = {}

    def visit(name, thing):
        for key, value in thing.attrs.items():
            found[f"{name}@{key}"] = np.asarray(value).tobytes()
        if isinstance(thing, h5py.Dataset):
            found[name] = str(thing.shape).encode() + thing[()].tobytes()

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def numbers(path, name):
    with h5py.File(path) as file:
        return file["test"][name][()] if name in file["test"] else None


def attribute(path, name, group=""):
    with h5py.File(path) as file:
        return file["test" + group].attrs[name]


def assert_same(one, other, what):
    a, b = contents(one), contents(other)
    differ = sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))
    assert not differ, f"{what}: {len(differ)} of {len(a)} differ: {', '.join(differ[:6])}"


def test_same_bits(bench):
    all_at_once = ("--delete-neurons", "0.1", "--delete-synapses", "0.05", "--shuffle-synapses", "0.3", "--noise", "0.2", "--delete-spike", "30")
    for name, text in (("theta", THETA), ("lif", LIF), ("delayed", DELAYED)):
        run = trained(bench, name, text)
        truth, perturbed = {(): os.path.join(run, "test.h5")}, test(bench, run, f"{name}.perturbed", *all_at_once)
        truth[all_at_once] = perturbed
        for options, one in truth.items():
            for ranks, size in GROUPINGS if options and text != DELAYED else FEWER:
                path = test(bench, run, f"{name}.{ranks}.{size}", *options, ranks=ranks, size=size)
                assert_same(one, path, f"{name}: {ranks} ranks by {size}, options {options}, against {'one rank' if options else 'the run itself'}")
        differs = [k for k, v in contents(perturbed).items() if contents(truth[()]).get(k) != v]
        assert "test/0/drive" in differs and "test/0/trial_correlation" in differs, differs


def test_trials(bench):
    run = trained(bench, "theta", THETA)
    five, two = os.path.join(run, "test.h5"), test(bench, run, "two", "--trials", "2", "-P", "test.psth_bin=20 ms")
    assert np.array_equal(numbers(five, "0/trial_correlation")[:2], numbers(two, "0/trial_correlation")), "trials are other ones when there are fewer"
    assert np.array_equal(numbers(five, "0/psth").shape, (30, 100)) and np.array_equal(numbers(two, "0/psth").shape, (15, 100))
    assert abs(numbers(two, "0/trial_correlation").mean() - attribute(two, "single_trial_correlation", "/0")) < 1e-12
    assert abs(numbers(two, "0/trial_rate").mean() - attribute(two, "rate_hz", "/0")) < 1e-9
    other = test(bench, run, "other", "--trials", "2", "--skip-trials", "2")  # one task: the third and fourth trial
    assert np.array_equal(numbers(five, "0/trial_correlation")[2:4], numbers(other, "0/trial_correlation")), "skipped trials are not skipped"
    with open(two.replace(".h5", ".json")) as file:
        summary = json.load(file)
    assert summary["trials"] == 2 and summary["loop"] == 12 and abs(summary["tasks"][0]["rate_hz"] - attribute(two, "rate_hz", "/0")) < 1e-9, summary


def test_spikes(bench):
    """--spikes all keeps every trial's spikes: those of the PSTH and of the rate, in an order in which no grouping shows; nothing else changes."""
    for name, text, bin, start, ranks, size in (("theta", THETA, 10, 50, 4, 2), ("lif", LIF, 5, 40, 3, 1)):
        run = trained(bench, name, text)
        without = test(bench, run, f"{name}.without")
        one = test(bench, run, f"{name}.rasters", "--spikes", "all")
        assert_same(one, test(bench, run, f"{name}.rasters.{ranks}", "--spikes", "all", ranks=ranks, size=size), f"{name}: {ranks} ranks by {size}")
        kept = contents(one)
        added = {key for key in kept if key.split("/")[-2:-1] == ["raster"] or key.split("@")[0].endswith(("/timestamps", "/raster"))}
        assert {key: value for key, value in kept.items() if key not in added} == contents(without), "what is measured depends on whether spikes are kept"
        tasks, trials = (2, 3) if name == "lif" else (1, 5)
        assert len(added) == tasks * 5, added  # three columns, a unit and the duration of trials
        duration = {"theta": 500, "lif": 140}[name]
        for task in range(tasks):
            ids, trial, times = (numbers(one, f"{task}/raster/{column}") for column in ("node_ids", "trial", "timestamps"))
            order = np.lexsort((times, trial, ids))
            assert np.array_equal(order, np.arange(len(ids))) and set(trial) == set(range(trials)), "not by id, trial and time"
            assert attribute(one, "duration_ms", f"/{task}/raster") == duration and 0 < times.min() and times.max() <= duration + 1e-9
            psth = numbers(one, f"{task}/psth")
            counts = np.zeros(psth.shape)
            inside = (times > start + 1e-6) & (times < start + bin * len(psth) + 1e-6)
            np.add.at(counts, (np.ceil((times[inside] - start) / bin - 1e-6).astype(int) - 1, ids[inside].astype(int)), 1)
            assert np.allclose(counts / trials / (bin / 1000), psth, rtol=1e-9) and counts.sum() > 0, "not the spikes of the PSTH"
        other = test(bench, run, f"{name}.rasters.last", "--spikes", "all", "--trials", "1", "--skip-trials", "1") if tasks == 1 else None
        if other:  # one task: the second trial, which is the first of those that run
            mine = trial == 1
            assert np.array_equal(times[mine], numbers(other, "0/raster/timestamps")) and np.array_equal(ids[mine], numbers(other, "0/raster/node_ids"))
            assert set(numbers(other, "0/raster/trial")) == {0}
    assert_same(test(bench, run, "none", "--spikes=none"), without, "--spikes none")


def test_nothing_done_is_nothing(bench):
    run = trained(bench, "theta", THETA)
    plain = os.path.join(run, "test.h5")
    assert_same(plain, test(bench, run, "zero", "--delete-synapses", "0", "--shuffle-synapses", "0", "--noise", "0", "--delete-neurons", "0"), "fractions of 0")
    one = test(bench, run, "one", "--noise", "1e-300")  # takes the perturbed path, changes no number
    assert np.array_equal(numbers(plain, "0/drive"), numbers(one, "0/drive"))


def test_deleted_neurons(bench):
    run = trained(bench, "theta", THETA)
    plain = os.path.join(run, "test.h5")
    fired = numbers(plain, "0/psth").sum(0) > 0
    assert fired.sum() >= 80, fired.sum()
    score, before = attribute(plain, "single_trial_correlation", "/0"), np.zeros(100, bool)
    for fraction, count in (("0.05", 5), ("0.29", 29), ("0.4", 40), ("0.999", 99)):
        path = test(bench, run, "deleted", "--delete-neurons", fraction)
        deleted = numbers(path, "deleted") == 1
        assert deleted.sum() == count == attribute(path, "deleted_neurons"), (fraction, deleted.sum())
        assert (deleted >= before).all(), "a larger fraction does not contain the smaller one"
        fires = numbers(path, "0/psth").sum(0) > 0
        assert not fires[deleted].any(), f"{fraction}: a deleted neuron fires"
        assert count > 40 or fires[~deleted].mean() > 0.7, f"{fraction}: others fall silent"
        scored = ~np.isnan(numbers(path, "0/neuron_correlation"))
        assert not scored[deleted].any() and (scored[~deleted].all() or count > 40), f"{fraction}: the wrong neurons are scored"
        before = deleted
        if count == 40:
            assert attribute(path, "single_trial_correlation", "/0") < score - 0.15, "40 % of neurons can be lost without harm"


def test_deleted_synapses(bench):
    for name, text, kinds in (("theta", THETA, (1,)), ("lif", LIF, (0, 1))):
        run = trained(bench, name, text)
        with h5py.File(os.path.join(run, "edges.h5")) as file:
            synapses = [len(file["edges"][p]["source_node_id"]) for p in ("static", "plastic")]
        for probability in (0.1, 0.5, 1):
            path = test(bench, run, "thinned", "--delete-synapses", str(probability))
            deleted = attribute(path, "deleted_synapses")
            for kind in kinds:
                sd = np.sqrt(synapses[kind] * probability * (1 - probability))
                assert abs(deleted[kind] - probability * synapses[kind]) <= 4 * sd, (name, kind, deleted, synapses)
        assert list(deleted) == synapses, "not all synapses are deleted with probability 1"
        if name == "theta":
            assert np.abs(numbers(path, "0/drive")).max() == 0, "there is a drive without synapses"
            thinned = test(bench, run, "thinned", "--delete-synapses", "0.5")
            assert attribute(thinned, "single_trial_correlation", "/0") < attribute(os.path.join(run, "test.h5"), "single_trial_correlation", "/0") - 0.15


FIXED = """\
simulation:  {dt: 0.5 ms, seed: 2, reset: never}
network:     {kind: populations, names: [E, I], sizes: [60, 20], types: [excitatory, inhibitory], connections: [20, 10, 15, 8], wiring: in_degree, weight: [87.8, -351.2],
              weight_cv: 0.3, weight_precision: fixed, background_rate: 8 Hz, background_inputs: [1150, 1050], background_weight: 87.8}
neuron:      {model: iaf_psc_exp}
plastic:     {kind: existing, trained: excitatory}
stimulus:    {start: 10 ms, stop: 20 ms}
targets:     {kind: sinusoid, duration: 100 ms}
guards:      {max_rate: 0 Hz, min_rate: 0 Hz}
learning:    {every: 5 ms, loops: 1}
test:        {trials: 2}
"""


def test_few_synapses_left(bench):
    """Synapses in blocks of which a test leaves so few that they are in lists, on some ranks or on all: the same bits on any number of ranks."""
    for name, text in (("delayed", DELAYED), ("fixed", FIXED), ("fixed_delay", FIXED.replace("fixed,", "fixed, delay: 1.5 ms,"))):
        run = trained(bench, name, text)
        for deleted in ("0.5", "0.97"):
            one = test(bench, run, "few", "--delete-synapses", deleted)
            for ranks in (2, 4):
                assert_same(one, test(bench, run, f"few.{ranks}", "--delete-synapses", deleted, ranks=ranks), f"{name}, {deleted} deleted: {ranks} ranks")


RECORDED = """\
simulation: {dt: 1 ms, seed: 5, reset: every_loop}
network:    {kind: random, neurons: 90, excitatory_fraction: 0.7, probability: 0.3, sigma: 1}
neuron:     {model: theta}
plastic:    {tau: 20 ms, %s}
stimulus:   {kind: constant, amplitude: 2, start: 0 ms, stop: 50 ms}
targets:    {kind: surrogate, units: 80, minimum_rate: 4 Hz, maximum_units: 30, conditions: 1, length: 200 ms, quantity: rate, others: auxiliary}
learning:   {lambda: 1, mu: 0, every: 10 ms, loops: 3}
output:     {correlation_window: 0 ms}
test:       {trials: 2}
"""


def pairs_of(run):
    """Per population of synapses the pairs of ids, and their weights."""
    with h5py.File(os.path.join(run, "edges.h5")) as file:
        return {kind: (file["edges"][kind]["source_node_id"][:], file["edges"][kind]["target_node_id"][:], file["edges"][kind]["0/syn_weight"][:].astype(float)) for kind in file["edges"]}


def test_shuffled_synapses(bench):
    run = trained(bench, "theta", THETA)
    plain, score = os.path.join(run, "test.h5"), {}
    weight = pairs_of(run)["plastic"][2]
    for probability in (0.1, 1):
        path = test(bench, run, "shuffled", "--shuffle-synapses", str(probability))
        shuffled = attribute(path, "shuffled_synapses")
        assert shuffled[0] == 0 and abs(shuffled[1] - probability * len(weight)) <= 4 * np.sqrt(len(weight) * probability * (1 - probability)), (shuffled, len(weight))
        score[probability] = attribute(path, "single_trial_correlation", "/0")
    assert score[1] < score[0.1] - 0.1 and score[0.1] < attribute(plain, "single_trial_correlation", "/0") - 0.02, score
    # who takes part: synapses between recorded neurons, plastic ones and, with a plastic set of its own, static ones
    for plastic, name in (("kind: existing", "existing"), ("kind: separate, excitatory_in_degree: 20, inhibitory_in_degree: 10, trained: targets", "separate")):
        run = trained(bench, name, RECORDED % plastic)
        with h5py.File(os.path.join(run, "targets.h5")) as file:
            recorded = file["targets/recorded_unit"][:] >= 0
        assert recorded.sum() == 30, recorded.sum()
        expected = [0, 0]
        for kind, (source, target, weight) in pairs_of(run).items():
            expected[kind == "plastic"] = (recorded[source] & recorded[target]).sum()
        cut = test(bench, run, "cut", "--delete-unit-synapses", "1", ranks=2, size=2)  # the same synapses
        assert list(attribute(cut, "deleted_synapses")) == expected and attribute(cut, "delete_unit_synapses") == 1, (attribute(cut, "deleted_synapses"), expected)
        assert not np.array_equal(numbers(cut, "0/drive"), numbers(os.path.join(run, "test.h5"), "0/drive")), "weights were deleted without effect"
        path = test(bench, run, "shuffled", "--shuffle-synapses", "1")
        assert list(attribute(path, "shuffled_synapses")) == expected and expected[1] > 100 and (name == "existing") == (expected[0] == 0), (attribute(path, "shuffled_synapses"), expected)
        assert_same(path, test(bench, run, "shuffled.3", "--shuffle-synapses", "1", ranks=3, size=3), f"{name}, 3 ranks")


AWAY = """\
simulation: {dt: 0.5 ms, seed: 1}
network:    {kind: none, neurons: 40, excitatory_fraction: 1}
neuron:     {model: lif, noise: voltage, noise_sd: 0.35}
plastic:    {kind: separate, excitatory_in_degree: 20, inhibitory_in_degree: 0, excitatory_weight: 4, tau: 20 ms}
stimulus:   {kind: none, start: 20 ms, stop: 40 ms}
targets:    {kind: sinusoid, duration: 500 ms, period: 100 ms}
learning:   {rule: none, every: 10 ms, loops: 1}
guards:     {max_rate: 0, min_rate: 0}
test:       {trials: 12}
"""


def test_runaway(bench):
    """A network that runs away in some trials, as the noise has it, is told of: the means over trials do not show it. Of one that does so in none nothing is said."""
    config, told = bench.config("away.yaml", AWAY), []
    for ranks in (1, 2):
        code, _, err = bench.run(["train", config, "-o", bench.path("away"), "--overwrite", "--quiet"], ranks)
        told.append([line for line in err.splitlines() if "runs away" in line])
        assert code == 0 and len(told[-1]) == 1, err
    rate = numbers(os.path.join(bench.path("away"), "test.h5"), "0/trial_rate")
    away = rate > 5 * np.sort(rate)[5]
    assert 0 < away.sum() < 7 and told[0] == told[1] and f"test: task 0: the network runs away in {away.sum()} of 12 trials, at up to {rate.max():.1f} Hz (median of the trials: {np.sort(rate)[5]:.3f} Hz)" in told[0][0], (told, rate)
    code, _, err = bench.run(["test", bench.path("away"), "-o", bench.path("some.h5"), "--trials", "5"])
    assert code == 0 and err.count("runs away") == 1, err
    code, _, err = bench.run(["train", config, "-o", bench.path("calm"), "-P", "plastic.excitatory_weight=2"])
    assert code == 0 and "runs away" not in err, err
    few = ["network.neurons=8", "plastic.excitatory_in_degree=3", "plastic.excitatory_weight=0.1", "test.trials=2000"]  # six spikes in a trial for the one that most have
    code, _, err = bench.run(["train", config, "-o", bench.path("few")] + [word for text in few for word in ("-P", text)])
    rate = numbers(os.path.join(bench.path("few"), "test.h5"), "0/trial_rate")
    assert code == 0 and rate.max() > 5.5 * np.median(rate) > 0 and "runs away" not in err, (err, rate.max(), np.median(rate))


def test_other_cue(bench):
    """Parameters of the kind of cue that a test leaves were never typed: the file of the run has them all. One that was typed with it is told."""
    run = trained(bench, "lif", LIF)
    for words, count in ((("stimulus.kind=none",), 0), (("stimulus.kind=none", "stimulus.sigma=0.1"), 1)):
        code, _, err = bench.run(["test", run, "-o", bench.path("cue.h5"), "--overwrite", *(word for pair in words for word in ("-P", pair))])
        assert code == 0 and err.count("ignored") == count, err
    code, _, err = bench.run(["check", bench.config("own.yaml", LIF.replace("stop: 40 ms}", "stop: 40 ms, sigma: 0.1}", 1)), "-P", "stimulus.kind=none"])
    assert code == 0 and err.count("ignored") == 1, err


def correlation(x, y):
    return np.corrcoef(x, y)[0, 1] if np.ptp(x) and np.ptp(y) else np.nan


def test_recorded_and_auxiliary(bench):
    """Scores of recorded units are told apart from those of auxiliary targets; PSTHs are compared with recorded rates, unit by unit; units and conditions keep their names."""
    bins, names = np.arange(1, 21) * 10.0, ["u7", "b c", "\u03b1\u03b2", "d", "e", "f"]
    rows = [["condition", "time_ms", *names]] + [[condition, f"{t:g}", *(f"{8 + 6 * np.sin(t / 30 + n + 2 * c):.6f}" for n in range(6))] for c, condition in enumerate(("go", "no-go")) for t in bins]
    table = bench.path("names.csv")
    with open(table, "w", encoding="utf-8") as file:
        file.writelines(",".join(row) + "\n" for row in rows)
    config = (RECORDED % "kind: existing").replace(
        "kind: surrogate, units: 80, minimum_rate: 4 Hz, maximum_units: 30, conditions: 1, length: 200 ms", f'kind: file, path: "{table}", maximum_units: 5').replace("loops: 3", "loops: 6")
    run = bench.train(bench.config("names.yaml", config), "names", 2, ["targets.auxiliary_scale=0.5"])
    path = os.path.join(run, "test.h5")
    with h5py.File(os.path.join(run, "targets.h5")) as targets, h5py.File(path) as tested:
        unit, trained = targets["targets/recorded_unit"][:], targets["targets/trained"][:] > 0
        groups = {"": trained & (unit >= 0), "auxiliary_": trained & (unit == -2)}
        assert [group.sum() for group in groups.values()] == [5, 85]
        for file in (targets["targets"], tested["test"]):
            assert [name.decode() for name in file["unit_name"][:]] == names[:5] and [name.decode() for name in file["condition_name"][:]] == ["go", "no-go"], file
            assert file["1"].attrs["condition"] == "no-go" and np.array_equal(file["recorded_unit"][:], unit)
        for task in (0, 1):
            here, goal, rate = tested[f"test/{task}"], targets[f"targets/{task}/target"][:], targets[f"targets/{task}/rate"][:]
            psth, drive = here["psth"][:], here["drive"][:]
            assert np.allclose(rate[:, unit == 2].ravel(), [float(row[4]) for row in rows[1 + 20 * task:21 + 20 * task]]), "the unit of that name"
            binned = rate.reshape(10, 2, -1).mean(axis=1)  # 20 ms of PSTH, learning instants every 10
            for name, group in groups.items():
                scores = [correlation(drive[:, i], goal[:, i]) for i in np.flatnonzero(group)]
                assert abs(here.attrs[name + "trial_averaged_correlation"] - np.nanmean(scores)) < 1e-9, (name, scores)
                assert abs(here.attrs[name + "single_trial_correlation"] - here[name + "trial_correlation"][:].mean()) < 1e-12
                fits = [correlation(psth[:, i], binned[:, i]) for i in np.flatnonzero(group) if psth[:, i].any()]
                assert abs(here.attrs[name + "rate_correlation"] - np.nanmean(fits)) < 1e-9, name
            assert abs(here.attrs["trial_averaged_correlation"] - here.attrs["auxiliary_trial_averaged_correlation"]) > 0.01, "the test tells nothing"
            i = int(np.flatnonzero((unit >= 0) & psth.any(axis=0))[0])
            assert abs(here["rate_correlation"][i] - correlation(psth[:, i], binned[:, i])) < 1e-9
            assert abs(here["rate_slope"][i] - np.polyfit(binned[:, i], psth[:, i], 1)[0]) < 1e-9
            assert abs(here["rate_error"][i] - np.sqrt(((psth[:, i] - binned[:, i]) ** 2).mean()) / binned[:, i].std()) < 1e-9
        average = [tested[f"test/{task}"].attrs["trial_averaged_correlation"] for task in (0, 1)]
        last = [[correlation(targets["targets/1/drive"][:, i], targets["targets/1/target"][:, i]) for i in np.flatnonzero(group)] for group in groups.values()]
    line = metrics(run)[-1]
    with open(os.path.join(run, "run.json")) as file:
        told = json.load(file)
    assert abs(line["correlation"] - np.nanmean(last[0])) < 1e-9 and abs(line["auxiliary_correlation"] - np.nanmean(last[1])) < 1e-9, line
    assert told["scored"] == {"recorded": 5, "auxiliary": 85} and all(abs(told["last_loop"][key] - line[key]) < 1e-9 for key in ("loop", "correlation", "auxiliary_correlation", "window_hz")), told
    assert [abs(test["trial_averaged_correlation"] - r) < 1e-9 and "auxiliary_rate_correlation" in test for test, r in zip(told["test"], average)] == [True, True], told
    table = bench.succeed(["status", run])
    assert f"  {line['correlation']:.3f}  {line['auxiliary_correlation']:.3f}  " in table and "aux: mean correlation with the target over neurons with auxiliary targets" in table, table
    code, out, err = bench.run(["test", run, "-o", bench.path("names.h5"), "--trials", "2"], 3)
    assert code == 0 and "5 recorded units" in out and "85 auxiliary targets" in out and f"{average[1]:.3f}" in out, out + err
    assert_same(path, bench.path("names.h5"), "names, 3 ranks")
    with open(bench.path("names.json")) as file:
        assert [task["condition"] for task in json.load(file)["tasks"]] == ["go", "no-go"]


def test_noise(bench):
    """External noise has the variance that it should: the free membrane of a LIF neuron that never fires has SD sigma/sqrt(2)."""
    run = trained(bench, "theta", THETA)
    plain, noisy = attribute(os.path.join(run, "test.h5"), "single_trial_correlation", "/0"), test(bench, run, "noisy", "--noise", "1")
    assert attribute(noisy, "single_trial_correlation", "/0") < plain - 0.1, "noise does no harm"
    # no network: a neuron under noise of its own (neuron.noise_sd, current) fires as one under external noise of the same size
    alone = """\
simulation: {dt: 0.5 ms, seed: 2}
network:    {kind: none, neurons: 200, bias: 0.5}
neuron:     {model: lif, noise: current, noise_sd: %s}
plastic:    {kind: none}
stimulus:   {kind: none, start: 0 ms, stop: 0 ms}
targets:    {kind: sinusoid, duration: 500 ms}
learning:   {rule: none, every: 10 ms, loops: 1}
output:     {correlation_window: 10 ms}
test:       {trials: 10}
"""
    own = trained(bench, "own_noise", alone % "0.65")
    external = test(bench, trained(bench, "no_noise", alone % "0"), "external", "--noise", "0.65")
    rates = attribute(os.path.join(own, "test.h5"), "rate_hz", "/0"), attribute(external, "rate_hz", "/0")
    assert rates[0] > 20 and abs(rates[1] / rates[0] - 1) < 0.03, rates


def test_deleted_spike(bench):
    run = trained(bench, "theta", THETA)
    path, at = test(bench, run, "spike", "--delete-spike", "100"), "0/delete_spike/"
    assert np.array_equal(numbers(path, "0/trial_correlation"), numbers(os.path.join(run, "test.h5"), "0/trial_correlation")), "the intact trials changed"
    time, difference = numbers(path, at + "time"), numbers(path, at + "trial_rms_difference")
    when, who = numbers(path, at + "spike_time"), numbers(path, at + "spike_neuron")
    assert time[0] == 2 and time[-1] == 500 and len(time) == 250, time
    assert (when >= 100).all() and (when < 120).all() and (who >= 0).all() and len(set(who)) > 1, (when, who)
    for n, t in enumerate(when):
        assert difference[n][time < t].max() == 0, f"trial {n}: the drives differ before the deletion"
        assert difference[n][time >= t].min() > 0, f"trial {n}: the drives do not differ after the deletion"
    with h5py.File(os.path.join(run, "edges.h5")) as file:  # the first difference is that of one spike: w / tau in units of 10 ms
        edges = file["edges/plastic"]
        for n, (t, gid) in enumerate(zip(when, who)):
            weights = edges["0/syn_weight"][:][edges["source_node_id"][:] == gid].astype(float)
            decay = 1 - 0.05 + 0.05**2 / 2 - 0.05**3 / 6 + 0.05**4 / 24
            expected = np.sqrt((weights**2).sum() / 100) * 10 / 20 * (decay if t % 2 else 1)
            found = difference[n][time >= t][0]
            assert t % 2 or abs(found / expected - 1) < 1e-9, (found, expected)
    assert np.allclose(numbers(path, at + "rms_difference"), difference.mean(0), rtol=1e-12)
    phases = numbers(path, at + "trial_phase_deviation")  # the shorter way round, mean over neurons
    assert phases.shape == difference.shape and phases.max() < np.pi and np.allclose(numbers(path, at + "phase_deviation"), phases.mean(0), rtol=1e-12)
    with h5py.File(os.path.join(run, "edges.h5")) as file:
        edges = file["edges/plastic"]
        for n, (t, gid) in enumerate(zip(when, who)):
            assert phases[n][time <= t].max() == 0, f"trial {n}: the phases differ before the drives"
            first = phases[n][time > t][0]  # 1 or 2 steps behind: 2 dt/tau of what the drive lacks, w/2, is the most that a step can make of it
            most = 1.1 * 2 * 2 * 0.1 * 0.5 * np.abs(edges["0/syn_weight"][:][edges["source_node_id"][:] == gid]).sum() / 100
            assert 0 < first <= most, (n, first, most)
    assert phases[:, -1].mean() > 10 * phases[:, time > when.max()][:, 0].mean(), "behind the window trajectories part"
    bins, fraction = numbers(path, at + "bin_end"), numbers(path, at + "trial_differing_spikes")
    assert bins[0] == 109 and fraction.min() >= 0 and fraction.max() <= 1 and (fraction.sum(1) > 0).all()
    assert (numbers(path, at + "agreement") < 1).all()
    late = test(bench, run, "late", "--delete-spike", "500", "-P", "test.psth_bin=1 ms")  # the last step: a deletion that nothing can follow
    assert numbers(late, at + "trial_rms_difference")[:, :-1].max() == 0


def test_deleted_spike_with_delays(bench):
    """Nothing hears of a spike before the delay has passed: at the end of step t + d - 1 the drives have it, and all that comes later; others in flight are not touched."""
    run = trained(bench, "theta_delayed", THETA.replace("sigma: 1}", "sigma: 1, delay: 7 ms}"))
    path, at = test(bench, run, "spike_delayed", "--delete-spike", "100"), "0/delete_spike/"
    time, difference, when = (numbers(path, at + name) for name in ("time", "trial_rms_difference", "spike_time"))
    for n, t in enumerate(when):
        assert difference[n][time < t + 6].max() == 0, f"trial {n}: the drives differ before the spike arrives"
        assert difference[n][time >= t + 6].min() > 0, f"trial {n}: the drives do not differ when the spike has arrived"


def test_errors(bench):
    run = trained(bench, "theta", THETA)
    elsewhere = bench.path("untouched.h5")
    refused = {
        "--trials 0": "1048576", "--trials 2.5": "whole", "--skip-trials -1": "whole", "--trials": "--trials needs", "--ranks-per-trial 3": "the job has", "--delete-neurons 1": "below 1",
        "--delete-neurons -0.1": "fraction", "--delete-neurons 5%": "5%", "--delete-synapses 1.5": "probability", "--delete-unit-synapses 2": "probability", "--delete-unit-synapses 0.5": "no recorded units", "--shuffle-synapses -1": "probability", "--noise nan": "standard deviation",
        "--delete-spike 501": "500 ms", "--delete-spike 10ms": "without a unit", "--spikes last": "must be all or none", "--frobnicate": "unknown option '--frobnicate'", "-P network.neurons=50": "output.*",
        "-P simulation.seed=2": "belongs to the training", "-P stimulus.stop=60 ms": "stimulus.stop", "-P output.psth_bin=0.7 ms": "psth_bin", "-P test.psth_bin=0.7 ms": "psth_bin", "-P output.frob=1": "frob",
        "twice": "one argument too many",
    }
    for ranks, told in ((1, list(refused)), (2, ["--trials 0", "--ranks-per-trial 3", "--delete-spike 501"])):
        for words in told:
            message = refused[words]
            head, _, tail = words.partition(" ")
            code, out, err = bench.run(["test", run, "-o", elsewhere, head] + ([tail] if tail else []), ranks)
            assert code == 2 and message in err and err.count("engram: error") == 1, f"{words} on {ranks} ranks: exit code {code}\n{out}\n{err}"
            assert not os.path.exists(elsewhere), words
        for arguments, message in ((["test"], "needs the directory"), (["test", bench.path("nowhere")], "holds no run"), (["test", run, "-o", "x.txt"], "must end in .h5"),
                                   (["test", run], "is what the training wrote"), (["test", run, "-o", bench.path("no", "folder.h5")], "cannot be written")):
            code, out, err = bench.run(arguments, ranks)
            assert code == 2 and message in err and err.count("engram: error") >= 1, f"{arguments} on {ranks} ranks: exit code {code}\n{out}\n{err}"


def test_failures_are_agreed(bench):
    """A network out of range: every rank ends with exit code 4; a damaged run: exit code 2. One message, whatever the groups."""
    def refused(run, code, message):
        for ranks, size in ((1, 1), (4, 1), (3, 2)):
            found, out, err = bench.run(["test", run, "--overwrite", "--ranks-per-trial", str(size)], ranks)
            assert found == code and err.count("engram: error") == 1 and message in err, f"{ranks} by {size}: exit code {found}\n{out}\n{err}"

    strong = trained(bench, "strong", """\
simulation: {dt: 1 ms, seed: 5}
network:    {kind: random, neurons: 20, excitatory_fraction: 1, probability: 0.5, sigma: 1}
neuron:     {model: theta}
plastic:    {kind: separate, excitatory_in_degree: 5, inhibitory_in_degree: 0, excitatory_weight: 1e6}
stimulus:   {kind: constant, amplitude: 2, start: 0 ms, stop: 50 ms}
targets:    {kind: sines, duration: 100 ms}
learning:   {rule: none, every: 2 ms, loops: 1}
guards:     {max_rate: 0}
""")
    refused(strong, 4, "the drive of neuron")
    damaged = bench.path("damaged")
    shutil.copytree(trained(bench, "theta", THETA), damaged)
    folder = os.path.join(damaged, "checkpoint")
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "r+b") as file:
            file.truncate(os.path.getsize(file.name) - 100)
    refused(bench.make_room(damaged), 2, "checkpoint")


def test_between_loops(bench):
    """Tests between loops are those of `engram test` on what was learned by then, and leave no trace in what is learned: not in networks that carry their state either."""
    for name, text, score in (("theta", THETA.replace("reset: every_loop", "reset: never"), "trial_averaged_correlation"), ("lif", LIF, "single_trial_correlation")):
        config = bench.config(f"between_{name}.yaml", text)
        loops = ["learning.loops=4"]
        without, every = bench.train(config, f"{name}.without", 2, loops), bench.train(config, f"{name}.every", 3, loops + ["test.every=2"])
        for file, dataset in (("spikes.h5", "spikes/neurons/timestamps"), ("edges.h5", "edges/plastic/0/syn_weight"), ("test.h5", "test/0/drive")):
            with h5py.File(os.path.join(without, file)) as a, h5py.File(os.path.join(every, file)) as b:
                assert np.array_equal(a[dataset][()], b[dataset][()]), (name, file, dataset)
        rows, plain = metrics(every), metrics(without)
        assert [row["test_" + score] is not None for row in rows] == [False, True, False, True] and "test_" + score not in plain[0], rows
        assert [row["correlation"] for row in rows] == [row["correlation"] for row in plain]
        with h5py.File(os.path.join(every, "test.h5")) as file:  # the same trials, after the last loop
            last = np.mean([file[f"test/{task}"].attrs[score] for task in range(2 if name == "lif" else 1)])
        assert abs(rows[-1]["test_" + score] - last) < 1e-9 and rows[1]["test_" + score] != rows[3]["test_" + score], (rows[-1], last)
        half = bench.train(config, f"{name}.half", 2, ["learning.loops=2", "test.every=2"])
        bench.succeed(["train", config, "--resume", half, "-P", "learning.loops=4", "-P", "test.every=2"], 1)
        assert [row["test_" + score] for row in metrics(half)] == [row["test_" + score] for row in rows]
    rates = 10 + np.outer([0, 5], np.sin(np.arange(30) / 3))[:, :, None] * np.ones(4)  # what is constant correlates with nothing: the mean is that over the other task
    with h5py.File(bench.path("constant.h5"), "w") as file:
        file["rate"], file["time"] = rates, np.arange(1, 31) * 10.0
    constant = bench.train(bench.config("constant.yaml", f'network: {{neurons: 40, kind: none}}\nplastic: {{kind: all_to_all}}\nneuron: {{noise_sd: 0.9, noise: current}}\n'
                                                         f'stimulus: {{start: 10 ms, stop: 20 ms}}\ntargets: {{kind: file, path: "{bench.path("constant.h5")}", quantity: rate}}\n'
                                                         'learning: {loops: 2, every: 10 ms}\ntest: {every: 1, trials: 1}\nguards: {max_rate: 0, min_rate: 0}\n'), "constant")
    with h5py.File(os.path.join(constant, "test.h5")) as file:
        undefined, defined = (file[f"test/{task}"].attrs["trial_averaged_correlation"] for task in range(2))
    assert np.isnan(undefined) and abs(metrics(constant)[-1]["test_trial_averaged_correlation"] - defined) < 1e-9, (undefined, defined, metrics(constant))
    code, _, err = bench.run(["train", config, "-o", bench.path("refused"), "-P", "test.every=2", "-P", "test.trials=0"])
    assert code == 2 and "test.every" in err and "give test.trials" in err and not os.path.exists(bench.path("refused")), err


def test_names_of_tasks(bench):
    """Tasks of recorded conditions go by their names in the log, in the table of a test and in run.json, and in a file that is there before the first loop; a name that is a number is told apart from a number."""
    bench.config("named.csv", "condition,time_ms,a,b\n" + "".join(f"{name},{t},{8 + 3 * np.sin(t / 30 + k):.3f},{9 + 2 * np.cos(t / 20 + k):.3f}\n" for k, name in enumerate(("go", "7")) for t in range(0, 200, 10)))
    config = bench.config("named.yaml", "network: {neurons: 20, kind: none}\nplastic: {kind: all_to_all}\nneuron: {noise_sd: 0.9, noise: current}\nstimulus: {start: 10 ms, stop: 20 ms}\n"
                                        "targets: {kind: file, path: named.csv, quantity: rate}\nlearning: {loops: 2, every: 10 ms}\ntest: {trials: 1}\nguards: {max_rate: 0, min_rate: 0}\n")
    out = bench.path("named")
    said = bench.succeed(["train", config, "-o", out], 2)
    assert "loop 1/2  task go  " in said and "loop 2/2  condition 7  " in said and "test: task go, 1 trials" in said and "test: condition 7, 1" in said, said
    with open(os.path.join(out, "run.json")) as file:
        assert [(of["task"], of["condition"]) for of in json.load(file)["test"]] == [(0, "go"), (1, "7")]
    lines = bench.succeed(["test", out, "-o", bench.path("named.h5"), "--trials", "2"], 2).splitlines()
    table = next(k for k, line in enumerate(lines) if line.startswith("task  trials"))
    assert [line.split()[:2] for line in lines[table + 1:table + 3]] == [["go", "2"], ["7", "2"]], lines

    def told():
        with open(os.path.join(out, "tasks.json")) as file:
            return json.load(file)

    assert told() == {"condition": ["go", "7"]}
    os.remove(os.path.join(out, "tasks.json"))  # of an earlier program
    said = bench.succeed(["train", config, "--resume", out, "-P", "learning.loops=3"])
    assert "loop 3/3  task go" in said and told() == {"condition": ["go", "7"]}, said
    bench.succeed(["train", config, "-o", out, "--overwrite", "-P", "targets.kind=sinusoid"])
    assert not os.path.exists(os.path.join(out, "tasks.json")), "names of a run that was overwritten"


if __name__ == "__main__":
    run_tests([test_names_of_tasks, test_between_loops, test_same_bits, test_trials, test_spikes, test_nothing_done_is_nothing, test_deleted_neurons, test_deleted_synapses, test_few_synapses_left, test_shuffled_synapses, test_runaway, test_other_cue, test_recorded_and_auxiliary, test_noise, test_deleted_spike, test_deleted_spike_with_delays, test_errors,
               test_failures_are_agreed])
