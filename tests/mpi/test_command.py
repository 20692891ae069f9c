"""The command line: exit codes, messages that name the place and the nearest name, and that refused runs touch nothing."""
import json
import os
import shutil
import subprocess

import h5py
import numpy as np
from engram_test import edges, metrics, run_tests, some, spikes

SMALL = """\
simulation:
  dt: 0.5 ms
  baseline: 100 ms
network:
  neurons: 20
  in_degree: 3
stimulus:
  start: 10 ms
  stop: 20 ms
targets:
  duration: 50 ms
learning:
  every: 5 ms
  loops: 2
output:
  correlation_window: 10 ms
"""
RATES = SMALL.replace("targets:\n", "targets:\n  kind: file\n  quantity: rate\n  path: rates.csv\n")


def expect(bench, arguments, code, *wanted, ranks=1, absent=(), timeout=240):
    """Run; check the exit code and that the output holds every text of `wanted`; return (stdout, stderr)."""
    got, out, err = bench.run(arguments, ranks, timeout)
    told = f"engram {' '.join(map(os.fsdecode, arguments))} on {ranks} ranks: exit code {got}, wanted {code}\n--- stdout\n{out}\n--- stderr\n{err}"
    assert got == code, told
    for text in wanted:
        assert text in out + err, f"'{text}' is missing\n{told}"
    for text in absent:
        assert text not in out + err, f"'{text}' should not be there\n{told}"
    if code == 2:
        assert "engram: error: " in err and "engram: error: " not in err.partition("engram: warning: ")[2], told  # why it is refused comes first
    return out, err


def snapshot(folder):
    """Names, sizes, times and contents of all files below a folder."""
    found = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(place, name)
            status = os.stat(path)
            found[path] = (status.st_mtime_ns, status.st_size, open(path, "rb").read() if os.path.isfile(path) else None)
    return found


def files(out):
    """snapshot() of what has the same name in every run."""
    return {path: found for path, found in snapshot(out).items() if "/checkpoint" not in path}


def test_usage(bench):
    out, err = expect(bench, ["--help"], 0, "engram train CONFIG", "Exit codes")
    assert not err, err
    expect(bench, ["train", "x.yaml", "-h"], 0, "engram train CONFIG", "--max-hours H\n", "Exit codes", absent=["engram calibrate"])
    expect(bench, ["status", "--help"], 0, "engram status DIR")
    expect(bench, ["trian", "--help"], 0, "engram calibrate -o FILE")
    expect(bench, ["--version"], 0, "engram 0.", "MPI", "HDF5", "BLAS")
    assert expect(bench, ["--help"], 0, ranks=2)[0].count("Exit codes") == 1
    expect(bench, [], 2)
    expect(bench, ["trian", "x.yaml"], 2, "unknown command 'trian'", "did you mean 'train'")
    expect(bench, ["frobnicate"], 2, "unknown command 'frobnicate'", "train, test, check, plan, calibrate, status, watch and list", absent=["did you mean"])
    expect(bench, ["train"], 2, "needs a parameter file")
    expect(bench, ["train", "a.yaml", "b.yaml"], 2, "'b.yaml' is one argument too many")
    expect(bench, ["train", "a.yaml", "--frob"], 2, "unknown option '--frob'", "--overwrite")
    expect(bench, ["train", "a.yaml", "-o"], 2, "-o needs a directory")
    expect(bench, ["train", "a.yaml", "-P"], 2, "-P needs section.key=value")
    expect(bench, ["-P", "test.trials=1", "check", "a.yaml"], 2, "a.yaml", absent=["unknown command"])
    expect(bench, ["train", "a.yaml", "--max-hours", "0"], 2, "--max-hours 0: must be a number of hours above 0")
    expect(bench, ["calibrate", "a.yaml"], 2, "'a.yaml' is one argument too many")
    expect(bench, ["train", bench.path("nowhere.yaml")], 2, "nowhere.yaml", "No such file")
    expect(bench, ["check", bench.work], 2, bench.work)


def test_list(bench):
    out, err = expect(bench, ["list"], 0, "network: ", "neuron: ", "plastic: ", "targets: ", "learning: ", "output: ", "kind: balanced_ei", "model: theta")
    assert not err, err
    out, _ = expect(bench, ["list", "targets"], 0, "kind: sinusoid", "kind: file", absent=["balanced_ei"])
    for plural in ("networks", "neurons", "stimuli", "targets", "rules"):
        expect(bench, ["list", plural], 0)
    expect(bench, ["list", "neuron"], 0, "model: lif", absent=["balanced_ei"])
    expect(bench, ["list", "lif"], 0, "neuron: ", "model: lif", "membrane_tau", absent=["model: theta"])
    expect(bench, ["list", "patterns"], 0, "network: ", "learning: ", "rule: rls", "test: ")
    expect(bench, ["list", "netwrok"], 2, "netwrok", "network")
    expect(bench, ["list", "thta"], 2, "did you mean 'theta'?")


def test_neuron_refusals(bench):
    """What a neuron model cannot do is said with the way out; keys of another level are named."""
    config = bench.config("cells.yaml", SMALL)
    for model in ("izhikevich", "lif_mv", "glif3"):
        expect(bench, ["check", config, "-P", f"neuron.model={model}", "-P", "targets.quantity=rate"], 2, "rate_form", "siegert needs lif", "targets.quantity: drive")
    expect(bench, ["check", config, "-P", "neuron.model=qif", "-P", "targets.quantity=rate", "-P", "targets.rate_form=siegert"], 2, "rate_form", "use phi")
    expect(bench, ["check", config, "-P", "neuron.model=lif_mv", "-P", "targets.quantity=rate", "-P", "targets.rate_form=phi"], 2, "theta and qif", "targets.quantity: drive")
    expect(bench, ["check", config, "-P", "neuron.model=glif1", "-P", "targets.quantity=rate", "-P", "targets.rate_form=phi"], 2, "use siegert")
    expect(bench, ["check", config, "-P", "neuron.model=izhikevich", "-P", "neuron.classes=[RS, XY]"], 2, "neuron.classes", "'XY'", "LTS")
    expect(bench, ["check", config, "-P", "neuron.model=izhikevich", "-P", "neuron.a=0.1"], 2, "neuron.a", "custom")
    expect(bench, ["check", config, "-P", "neuron.model=glif3", "-P", "neuron.threshold_coupling=0.2/ms"], 0, "belongs to model 'glif5', but model is 'glif3': ignored")


def test_bad_values(bench):
    config = bench.config("small.yaml", SMALL)
    bad = bench.config("bad.yaml", SMALL + "lerning:\n  every: 1 ms\n")
    expect(bench, ["check", bad], 2, "bad.yaml:17:1", "lerning", "learning")
    bad = bench.config("bad.yaml", SMALL.replace("neurons:", "neuron_count:"))
    expect(bench, ["check", bad], 2, "bad.yaml:5:3", "neuron_count")
    bad = bench.config("bad.yaml", SMALL.replace("loops:", "lops:"))
    expect(bench, ["check", bad], 2, "bad.yaml:14:3", "lops", "did you mean 'loops'")
    bad = bench.config("bad.yaml", SMALL.replace("neurons: 20", "neurons: -20").replace("dt: 0.5 ms", "dt: 0.5 mV"))
    expect(bench, ["check", bad], 2, "bad.yaml:5:", "-20", "bad.yaml:2:", "mV")  # all mistakes at once
    expect(bench, ["check", config, "-P", "network.kind=balanced"], 2, "balanced_ei", "-P network.kind=balanced")
    expect(bench, ["check", config, "-P", "nonsense"], 2, "nonsense")
    expect(bench, ["check", config, "-P", "learning.loops=two"], 2, "two")
    expect(bench, ["check", config, "-P", "learning.every=0.7 ms"], 2, "learning.every", "0.7 ms", "0.5 ms")
    expect(bench, ["check", config, "-P", "targets.duration=52 ms"], 2, "targets.duration", "52 ms", "multiple of learning.every")
    expect(bench, ["check", config, "-P", "simulation.loop_duration=60 ms"], 2, "loop_duration", "60", "70")
    expect(bench, ["check", config, "-P", "stimulus.stop=5 ms"], 2, "stimulus.stop")
    expect(bench, ["check", config, "-P", "plastic.excitatory_in_degree=11"], 2, "excitatory_in_degree", "11", "10")
    expect(bench, ["check", config, "-P", "network.in_degree=10"], 2, "in_degree", "20 targets", "19 others")
    expect(bench, ["check", config, "-P", "neuron.noise_sd=[1, 2, 3]"], 2, "noise_sd", "3 values")
    expect(bench, ["check", config, "-P", "plastic.tau_range=[9]"], 2, "tau_range")
    expect(bench, ["check", config, "-P", "output.report=[voltage]"], 2, "voltage")
    expect(bench, ["check", config, "-P", "neuron.threshold=2", "-P", "targets.quantity=rate"], 2, "siegert")
    out, err = bench.run(["check", config, "-P", "plastic.kind=all_to_all", "-P", "plastic.sigma=1"])[1:]
    assert "learning.mu" in err and err.count("engram: error") == 1, err


def test_too_many_partners(bench):
    """More plastic inputs of a kind than there are neurons of it: which, what there is, and what is allowed."""
    config = bench.config("partners.yaml", "network: {neurons: 100, in_degree: 10}\nplastic: {excitatory_in_degree: 64, inhibitory_in_degree: 10}\n")
    expect(bench, ["check", config], 2, "excitatory_in_degree", "64 excitatory partners of each neuron are wanted, but the network has 50 excitatory neurons; allowed are 0 to 50")
    few = ["-P", "plastic.excitatory_in_degree=50", "-P", "plastic.inhibitory_in_degree=51"]
    expect(bench, ["check", config, *few], 2, "inhibitory_in_degree", "51 inhibitory partners of each neuron are wanted, but the network has 50 inhibitory neurons; allowed are 0 to 50")
    expect(bench, ["check", config, *few, "-P", "plastic.active_fraction=0.5", "-P", "plastic.inhibitory_in_degree=26", "-P", "plastic.excitatory_in_degree=25"], 2,
           "26 inhibitory partners", "25 inhibitory neurons among the most active ones (active_fraction: 0.5); allowed are 0 to 25")


def test_refusal_before_warnings(bench):
    """What makes a run refuse is the first that is read, whatever is found on the way to it; warnings stand behind it, once. Where nothing is refused they come before any work."""
    config, ignored = bench.config("small.yaml", SMALL), ["-P", "neuron.threshold_coupling=0.2/ms"]
    for words, code in ((["-P", "targets.kind=file", "-P", f"targets.path={bench.path('nowhere.csv')}"], 2), (["-P", "network.in_degree=10"], 2), ([], 0)):
        for command in (["check", config], ["plan", config], ["train", config, "-o", bench.path("warned"), "--overwrite"]):
            for ranks in (1, 2):
                _, err = expect(bench, [*command, *ignored, *words], code, "belongs to model 'glif5', but model is 'lif': ignored", ranks=ranks)
                assert err.count("is 'lif': ignored") == 1, err
    done = subprocess.run([bench.engram, "train", config, "-o", bench.path("warned"), "--overwrite", *ignored], env=bench.single(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
    assert done.returncode == 0 and 0 <= done.stdout.find("engram: warning: ") < done.stdout.find("memory"), done.stdout


def test_combinations(bench):
    """What only shows when sections meet is refused, on any number of ranks, with the key to change."""
    config = bench.config("combinations.yaml", SMALL)
    theta = ["neuron.model=theta", "network.kind=random", "targets.quantity=rate", "targets.kind=sines"]
    refused = {
        "learning.mu": ["plastic.kind=all_to_all", "plastic.sigma=1"],
        "learning.store": ["learning.store=distributed"],
        "learning.grid_columns": ["plastic.group_size=4", "learning.store=distributed", "learning.grid_columns=2"],
        "targets.rate_form": theta + ["plastic.kind=all_to_all", "learning.mu=0"],
        "plastic.tau_range": theta[:2] + ["plastic.kind=existing", "plastic.tau_range=[10 ms, 20 ms]"],
        "neuron.precision": ["neuron.precision=single", "plastic.drive=readout"],
        "plastic.kind": ["plastic.kind=none"],
        "plastic.trained": ["plastic.trained=targets"],
        "feedforward.units": ["plastic.kind=none", "learning.rule=none", "feedforward.units=3"],
        "network.tau_excitatory": ["network.tau_excitatory=0.4 ms"],
        "stimulus.tau": ["stimulus.tau=0.4 ms"],
        "output.report_every": ["output.report_every=0.7 ms"],
        "simulation.baseline": ["simulation.baseline=1 ms"],
        "targets.bin": ["targets.kind=surrogate", "targets.quantity=rate", "targets.bin=100 ms", "targets.length=50 ms"],
        "targets.duration": ["targets.kind=surrogate", "targets.quantity=rate", "targets.length=40 ms"],
    }
    for ranks in some((1, 3)):
        for key, overrides in list(refused.items())[::1 if ranks == 1 else 4]:
            expect(bench, ["check", config] + [w for o in overrides for w in ("-P", o)], 2, key, ranks=ranks)
    phi = [w for o in ("targets.quantity=rate", "targets.rate_form=phi") for w in ("-P", o)]
    expect(bench, ["check", config] + phi, 2, "targets.rate_form", "siegert")


def test_overwriting_leaves_nothing_behind(bench):
    config, out = bench.config("stale.yaml", SMALL), bench.path("stale")
    expect(bench, ["train", config, "-o", out, "-P", "test.trials=1"], 0)
    assert os.path.exists(os.path.join(out, "test.h5"))
    expect(bench, ["train", config, "-o", out, "-overwrite"], 2, "unknown option '-overwrite'")  # not "-o verwrite"
    expect(bench, ["train", config, "-o", out, "--overwrite", "-P", "output.spikes=none"], 0)
    for name in ("test.h5", "spikes.h5"):
        assert not os.path.exists(os.path.join(out, name)), f"{name} of the earlier run is still there"


def test_numeric_failure(bench):
    """A drive that is not finite ends the run with exit code 4; the loops before it stay in metrics.csv."""
    config, out = bench.config("numeric.yaml", SMALL), bench.path("numeric")
    expect(bench, ["train", config, "-o", out, "-P", "plastic.excitatory_weight=1e6", "-P", "plastic.excitatory_in_degree=3", "-P", "plastic.inhibitory_in_degree=0",
                   "-P", "targets.amplitude=1e6", "-P", "learning.lambda=1e-12", "-P", "learning.mu=1e12", "-P", "learning.loops=50"], 4, "loop ", "neuron ")


def test_error_is_printed_once(bench):
    config = bench.config("small.yaml", SMALL)
    for ranks in some((2, 3)):
        for override in ("learning.lops=3", "targets.duration=52 ms", "plastic.excitatory_in_degree=11", "targets.path=x"):
            arguments = ["train", config, "-o", bench.path("never"), "-P", override]
            if override == "targets.path=x":
                arguments += ["-P", "targets.kind=file"]
            _, err = expect(bench, arguments, 2, ranks=ranks)
            assert err.count("engram: error: ") == 1, err
            assert not os.path.exists(bench.path("never"))
    expect(bench, ["trian"], 2, "did you mean 'train'", ranks=2)


def writes(bench, arguments):
    """(exit code, what each write to stdout and to stderr had, of less than 4096 bytes): pipes that keep packets apart. Little enough for the pipes."""
    ends = [os.pipe2(os.O_DIRECT) for _ in range(2)]
    code = subprocess.run([bench.engram, *arguments], env=bench.single(), stdout=ends[0][1], stderr=ends[1][1], timeout=240).returncode
    found = []
    for reading, writing in ends:
        os.close(writing)
        found.append(list(iter(lambda: os.read(reading, 1 << 16), b"")))
        os.close(reading)
    return code, *found


def test_whole_lines(bench):
    """A message is one write: where a launcher or Slurm joins stdout and stderr, or those of ranks, nothing comes between. A line of training had stood behind 'engram: warning: '."""
    config, silent = bench.config("small.yaml", SMALL), ["-P", "network.external_drive=0"]
    looked = 0
    for arguments, code in ((["train", config, "-o", bench.path("whole"), "--overwrite", *silent], 0), (["status", bench.path("whole")], 0), (["status", bench.path("nowhere")], 2),
                            (["trian"], 2), (["check", config, "-P", "learning.lops=3", "-P", "network.neuros=4"], 2), (["list", "learning"], 0)):
        got, out, err = writes(bench, arguments)
        assert got == code, (arguments, got, out, err)
        for text in out + err:
            assert text.endswith(b"\n") or len(text) == 4096, (arguments, text)
            looked += 1
        for text in err:
            assert text.startswith((b"engram: ", b"usage: ")), (arguments, text)
    assert looked > 10, looked


def test_data(bench):
    config = bench.config("rates.yaml", RATES)
    with open(bench.path("rates.csv"), "w") as file:
        file.write("time_ms,a,b\n5,1,2\n10,3,oops\n15,4,5\n")
    expect(bench, ["check", config, "-P", "targets.duration=auto"], 2, "rates.csv:3", "oops", ranks=1)
    expect(bench, ["check", config, "-P", "targets.duration=auto"], 2, "rates.csv:3", "oops", ranks=2)
    with open(bench.path("rates.csv"), "w") as file:
        file.write("time_ms,a,b\n5,1,2\n10,3,-1\n15,4,5\n")
    expect(bench, ["check", config], 2, "rates.csv:3", "-1")
    with open(bench.path("rates.csv"), "w") as file:
        file.write("time_ms," + ",".join(f"u{n}" for n in range(21)) + "\n" + "".join(f"{t}," + ",".join(["2"] * 21) + "\n" for t in range(5, 55, 5)))
    expect(bench, ["check", config], 2, "21 recorded units", "20")
    expect(bench, ["check", config, "-P", "targets.pairing=rate", "-P", "network.neurons=40", "-P", "plastic.inhibitory_in_degree=3"], 2, "21 recorded units", "20 excitatory")
    expect(bench, ["check", config, "-P", "network.neurons=21"], 0)
    expect(bench, ["check", config, "-P", "network.neurons=21", "-P", "targets.minimum_rate=9 Hz"], 2, "minimum_rate", "no unit")
    os.remove(bench.path("rates.csv"))
    expect(bench, ["check", config], 2, "rates.csv", "No such file")


def test_damaged_edges(bench):
    """A mistake in a part of the file that one rank alone reads ends all ranks, soon and with one message."""
    config = bench.config("small.yaml", SMALL)
    source = bench.train(config, "source", overrides=["learning.precision=double"])
    for population, kind in (("static", "network"), ("plastic", "plastic")):
        for place in (0, -1):
            shutil.copy(os.path.join(source, "edges.h5"), bench.path("edges.h5"))
            with h5py.File(bench.path("edges.h5"), "r+") as file:
                file[f"edges/{population}/0/syn_weight"][place] = np.nan
            overrides = ["-P", f"{kind}.kind=sonata", "-P", f"{kind}.path={bench.path('edges.h5')}", "-P", f"{kind}.population={population}"]
            for ranks in some((1, 2, 4)):
                _, err = expect(bench, ["check", bench.config("plain.yaml", SMALL.replace("  in_degree: 3\n", "")), "-P", "plastic.excitatory_in_degree=3",
                                        "-P", "plastic.inhibitory_in_degree=3", "-P", "network.static_probability=0.3"] + overrides, 2, "syn_weight", "nan", ranks=ranks, timeout=120)
                assert err.count("engram: error: ") == 1, err


def test_output_directory(bench):
    config = bench.config("small.yaml", SMALL)
    out = bench.train(config, "kept")
    before = files(out)
    assert {"metrics.csv", "run.json", "spikes.h5", "edges.h5", "nodes.h5", "targets.h5"} <= {os.path.basename(p) for p in before}
    expect(bench, ["train", config, "-o", out, "-P", "simulation.seed=2"], 2, out, "already holds a run", "--overwrite")
    expect(bench, ["train", config, "-o", out + "/", "-P", "simulation.seed=2"], 2, "already holds a run", ranks=2)
    assert files(out) == before, "a refused run changed the directory"
    expect(bench, ["train", config, "-o", out, "--overwrite", "-P", "learning.loops=3"], 0)
    after = files(out)
    assert len(metrics(out)) == 3 and after.keys() == before.keys(), after.keys()
    assert all(after[p] != before[p] for p in before), [p for p in before if after[p] == before[p]]
    code, stdout, _ = bench.run(["train", config, "-o", bench.path("a/b/c"), "--quiet"])  # folders are made; quiet says nothing
    assert code == 0 and stdout == "" and os.path.exists(bench.path("a/b/c/run.json")), stdout


def test_refused_before_work(bench):
    """Whatever can be refused is refused before the network runs: here it would run for days."""
    long = ["-P", "simulation.baseline=1e8 ms", "-P", "targets.quantity=rate"]
    config, held, plain = bench.config("small.yaml", SMALL), bench.path("held"), bench.path("plain")
    os.makedirs(held, exist_ok=True)
    shutil.copy(config, os.path.join(held, "parameters.yaml"))
    open(plain, "w").close()
    os.symlink(bench.path("nowhere"), bench.path("dangling"))
    with open(bench.path("many.csv"), "w") as file:
        file.write("time_ms," + ",".join(f"u{n}" for n in range(21)) + "\n" + "".join(f"{t}," + ",".join(["2"] * 21) + "\n" for t in range(5, 55, 5)))
    refused = [(held, [], "already holds a run"), (plain, [], "is a file"), (os.path.join(plain, "below"), [], "below"), ("/proc/engram/a", [], "/proc/engram"), (bench.path("dangling"), [], "dangling"),
               (bench.path("never"), ["output.report=[drive, drive]"], "names 'drive' twice"), (bench.path("never"), ["output.report=[voltage]"], "'voltage' is not a variable"),
               (bench.path("never"), ["targets.kind=file", f"targets.path={bench.path('many.csv')}"], "21 recorded units"),
               (bench.path("never"), ["learning.store=distributed"], "learning.store"), (bench.path("never"), ["learning.precision=half", "learning.store=textbook"], "learning.precision"),
               (bench.path("never"), ["learning.keep_signs=true", "plastic.group_size=4"], "learning.keep_signs")]
    for number, (out, overrides, wanted) in enumerate(refused):
        expect(bench, ["train", config, "-o", out, *long] + [word for o in overrides for word in ("-P", o)], 2, wanted, ranks=2 if number in (0, 5) else 1)
        assert not os.path.exists(bench.path("never"))
    expect(bench, ["check", config, "-P", "output.report=[drive, input, drive]"], 2, "names 'drive' twice")
    assert os.listdir(held) == ["parameters.yaml"] and not [name for name in os.listdir(bench.work) if name.startswith(".engram")], os.listdir(held)
    script, table = bench.path("job.sh"), bench.path("table.csv")
    open(table, "w").close()
    expect(bench, ["plan", config, "--sbatch", script, "--csv", table], 2, table, "is there already", absent=["memory"])
    expect(bench, ["plan", config, "--sbatch", script, "--csv", script], 2, "name the same file")
    assert not os.path.exists(script), "a refused plan wrote its other file"


def test_names_that_are_no_text(bench):
    """Folders are named in bytes; run.json and test.json are JSON all the same, and HDF5 attributes UTF-8, from which the name can be had back."""
    config, out = bench.config("small.yaml", SMALL), os.path.join(os.fsencode(bench.work), b"caf\xe9\\ \xc0\x80 \xed\xa0\x80 \xc3\xbc")
    expect(bench, ["train", config, "-o", out, "--quiet"], 0)
    expect(bench, ["test", out, "--trials", "1", "--quiet"], 0)
    named = []
    for name, key in (("run.json", "command"), ("test.json", "directory")):
        with open(os.path.join(out, name.encode()), encoding="utf-8") as file:
            named.append(json.load(file)[key])
    shown = bench.work + "/caf\\xE9\\\\ \\xC0\\x80 \\xED\\xA0\\x80 \u00fc"
    assert named[0][named[0].index("-o") + 1] == shown and named[1] == shown, (named, shown)
    back = subprocess.run(["bash", "-c", f"printf %s $'{shown}'"], capture_output=True, check=True).stdout
    assert back == out, (back, out)
    with open(os.path.join(out, b"rates.csv"), "w") as file:  # a path that parameters.yaml has to name
        file.write("time_ms,a,b\n" + "".join(f"{t},4,5\n" for t in range(5, 55, 5)))
    new, text = os.path.join(out, b"new"), open(config).read().replace("targets:\n", "targets:\n  kind: file\n  quantity: drive\n  path: rates.csv\n")
    with open(os.path.join(out, b"near.yaml"), "w") as file:
        file.write(text)
    expect(bench, ["train", os.path.join(out, b"near.yaml"), "-o", new, "--quiet"], 0)
    with h5py.File(os.path.join(new, b"targets.h5")) as file:
        assert f'path: "{shown}'.replace("\\", "\\\\") in file.attrs["configuration"], file.attrs["configuration"]


def test_edges(bench):
    """edges.h5 with all synapses, with those that learn, or not at all."""
    config, wanted = bench.config("small.yaml", SMALL), {"all": {"static", "plastic"}, "plastic": {"plastic"}, "none": None}
    whole = edges(bench.train(config, "edges-all"), "plastic")
    for choice, populations in wanted.items():
        out = bench.train(config, f"edges-{choice}", 2, [f"output.edges={choice}"])
        if populations is None:
            assert not os.path.exists(os.path.join(out, "edges.h5"))
            continue
        with h5py.File(os.path.join(out, "edges.h5")) as file:
            assert set(file["edges"]) == populations, list(file["edges"])
        assert all(np.array_equal(one, other) for one, other in zip(whole, edges(out, "plastic"))), choice
    expect(bench, ["check", config, "-P", "output.edges=true"], 2, "output.edges", "all", "plastic", "none")


def test_unwritable_directory(bench):
    config = bench.config("small.yaml", SMALL)
    with open(bench.path("file"), "w") as file:
        file.write("kept")
    expect(bench, ["train", config, "-o", bench.path("file")], 2, bench.path("file"))
    expect(bench, ["train", config, "-o", bench.path("file", "below")], 2, bench.path("file", "below"), ranks=2)
    expect(bench, ["train", config, "-o", "/proc/engram"], 2, "/proc/engram")  # refuses root, too
    expect(bench, ["train", config, "-o", "/dev/null/x"], 2, "/dev/null/x")
    assert open(bench.path("file")).read() == "kept"


def test_refused_before_the_network(bench):
    """What targets, times and rules say is looked at before static synapses are made: of these there are more than any machine holds."""
    huge = ["network.kind=random", "network.neurons=1000000", "network.probability=1"]
    for override, message in (("targets.duration=15 ms", "15 ms is not a multiple of learning.every"), ("simulation.loop_duration=20 ms", "20 ms ends before the target window does"),
                              ("learning.store=distributed", "for neurons that share P"), ("targets.kind=file", "targets.path")):
        code, out, err = bench.run(["train", bench.config("huge.yaml", "simulation: {dt: 1 ms}\nstimulus: {start: 10 ms, stop: 20 ms}\n"), "-o", bench.path("huge")] +
                                   [word for o in huge + [override] for word in ("-P", o)], timeout=120)
        assert code == 2 and message in err and err.count("engram: error") == 1, (override, code, err)


def test_check_writes_nothing(bench):
    folder = bench.path("checked")
    os.mkdir(folder)
    with open(os.path.join(folder, "small.yaml"), "w") as file:
        file.write(SMALL)
    before = snapshot(folder)
    out, err = expect(bench, ["check", os.path.join(folder, "small.yaml"), "-P", f"output.directory={folder}/out", "-P", "learning.loops=1000000"], 0, "configuration as used", absent=["loop 1/"])
    assert err.count("\n") == 1 and "the untrained network is near silence" in err and snapshot(folder) == before, (err, snapshot(folder).keys())
    used = out.split("configuration as used:\n")[1]
    again, _ = expect(bench, ["check", bench.config("used.yaml", used)], 0)  # what is printed can be read, and means the same
    assert again.split("configuration as used:\n")[1] == used


SILENT = """\
simulation: {dt: 0.5 ms, baseline: 400 ms}
network:    {kind: balanced_ei, neurons: 400}
plastic:    {excitatory_in_degree: 15, inhibitory_in_degree: 15}
stimulus:   {start: 100 ms, stop: 300 ms}
targets:    {duration: 600 ms}
learning:   {loops: 8}
output:     {edges: none}
"""


def test_silence(bench):
    """A network whose constant input is below threshold, as a tutorial of a tenth of its size is, is told of before and after training; what is said would carry it, does."""
    config, silence = bench.config("silent.yaml", SILENT), "the untrained network is near silence: 0 Hz"
    what = (silence, "constant input of 0.5367 to excitatory neurons", "0.3578 to inhibitory", "network.in_degree of 70 or more (it is 20; from 157 on inhibitory neurons fire alone, too)",
            "network.external_drive above 0.1491", "neuron.noise_sd")
    for ranks in (1, 3):
        assert expect(bench, ["check", config], 0, *what, ranks=ranks)[1].count("near silence") == 1
    out = bench.path("silent")
    _, err = expect(bench, ["train", config, "-o", out], 0, *what, "in window 0.000 Hz", ranks=2)
    rows = metrics(out)
    assert all(row["window_hz"] < 0.02 and row["rate_hz"] > 0.1 for row in rows), rows
    assert [line.split(":")[2] for line in err.splitlines() if "silent inside the target window" in line] == [" loop 1", " loop 8"], err
    assert "silent inside the target window, 0 Hz in the last loop" in bench.succeed(["status", out])
    expect(bench, ["train", config, "-o", bench.path("stopped"), "-P", "guards.silent_window=stop"], 4, "loop 1: the network is silent inside the target window: ", "guards.min_window_rate = 0.1 Hz", ranks=2)
    expect(bench, ["train", config, "-o", bench.path("off"), "-P", "guards.min_window_rate=0", "-P", "guards.silent_window=stop", "-P", "learning.loops=1"], 0, absent=["silen"])
    for key in ("network.in_degree=70", "network.external_drive=0.1495", "neuron.noise_sd=0.9"):
        loud = bench.path("loud")
        expect(bench, ["train", config, "-o", loud, "--overwrite", "-P", key, "-P", "guards.silent_window=stop"], 0, absent=["silen"])
        assert min(row["window_hz"] for row in metrics(loud)) > 1, key
    # what is trained is silent, but not what it listens to: the rate in the window, counted in the spikes of the last loop
    part = bench.path("part")
    expect(bench, ["train", config, "-o", part, "-P", "network.external_inhibitory=5", "-P", "plastic.trained=excitatory", "-P", "learning.loops=1"], 0, "the trained neurons are silent inside the target window")
    times, ids = spikes(part)
    inside = times > 300
    assert inside.sum() > 1000 and abs(metrics(part)[0]["window_hz"] - (inside & (ids < 200)).sum() / 200 / 0.6) < 1e-9, metrics(part)
    quiet = ["-P", "plastic.excitatory_weight=0", "-P", "plastic.inhibitory_weight=0", "-P", "network.bias=-2", "-P", "stimulus.sigma=0", "-P", "network.excitatory_fraction=1", "-P", "plastic.inhibitory_in_degree=0"]
    for kind, neuron, needed in (("none", "theta", "network.bias above "), ("random", "lif", "network.bias above 1")):
        expect(bench, ["check", config, "-P", f"network.kind={kind}", "-P", f"neuron.model={neuron}", *quiet], 0, "near silence: 0 Hz", needed, absent=["to inhibitory"])


def test_launcher_of_another_mpi(bench):
    """Two ranks that each take themselves for the only one would train into one folder."""
    config = bench.config("launched.yaml", SMALL)
    foreign = "PMI_SIZE" if "Open MPI" in bench.succeed(["--version"]) else "OMPI_COMM_WORLD_SIZE"
    done = subprocess.run([bench.engram, "train", config, "-o", bench.path("launched")], env=dict(bench.single(), **{foreign: "2"}), capture_output=True, text=True, timeout=240)
    assert done.returncode == 2 and f"started as one of 2 ranks ({foreign})" in done.stderr and "another MPI" in done.stderr, done.stderr
    assert not os.path.exists(bench.path("launched"))


run_tests([test_too_many_partners, test_usage, test_launcher_of_another_mpi, test_silence, test_list, test_neuron_refusals, test_bad_values, test_refusal_before_warnings, test_combinations, test_error_is_printed_once, test_whole_lines, test_data, test_damaged_edges, test_output_directory, test_refused_before_work, test_refused_before_the_network,
           test_names_that_are_no_text, test_edges,
           test_overwriting_leaves_nothing_behind, test_unwritable_directory, test_check_writes_nothing, test_numeric_failure])
