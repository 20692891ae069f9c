"""Bit identity: whatever a configuration uses, 1, 2, 3, 4 and 7 ranks write the same spikes, weights, P, targets, tests and metrics; so does a run that is saved
after a loop on some ranks and resumed on others.

A case is a small network that runs in well under a second. Every kind and every choice that `engram list patterns` shows must be used by a case.
Each is run by one rank, which is compared with a run that is saved on 2 ranks and resumed on 3; a third of them with one on 4, a third with one on 7, and with both where that leaves ranks
without neurons or makes grids of processes. ENGRAM_TEST_ALL=1: all of them with 2, 3, 4 and 7 from beginning to end, which takes several times as long.
ENGRAM_TEST_FEW=1 runs a few of them, on 1 and 2 ranks; with MPICH, whose ranks do not give way to each other, one after the other.
Sanitized, where it is the memory that is looked at and a process takes twice as long, a third of the cases is compared with one rank, and those that are special; the others are saved, resumed
and go on for two loops.
"""
import json
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
from choices import missing
from engram_test import contents, difference, run_tests, some

SANITIZED = bool(os.environ.get("ENGRAM_TEST_SANITIZED"))  # slow
FEW = bool(os.environ.get("ENGRAM_TEST_FEW"))  # tools/check: another compiler, another MPI
ALL = bool(os.environ.get("ENGRAM_TEST_ALL"))
FEW_CASES = ("balanced", "groups_current_noise", "feedforward", "signs_kept", "sonata", "glif5_coded", "izhikevich_classes", "groups_current_noise_packed", "excitatory_partners_textbook",
             "all_to_all_distributed")
UNTESTED_CHOICES = {("output", "spikes", "none"), ("output", "spikes", "last"), ("output", "edges", "none"),  # less of what is compared
                    ("targets", "time_unit", "us"), ("targets", "time_unit", "ms"), ("targets", "time_unit", "s"),  # of one reader (test_tables.py)
                    ("network", "types", "excitatory"), ("network", "types", "inhibitory"),  # members of a list
                    ("network", "delay", "ignore"), ("plastic", "delay", "ignore"), ("guards", "silent_window", "stop")}  # whether a run is refused or ended
STORES = re.compile(r"^    store +choice +- +\w+ +(\w+(?: \| \w+)*)  ", re.MULTILINE)

LIF = {"neuron": {"model": "lif", "noise_sd": 0.5}}
THETA = {"neuron": {"model": "theta"}, "simulation": {"dt": "1 ms"}, "stimulus": {"kind": "constant", "amplitude": 2}, "plastic": {"kind": "existing", "tau": "20 ms"},
         "network": {"kind": "random", "neurons": 40, "bias": 0.3}, "learning": {"lambda": 1, "mu": 0}}
NO_NETWORK = {"network": {"kind": "none", "neurons": 30, "bias": 0.9}, "plastic": {"kind": "separate", "excitatory_in_degree": 6, "inhibitory_in_degree": 5}}
BASE = {
    "simulation": {"dt": "0.5 ms", "seed": 3, "baseline": "200 ms"},
    "network": {"kind": "balanced_ei", "neurons": 60, "in_degree": 5, "external_drive": 0.6},
    "stimulus": {"start": "20 ms", "stop": "40 ms"},
    "targets": {"kind": "sinusoid", "duration": "100 ms", "period": "100 ms"},
    "learning": {"every": "5 ms", "loops": 2},
    "output": {"spikes": "all", "correlation_window": "10 ms", "report": "[drive, static_drive, plastic_drive, input]", "stimulus": "true", "weight_change": "true"},
}


def merged(*parts):
    """Nested dictionaries on top of each other; a section that changes its kind keeps nothing of the old kind."""
    result = {}
    for part in parts:
        for section, keys in part.items():
            old = result.get(section, {})
            for selector in ("kind", "model", "rule"):
                if selector in keys and old.get(selector) not in (None, keys[selector]):
                    common = {"neurons", "excitatory_fraction", "tau", "start", "stop", "duration"}
                    old = {k: v for k, v in old.items() if k in common}
            result[section] = {**old, **keys}
    return result


def targets(kind, **keys):
    return {"targets": {"kind": kind, **keys}}


RATE = {"targets": {"quantity": "rate", "rate_form": "siegert"}}
PHI = {"targets": {"quantity": "rate", "rate_form": "phi"}}
POPULATIONS = {"network": {"kind": "populations", "names": "[E, I]", "sizes": "[40, 20]", "types": "[excitatory, inhibitory]", "weight": "[87.8, -351.2]", "background_rate": "8 Hz",
                           "background_inputs": "[1150, 1050]", "background_weight": 87.8, "tau_excitatory": "0.5 ms", "tau_inhibitory": "0.5 ms"},
               "neuron": {"model": "iaf_psc_exp"}}
PROJECTIONS = """source,target,probability,in_degree,out_degree,synapses,weight,weight_cv,distribution,multapses,autapses,delay,delay_low,delay_high
E,E,0.2,,,,87.8,0.1,,false,false,,,
E,I,,5,,,87.8,0.5,lognormal,,,2,,
I,E,,,3,,-351.2,,,true,,,,
I,I,,,,100,-351.2,0.1,normal,false,true,,0.5,3.5
"""
CASES = {
    "balanced": merged(BASE, LIF, {"output": {"report": "[drive, v, input]"}, "test": {"trials": 2, "psth_bin": "5 ms"}}),
    "balanced_single": merged(BASE, LIF, {"neuron": {"precision": "single", "noise_sd": "[0.3, 0.2]", "refractory": "1 ms"}, "output": {"report": "[drive, v, input]"}, "test": {"trials": 2, "every": 1},
                                          "simulation": {"reset": "never"}, "plastic": {"tau_range": "[20, 60]"}}),
    "groups_current_noise": merged(BASE, {"neuron": {"noise": "current", "noise_sd": "[0.5, 0]", "start": "uniform", "refractory": "1 ms"}, "simulation": {"reset": "every_loop"},
                                          "plastic": {"group_size": 7, "active_fraction": 0.5}, "targets": {"bias": "ou"}}),
    "excitatory_partners": merged(BASE, LIF, {"neuron": {"start": "reset"}, "plastic": {"trained": "excitatory", "excitatory_partners": "trained", "tau_range": "[20, 60]"},
                                              "targets": {"bias": "ramp", "tasks": 2}, "learning": {"loops": 3, "mu": 8, "lambda": 0.04, "precision": "double"}}),
    "current_noise_alone": merged(BASE, NO_NETWORK, {"neuron": {"noise": "current", "noise_sd": 0.5}, "simulation": {"reset": "never", "exchange": "flat"}, "stimulus": {"kind": "none"}}),
    "current_noise_single": merged(BASE, NO_NETWORK, {"neuron": {"precision": "single", "noise": "current", "noise_sd": "[0.5, 0.4]"}, "output": {"report": "[drive, v, input]"}}),
    "feedforward": merged(BASE, LIF, {"feedforward": {"units": 9, "rate": "50 Hz", "weight": 0.3}, "plastic": {"tau_range": "[20, 60]", "group_size": 4}, "targets": {"tasks": 2}, "learning": {"precision": "half"}}),
    "readout_lif": merged(BASE, LIF, {"plastic": {"drive": "readout"}, "learning": {"no_gain": "true"}, "stimulus": {"kind": "constant"}, "output": {"timers": "detailed"}}),
    "delays_fixed": merged(BASE, LIF, {"network": {"delay": "1.5 ms"}, "plastic": {"delay": "4 ms"}, "feedforward": {"units": 4, "rate": "50 Hz", "weight": 0.3}, "test": {"trials": 1, "every": 1}}),
    "delays_drawn": merged(BASE, LIF, {"network": {"delay": "[1.5 ms, 1 ms]", "delay_sd": "1 ms"}, "plastic": {"delay_range": "[0.5 ms, 5 ms]"}, "simulation": {"reset": "never"},
                                       "learning": {"loops": 3}, "test": {"trials": 1, "every": 1}}),
    "delays_weighted": merged(BASE, LIF, {"network": {"kind": "random", "neurons": 50, "bias": 1.1, "sigma": 3, "delay_range": "[0.5 ms, 6 ms]"}, "simulation": {"reset": "never", "exchange_every": "step"},
                                          "plastic": {"kind": "separate", "excitatory_in_degree": 5, "inhibitory_in_degree": 4, "delay": "2 ms", "delay_sd": "1 ms"}}),
    "delays_theta": merged(BASE, THETA, targets("sines"), {"network": {"delay": "6 ms", "delay_sd": "3 ms", "delay_by": "source"}, "plastic": {"trained": "excitatory"}, "learning": {"loops": 3},
                                                           "test": {"trials": 1, "every": 1}}),
    "delays_shared": merged(BASE, NO_NETWORK, LIF, {"learning": {"mu": 0, "store": "distributed"}, "plastic": {"kind": "all_to_all", "sigma": 2, "tau": "50 ms", "delay": "[3 ms, 2 ms]"}}, targets("sines")),
    "plastic_none": merged(BASE, LIF, {"plastic": {"kind": "none"}, "learning": {"rule": "none"}}),
    "rule_none": merged(BASE, LIF, {"learning": {"rule": "none", "every": "5 ms", "loops": 2}}),
    "ou_network_none": merged(BASE, NO_NETWORK, LIF, targets("ou", tasks=2)),
    "all_to_all": merged(BASE, NO_NETWORK, LIF, {"learning": {"mu": 0, "store": "spike_driven"}, "plastic": {"kind": "all_to_all", "sigma": 2, "tau": "50 ms"}, "feedforward": {"units": 3, "rate": "40 Hz"}}, targets("sines")),
    "random_gaussian": merged(BASE, THETA, targets("complex_periodic"), {"network": {"sigma": 4, "zero_row_sums": "true"}, "output": {"report": "[theta, drive]"}, "test": {"trials": 1}}),
    "random_dale_innate": merged(BASE, THETA, targets("innate", settle="100 ms"), {"network": {"wiring": "in_degree", "weights": "dale", "strength": 3, "excitatory_fraction": 0.8}}),
    "signs_kept": merged(BASE, THETA, targets("sines"), {"network": {"wiring": "in_degree", "weights": "dale", "strength": 3}, "learning": {"keep_signs": "true", "loops": 3}}),
    "random_zero": merged(BASE, THETA, targets("ou", sd=0.8), {"network": {"weights": "zero"}, "output": {"edges": "plastic"}}),
    "random_lif": merged(BASE, LIF, {"network": {"kind": "random", "neurons": 50, "bias": 1.1, "sigma": 3}, "plastic": {"kind": "separate", "excitatory_in_degree": 5, "inhibitory_in_degree": 4}}),
    "theta_reset": merged(BASE, THETA, targets("sines", tasks=2), {"simulation": {"reset": "every_loop"}, "network": {"probability": 0.5}}),
    "theta_spike_time": merged(BASE, THETA, targets("chaotic", settle="50 ms"), {"plastic": {"drive": "spike_time"}}),
    "theta_chaotic_paper": merged(BASE, THETA, targets("chaotic", centre_rows="false", tasks=2), {"learning": {"precision": "double"}}),
    "shared_noise": merged(BASE, THETA, targets("sines", tasks=2, distinct=0.5), {"stimulus": {"noise_sd": 0.7, "noise_tau": "3 ms"}, "learning": {"loops": 3}, "test": {"trials": 1}}),
    "rate_noise": merged(BASE, THETA, targets("sines"), PHI, {"stimulus": {"kind": "none", "noise_sd": 1}}),
    "rate_phi": merged(BASE, THETA, targets("sines"), PHI),
    "rate_phi_auxiliary": merged(BASE, THETA, targets("file", path="rates.csv", others="auxiliary"), PHI, {"test": {"trials": 1}, "learning": {"precision": "half"}}),
    "rate_sinusoid": merged(BASE, LIF, RATE),
    "file_csv_order": merged(BASE, NO_NETWORK, LIF, targets("file", path="rates.csv", others="auxiliary", pairing="order"), RATE),
    "file_csv_by_rate": merged(BASE, LIF, targets("file", path="rates.csv", pairing="rate", minimum_rate="3 Hz"), RATE, {"plastic": {"trained": "targets"}}),
    "file_hdf5_drive": merged(BASE, LIF, targets("file", path="drives.h5", dataset="drives", origin="0 ms", others="untrained", quantity="drive"), {"plastic": {"trained": "all", "group_size": 9}}),
    "surrogate_order": merged(BASE, LIF, targets("surrogate", length="200 ms", units=25, conditions=2), RATE),
    "surrogate_by_rate": merged(BASE, LIF, targets("surrogate", length="200 ms", units=12, pairing="rate", others="auxiliary"), RATE, {"plastic": {"excitatory_partners": "trained"}}),
    "surrogate_theta": merged(BASE, THETA, targets("surrogate", length="100 ms", conditions=1), PHI),
    "sonata": merged(BASE, LIF, {"network": {"kind": "sonata", "path": "source/edges.h5", "population": "static", "bias": 0.8},
                                 "plastic": {"kind": "sonata", "path": "source/edges.h5", "population": "plastic"}}),
    "sonata_delays": merged(BASE, LIF, {"network": {"kind": "sonata", "path": "delayed/edges.h5", "population": "static", "bias": 0.8}, "simulation": {"reset": "never"},
                                        "plastic": {"kind": "sonata", "path": "delayed/edges.h5", "population": "plastic"}}),
    "sonata_one_step": merged(BASE, LIF, {"network": {"kind": "sonata", "path": "source/edges.h5", "population": "static", "bias": 0.8, "delay": "step"},
                                          "plastic": {"kind": "sonata", "path": "source/edges.h5", "population": "plastic", "delay": "step"}}),
    "five_neurons_lif": merged(BASE, LIF, {"network": {"neurons": 5, "in_degree": 1}, "plastic": {"excitatory_in_degree": 1, "inhibitory_in_degree": 2}, "test": {"trials": 2}}),
    "five_neurons_theta": merged(BASE, THETA, targets("innate", settle="50 ms"), {"network": {"neurons": 5, "probability": 0.8}}),
    "glif1": merged(BASE, RATE, {"neuron": {"model": "glif1", "noise_sd": "[0.5, 0.3]", "start": "uniform"}}),
    "glif2": merged(BASE, {"neuron": {"model": "glif2", "noise": "current", "noise_sd": 0.5, "start": "rest"}, "output": {"report": "[v, theta_s]"}}),
    "glif3": merged(BASE, {"neuron": {"model": "glif3", "start": "reset", "current_decay": "[0.01/ms, 0.2/ms]", "current_added": "[-0.2, 0.1]"}, "output": {"report": "[v, I1, I2]"}, "network": {"neurons": 600}}),
    "glif4": merged(BASE, NO_NETWORK, {"neuron": {"model": "glif4", "noise_sd": 0.8}}),
    "glif5": merged(BASE, {"neuron": {"model": "glif5"}, "output": {"report": "[v, theta_s, theta_v, I3]"}, "test": {"trials": 1}}),
    "glif5_coded": merged(BASE, NO_NETWORK, {"neuron": {"model": "glif5", "equations": "coded", "threshold_coupling": "0.01/ms", "noise_sd": 0.8}, "simulation": {"reset": "never"}}),
    "izhikevich": merged(BASE, THETA, {"neuron": {"model": "izhikevich"}, "network": {"bias": 5}, "output": {"report": "[v, w]"}, "test": {"trials": 1}}),
    "izhikevich_classes": merged(BASE, THETA, {"neuron": {"model": "izhikevich", "classes": "[custom, LTS, FS, CH, IB, RS]", "fractions": "[3, 1, 1, 1, 1, 2]", "a": 0.05, "b": 0.22, "c": -60,
                                                          "d": 5, "substep": "0.3 ms"}, "network": {"bias": 5}, "simulation": {"reset": "every_loop"}}),
    "exact": merged(BASE, LIF, {"neuron": {"integration": "exact"}, "network": {"tau_excitatory": "1 ms", "tau_inhibitory": "10 ms"}, "output": {"report": "[drive, v, input]"}}),
    "populations": merged(BASE, POPULATIONS, {"network": {"connections": "[0.1, 0.2, 0.15, 0]", "weight_cv": 0.1, "autapses": "false", "delay": "[1.5, 1]", "delay_sd": "[0.75, 0.5]"}, "test": {"trials": 1},
                                              "output": {"report": "[drive, v, input]"}}),
    "populations_fixed": merged(BASE, POPULATIONS, {"network": {"connections": "[20, 10, 15, 8]", "wiring": "in_degree", "weight_cv": 0.3, "weight_precision": "fixed", "delay": "1 ms",
                                                                "delay_sd": "0.2 ms"}, "test": {"trials": 1}, "output": {"edges": "all"}}),  # blocks on 1 to 4 ranks, lists on 7
    "populations_fixed_one_delay": merged(BASE, POPULATIONS, {"network": {"connections": "[20, 10, 15, 8]", "wiring": "in_degree", "weight_cv": 0.3, "weight_precision": "fixed", "delay": "1.5 ms"},
                                                              "simulation": {"reset": "never"}, "test": {"trials": 1}, "output": {"edges": "all"}}),
    "populations_one_step": merged(BASE, POPULATIONS, {"network": {"connections": "[20, 10, 15, 8]", "wiring": "in_degree", "weight_cv": 0.3, "weight_precision": "fixed", "delay": "0.5 ms",
                                                                   "delay_sd": "0.01 ms"}, "simulation": {"reset": "never"}, "output": {"edges": "all"}}),  # drawn, and all of one step
    "populations_single": merged(BASE, POPULATIONS, {"network": {"connections": "[20, 10, 15, 8]", "wiring": "in_degree", "weight_precision": "fixed", "delay": "[1.5, 1]", "delay_sd": "0.4 ms"},
                                                     "neuron": {"precision": "single"}, "test": {"trials": 1}, "output": {"report": "[drive, v, input]"}}),
    "populations_table": merged(BASE, POPULATIONS, {"network": {"projections": "projections.csv", "background": "current"}, "plastic": {"kind": "existing", "trained": "excitatory"},
                                                    "guards": {"max_rate": "400 Hz"}}),
    "populations_even": merged(BASE, POPULATIONS, {"network": {"connections": "[20, 10, 15, 8]", "wiring": "in_degree", "weight_cv": 0.1, "delay_range": "[1.5 ms, 4 ms, 0.5 ms, 2 ms]"},
                                                   "simulation": {"reset": "never"}, "test": {"trials": 1}}),
    "populations_in_degree": merged(BASE, POPULATIONS, {"network": {"connections": "[4, 3, 5, 2]", "wiring": "in_degree", "weight_cv": 0.8, "distribution": "lognormal"},
                                                        "neuron": {"threshold": "[-50, -52]", "refractory": "[2, 1]", "start_mean": "[-58, -60]"}}),
    "populations_out_degree": merged(BASE, POPULATIONS, LIF, {"network": {"connections": "[4, 3, 5, 2]", "wiring": "out_degree", "multapses": "false", "weight": "[0.5, -1]", "background_weight": 0.3,
                                                                          "background_inputs": 100, "bias": "[0.5, 0.4]"}, "plastic": {"drive": "readout"}}),
    "populations_scaled": merged(BASE, POPULATIONS, {"network": {"sizes": "[80, 40]", "connections": "[700, 300, 300, 200]", "wiring": "synapses", "scale": 0.5, "input_scale": 0.5,
                                                                 "full_rates": "[3, 5]"}}),
    "populations_trained": merged(BASE, POPULATIONS, targets("surrogate", length="200 ms", others="auxiliary", units=12), RATE,
                                  {"network": {"names": "[I, E, U]", "sizes": "[15, 30, 15]", "types": "[inhibitory, excitatory, inhibitory]", "connections": "[4, 3, 0, 5, 2, 3, 0, 2, 1]",
                                               "weight": "[-351.2, 87.8, -351.2]", "background_inputs": "[1050, 1150, 1050]", "wiring": "in_degree", "delay": "1.5 ms"},
                                   "plastic": {"trained": "[E, U]"}, "learning": {"lambda": 100}}),
    "lif_mv": merged(BASE, THETA, {"neuron": {"model": "lif_mv"}, "output": {"report": "[v, input]"}}),
    "qif": merged(BASE, THETA, {"neuron": {"model": "qif"}, "output": {"report": "[v, drive]"}, "test": {"trials": 1}}),
    "qif_rate": merged(BASE, THETA, targets("sines"), {"neuron": {"model": "qif", "cutoff": 100}, "targets": {"quantity": "rate"}}),
    "one_neuron": merged(BASE, LIF, {"network": {"kind": "none", "neurons": 1, "bias": 1.2, "excitatory_fraction": 1}, "plastic": {"kind": "all_to_all"}}),
}
STORE_CASES = ("groups_current_noise", "excitatory_partners", "rate_phi", "signs_kept")  # each is run with every store of P that it allows
SHARED_CASES = ("groups_current_noise", "all_to_all")  # neurons share P, so that it can be distributed
SILENT_WEIGHTS = ("plastic_none", "rule_none")  # nothing learns


def as_yaml(case):
    return "".join(f"{section}:\n" + "".join(f"  {key}: {value}\n" for key, value in keys.items()) for section, keys in case.items())


def all_cases(bench):
    """The cases, and some of them again with every store of P that the program has besides that which they take by themselves."""
    stores = STORES.search(bench.run(["list", "learning"])[1]).group(1).split(" | ")
    assert stores[:2] == ["auto", "spike_driven"], stores
    return {**CASES, **{f"{name}_{store}": merged(CASES[name], {"learning": {"store": store}}) for store in stores[2:]
                        for name in (SHARED_CASES if store == "distributed" else STORE_CASES)}}


def write_data(bench):
    """Recorded rates (CSV, two conditions, eight units) and drives (HDF5)."""
    random = np.random.default_rng(5)
    times = np.arange(5, 205, 5)
    with open(bench.path("projections.csv"), "w") as file:
        file.write(PROJECTIONS)
    with open(bench.path("rates.csv"), "w") as file:
        file.write("condition,time_ms," + ",".join(f"cell{u}" for u in range(8)) + "\n")
        for condition in ("left", "right"):
            levels = random.uniform(2, 30, 8)
            for t in times:
                rates = levels * (1 + 0.5 * np.sin(t / 40 + np.arange(8)))
                rates[3] = max(rates[3], 0) * (t > 40)  # some rates are 0
                file.write(f"{condition},{t}," + ",".join(f"{r:.4f}" for r in rates) + "\n")
    with h5py.File(bench.path("drives.h5"), "w") as file:
        file["drives"] = np.sin(times[None, :, None] / 30 + np.arange(20)[None, None, :]) * np.array([0.5, 1.0])[:, None, None]
        file["other"] = np.zeros((1, len(times), 2))
        file["time"] = times.astype(float)


def numbers(out, file, name):
    with h5py.File(os.path.join(out, file)) as opened:
        return opened[name][()] if name in opened else np.zeros(0)


def check_alive(name, out):
    """A run in which nothing happens would be identical on any number of ranks."""
    assert len(numbers(out, "spikes.h5", "spikes/neurons/timestamps")) > 0, "no spikes"
    changed = [numbers(out, "edges.h5", f"edges/{p}/0/syn_weight") for p in ("plastic", "feedforward")]
    initial = [numbers(out, "edges.h5", f"edges/{p}/0/initial_weight") for p in ("plastic", "feedforward")]
    learned = any((c != i).any() for c, i in zip(changed, initial))
    assert learned != (name in SILENT_WEIGHTS), "weights " + ("changed" if learned else "did not change")
    assert {"edges.h5", "metrics.csv", "nodes.h5", "report.h5", "run.json", "spikes.h5", "targets.h5"} <= set(os.listdir(out)), sorted(os.listdir(out))


def is_special(name, case):
    """It leaves ranks without neurons, or makes grids of processes."""
    return case["network"]["neurons"] < 7 or "distributed" in name


def check_memory(bench, name, config, before, after):
    """Save on some ranks, resume on others for at least two loops; there is nothing to compare with."""
    out = bench.train(config, f"{name}.resumed", before, ["learning.loops=1"])
    bench.succeed(["train", config, "--resume", out, "-P", "learning.loops=3"], after)
    check_alive(name, out)
    return ""


def numbers_of_ranks(number, name, case):
    """Of a case: those of whole runs besides that of one rank, and those on which a run is saved and resumed. Sanitized, fewer."""
    if ALL:
        return (2, 3, 4, 7), (2, 3)
    if FEW:
        return (), (2, 1)
    special = is_special(name, case)
    if SANITIZED:
        return (3,) if special else (), ((1, 2), (1, 1), (2, 1))[number % 3]
    return (4, 7) if special else ((4,), (7,), ())[number % 3], (2, 3)


def check_case(bench, number, name, case):
    """Run a case on its numbers of ranks; return what is wrong with it, or ''."""
    try:
        config = bench.config(f"{name}.yaml", as_yaml(case))
        whole, (before, after) = numbers_of_ranks(number, name, case)
        if SANITIZED and not whole and number % 9:
            return check_memory(bench, name, config, before, after)
        one = bench.train(config, f"{name}.1")
        check_alive(name, one)
        truth, wrong = contents(one), []
        for ranks in whole:
            differs = difference(truth, contents(bench.train(config, f"{name}.{ranks}", ranks)))
            if differs:
                wrong.append(f"{name}: {ranks} ranks differ from 1 in {len(differs)} of {len(truth)}: {', '.join(differs[:6])}")
        resumed = bench.train(config, f"{name}.resumed", before, ["learning.loops=1"])
        bench.succeed(["train", config, "--resume", resumed], after)
        differs = difference(truth, contents(resumed))
        if differs:
            wrong.append(f"{name}: a run saved on {before} ranks and resumed on {after} differs in {len(differs)} of {len(truth)}: {', '.join(differs[:6])}")
        return "\n".join(wrong)
    except AssertionError as problem:
        return f"{name}: {problem}"


def test_every_kind_has_a_case(bench):
    """Of patterns; other systems have tests of their own (test_balanced.py)."""
    wanted = missing(bench.succeed(["list", "patterns"]), list(all_cases(bench).values()), UNTESTED_CHOICES)
    assert not wanted, "no case uses " + "; ".join(wanted)


def test_comparison_can_fail(bench):
    config = bench.config("seeds.yaml", as_yaml(CASES["balanced"]))
    one, again, other = (contents(bench.train(config, f"seeds.{n}", 1, [f"simulation.seed={seed}"])) for n, seed in enumerate((1, 1, 2)))
    assert not difference(one, again), difference(one, again)
    differs = difference(one, other)
    for wanted in ("spikes.h5:spikes/neurons/timestamps", "edges.h5:edges/plastic/0/syn_weight", "targets.h5:targets/0/target", "test.h5:test/0/psth",
                   "report.h5:report/neurons_drive/data", "metrics.csv: loop 2: correlation", "checkpoint:rls/p"):
        assert wanted in differs, f"{wanted} is not compared: {differs}"


def test_identity(bench):
    write_data(bench)
    source = merged(CASES["balanced"], {"learning": {"precision": "double"}})
    bench.train(bench.config("source.yaml", as_yaml(source)), "source", 2)
    bench.train(bench.config("delayed.yaml", as_yaml(merged(CASES["delays_drawn"], {"learning": {"precision": "double"}}))), "delayed", 2)
    lock = threading.Lock()

    cases = all_cases(bench)

    def one(numbered):
        number, name = numbered
        wrong = check_case(bench, number, name, cases[name])
        with lock:
            print(f"  {'differs' if wrong else 'same   '} {name}", flush=True)
        return wrong

    with ThreadPoolExecutor(2 if "Open MPI" in bench.succeed(["--version"]) else 1) as pool:
        numbered = list(enumerate(FEW_CASES if FEW else cases))
        wrong = [text for text in pool.map(one, some(numbered) if SANITIZED else numbered) if text]
    assert not wrong, "\n" + "\n".join(wrong)


def test_exchanges(bench):
    """Spikes through memory that ranks share, and those of several steps at once where no delay is shorter: the bits of one rank, and of a run that goes on with the other exchange."""
    for name, steps in (("balanced", 1), ("delays_fixed", 3)) if FEW else (("balanced", 1), ("delays_fixed", 3), ("delays_shared", 4), ("populations", 1)):
        config = bench.config(f"nodes_{name}.yaml", as_yaml(CASES[name]))
        truth = contents(bench.train(config, f"nodes_{name}.1"))
        for way, ranks, resumed in (("nodes", 2, "flat"),) if FEW else (("nodes", 7, None), ("nodes", 2, "flat"), ("flat", 2, "nodes")):
            loops = ["learning.loops=1", "simulation.exchange_every=step"] if resumed else []
            out = bench.train(config, f"nodes_{name}.{way}{ranks}", ranks, [f"simulation.exchange={way}"] + loops)
            if resumed:
                bench.succeed(["train", config, "--resume", out, "-P", f"simulation.exchange={resumed}", "-P", "simulation.exchange_every=delay"], 3)
            with open(os.path.join(out, "run.json")) as file:
                about = json.load(file)
            assert about["exchange_nodes"] == ((resumed or way) == "nodes"), f"{name}, {way}, {resumed}: exchange_nodes is {about['exchange_nodes']}"
            assert about["exchange_steps"] == steps, f"{name}: {about['exchange_steps']} steps at once, not {steps}"
            differs = [what for what in difference(truth, contents(out)) if not what.endswith("@configuration")]  # which says the way
            assert not differs, f"{name}, {way} on {ranks} ranks, then {resumed}: {', '.join(differs[:6])}"


if __name__ == "__main__":
    run_tests([test_every_kind_has_a_case, test_comparison_can_fail, test_identity, test_exchanges])
