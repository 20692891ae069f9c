#!/usr/bin/python3
"""What is compared: rules, tasks, the tries that choose a rule's parameters, and the studies (tools/sweep) that this makes. Used by jobs/comparison/run and check.

    rules.py sizes FOLDER quick|full RULE...        prints what is to be run, a line each: neurons, rule, tasks; small networks first
    rules.py recorded FOLDER quick|full RULE...     prints of FILEs, in the same way, what is measured, with parameters that were not confirmed; -P KEY=VALUE of a key that is tried is refused
    rules.py tries TASKS FOLDER NEURONS RULE...     writes FOLDER/tries/RULE/NEURONS.yaml: sets of parameters for each task at this size, with a seed of their own
    rules.py confirm TASKS FOLDER NEURONS RULE      writes FOLDER/confirm/RULE/NEURONS.yaml: for each task the best set of FOLDER/tries/RULE/NEURONS/table.csv with two more seeds; if a run of it failed in
                                                    FOLDER/confirm/RULE/NEURONS/table.csv, the next best, too. Prints the indices of the runs that are to be made; nothing when all is settled.
                                                    --recorded: the set that FILEs have, and no other
    rules.py runs TASKS FOLDER NEURONS RULE...      writes FOLDER/RULE/NEURONS.yaml, with the best set that was confirmed, and of some FOLDER/RULE/short.yaml
                                                    A task of which every try ran away is a finding: confirm says so, and its runs, and tries of larger networks that take keys from it, are left out.
                                                    Of a rule of which nothing is left there is no study
    rules.py ended STUDY...                         STUDY is the folder of a study that was run: runs that did not end by themselves (not done, and not because the network ran away) are no finding. They are
                                                    named, with exit code 1: the machine's fault, and the command that made them makes them again
    rules.py others FOLDER NEURONS RULE...          prints runs that are tested on other inputs than those of training, with the options of that test
    ... --tasks TASK...                             of these tasks only; nothing is written of rules that have none of them
    ... --with FILE [--seeds N] [--table CSV]       runs measured before (measured.csv): sizes leaves out tasks of which it has seeds 1 to N (5), unless the parameters failed in FOLDER/confirm;
                                                    tries takes from it what was best at the size below. Of recorded rates those of this table only

A study that was written before with other contents is replaced; tools/sweep refuses to mix its runs with those of another."""
import argparse
import collections
import io
import math
import os
import sys

import yaml

here = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(here, "..", "..", "tools"), os.path.join(here, "..", "..", "python"), here]  # python: where engram.py is installed
import measure  # noqa: E402
from codes import number, read_table  # noqa: E402
from endings import end_with, whole  # noqa: E402
from launch import fail, read_json  # noqa: E402
from sweep_study import Study  # noqa: E402

TASKS = {"dynamics": {"oscillator": "damped oscillator, driven", "van_der_pol": "van der Pol, driven", "lorenz": "Lorenz", "recorded": "recorded rates, 6 components"},
         "codes": {"bars": "correlated bars", "scenes": "natural scenes"}}
TRIES, TRY_SEEDS, CONFIRM_SEEDS = 6, [101], [102, 103]
RAN_AWAY = 4  # exit code of the program: a guard, or a number that is not finite, ended the run; other codes are the machine's or the user's fault
USAGE = ("jobs/comparison/rules.py sizes|recorded FOLDER quick|full RULE... | tries|runs TASKS FOLDER NEURONS RULE... | confirm TASKS FOLDER NEURONS RULE [--recorded] | others FOLDER NEURONS RULE... | ended STUDY..."
         "   [--tasks TASK...] [--with FILE]... [--seeds N] [--table CSV] [-P KEY=VALUE]...")
SIZES = {"quick": [100, 400], "full": [100, 400, 1600]}
LOST = [0.1, 0.25, 0.5]
# Noise of tests: white, and such that it alone gives a voltage a standard deviation of about a tenth of its threshold (rls, shared: an input of SD 0.1 where drives have about 1).


class Rule:
    """@param group of tasks @param base parameter file @param fixed {key: value} @param tries {key: values}, crossed: TRIES sets in all @param tasks {task: {key: value}}; TASKS and SIZE stand for
    the folder of tasks and the number of neurons @param tests {name: options of engram test}; other: only of tasks that have other inputs @param score what says which of the tries is best,
    and whether more of it is better @param measure (run, test) -> error @param between column of metrics.csv with the score of tests between loops @param every loops between those
    @param ladder {key: values} shorter lengths of training, where such tests do not tell the error @param quick neurons of the quick size @param larger {neurons: {key: values}} tries at such sizes, where
    they are others; keys that are not there are as they were best at the size below"""

    def __init__(self, name, label, group, base, fixed, tries, tasks, tests, score, most, measure, between="", every=None, ladder=None, quick=(100,), larger=None):
        self.name, self.label, self.group, self.base, self.fixed, self.tries, self.tasks, self.tests = name, label, group, base, fixed, tries, tasks, tests
        self.score, self.most, self.measure, self.between, self.every, self.ladder, self.quick = score, most, measure, between, every, ladder, quick
        self.larger = larger or {}
        assert TRIES == math.prod(map(len, tries.values())) and all(math.prod(map(len, asked.values())) <= TRIES and set(asked) <= set(tries) for asked in self.larger.values())

    def tried(self, neurons):
        """{key: values}, crossed, at this size."""
        return self.larger.get(neurons, self.tries)

    def sizes(self, size):
        return list(self.quick) if size == "quick" else SIZES[size]


def deleted(options):
    return {f"deleted_{part}": f"{options} --delete-neurons {part}" for part in LOST}


RASTERS = "--trials 8 --spikes all"
OF_RLS = {"group": "dynamics", "base": "rls.yaml", "tries": {"learning.lambda": ["0.1", "1"], "plastic.tau": ["20 ms", "50 ms", "100 ms"]},
          "tasks": {task: {"targets.path": f"TASKS/{task}_SIZE.h5"} for task in TASKS["dynamics"]}, "tests": {"rasters": RASTERS, **deleted(RASTERS), "noise": f"{RASTERS} --noise 0.1"},
          "score": "test single_trial_correlation", "most": True, "measure": measure.of_drives, "ladder": {"learning.loops": [8, 24]}, "quick": (100, 400),
          "larger": {1600: {"learning.lambda": ["0.1", "1"]}}}
OF_FILES = {task: {"task.path": f"TASKS/{task}.h5"} for task in TASKS["dynamics"]}
OTHER = "--trials 1 -P task.test_input=other_input -P task.test_target=other_target -P task.test_mask=other_mask"
OF_LSNN = {"group": "dynamics", "base": "lsnn.yaml", "tries": {"learning.rate": ["0.002", "0.005", "0.02"], "network.adaptive": ["0", "0.5"]}, "tasks": OF_FILES,
           "tests": {**deleted("--trials 1"), "noise": "--trials 1 --noise 0.0042", "other": OTHER}, "score": "test loss", "most": False, "measure": measure.of_loss, "between": "test_loss", "every": 10,
           "larger": {400: {"learning.rate": ["0.001", "0.002", "0.005"], "network.adaptive": ["0", "0.5"]}, 1600: {"learning.rate": ["0.0005", "0.001", "0.002", "0.005"]}}}
OF_IMAGES = {task: {"stimulus.path": f"TASKS/{task}.h5"} for task in TASKS["codes"]}
NOISE = "neuron.stochasticity_final"
OF_DENDRITIC = {"group": "codes", "base": "images.yaml", "tasks": OF_IMAGES, "tests": deleted("--trials 1"), "score": "test loss", "most": False, "measure": measure.of_images,
                "between": "test_loss", "every": 2, "quick": (100, 400), "larger": {400: {"neuron.rate": ["5 Hz", "10 Hz"], NOISE: ["0.13", "0.2", "0.3"]}, 1600: {NOISE: ["0.08", "0.13", "0.2", "0.3"]}}}
TANH = {"learning.slow": "basis", "neuron.basis": "tanh"}
STEEP = {**TANH, "neuron.basis_units": "400", "neuron.basis_gain": "6", "stimulus.kind": "none"}

RULES = {rule.name: rule for rule in (
    Rule("rls", "RLS, each neuron its own P", fixed={"network.kind": "random", "network.probability": "0.3", "plastic.kind": "existing"}, **OF_RLS),
    Rule("shared", "RLS, one P for all (FORCE)", fixed={"network.kind": "none", "plastic.kind": "all_to_all"}, **OF_RLS),
    Rule("balanced", "tight balance, local", "dynamics", "balanced.yaml", {"learning.anneal": "100 s"}, {"network.norm": ["0.005", "0.0125", "0.025", "0.05", "0.1", "0.2"]}, {
        "oscillator": {"targets.kind": "oscillator", "learning.slow": "projected"},
        "van_der_pol": {"targets.kind": "van_der_pol", "targets.frequency": "1.4 Hz", "stimulus.tau": "100 ms", "stimulus.scale": "1", **TANH},
        "lorenz": {"targets.kind": "lorenz", **STEEP},
        "recorded": {"targets.kind": "trajectory", "targets.path": "TASKS/rates.csv", "targets.components": "6", "simulation.loop_duration": "auto", "learning.settle": "20 ms",
                     "protocol.settle": "20 ms", "protocol.duration": "auto", **STEEP}},
         {**deleted("--trials 32"), "noise": "--trials 32 --noise 0.1", "other": "--trials 32 -P stimulus.tau=200ms"},
         "test nerr", False, measure.of_states, "test_nerr", 25, quick=(100, 400)),
    Rule("exact_gradient", "exact gradient", "dynamics", "gradient.yaml", {}, {"learning.rate": ["0.001", "0.002", "0.005"], "neuron.tau": ["20 ms", "50 ms"]}, OF_FILES,
         {**deleted("--trials 1"), "noise": "--trials 1 --noise 0.005", "other": OTHER}, "test error", False, measure.of_ratio, "test_error", 10,
         larger={400: {"learning.rate": ["0.0005", "0.001", "0.002"]}, 1600: {"learning.rate": ["0.0002", "0.0005", "0.001"]}}),
    Rule("bptt", "LSNN, BPTT", fixed={"learning.rule": "bptt"}, **OF_LSNN),
    Rule("eprop", "LSNN, e-prop", fixed={"learning.rule": "eprop"}, **OF_LSNN),
    Rule("somatic", "somatic balance", fixed={"learning.rule": "somatic", "learning.decoder_rate": "[5e-4, 1e-4]", "learning.input_rate": "[5e-4, 1e-4]"},
         tries={"neuron.rate": ["2 Hz", "5 Hz", "10 Hz"], "learning.inhibition_rate": ["[1.2e-3, 2.5e-4]", "[5e-4, 1e-4]"], NOISE: ["0.13"]}, **OF_DENDRITIC),
    Rule("dendritic", "dendritic balance", fixed={"learning.rule": "dendritic"}, tries={"neuron.rate": ["2 Hz", "5 Hz", "10 Hz"], "learning.decoder_rate": ["[5e-4, 1e-4]", "[2e-4, 5e-5]"], NOISE: ["0.13"]},
         **OF_DENDRITIC),
    Rule("fast", "tight balance, FAST", "codes", "codes.yaml", {}, {"learning.feedforward_gain": ["0.1", "0.3", "0.5"], "learning.feedforward_rate": ["1e-3", "1e-2"]}, {
        "bars": {"network.dimensions": "64", "stimulus.path": "TASKS/bars.h5"}, "scenes": {"network.dimensions": "128", "stimulus.path": "TASKS/scenes.h5"}},
         deleted("--trials 1 -P stimulus.dataset=test_command"), "test shown nerr", False, measure.of_decoded, quick=(100, 400)),
    Rule("autoencoder", "exact gradient, autoencoder", "codes", "autoencoder.yaml", {}, {"learning.rate": ["0.002", "0.005"], "learning.activity_cost": ["0.1", "0.3", "1"]},
         {task: {"task.path": f"TASKS/{task}.h5"} for task in TASKS["codes"]}, deleted("--trials 1"), "test error", False, measure.of_images_ratio, "test_error", 10,
         larger={400: {"learning.rate": ["0.001", "0.003"], "learning.activity_cost": ["0.1", "0.3", "1"]}, 1600: {"learning.rate": ["0.0002", "0.0005", "0.001", "0.002"]}}),
)}
RULES["fast"].tests["shown"] = "--trials 1 -P stimulus.dataset=test_command"

# What rules are not asked for, and why: words for who and what, the reason; of which rules (none: of none that is here), tasks and tests it is (none: of the tasks as such).
Reason = collections.namedtuple("Reason", "who what why rules tasks tests", defaults=((), (), ()))
DYNAMICS, CODES = (tuple(tasks) for tasks in TASKS.values())
NOT_FOR = (
    Reason("RLS (both)", "other inputs", "nothing comes in while it learns: a cue before tells conditions apart, and those that were trained are tested", ("rls", "shared"), DYNAMICS, ("other",)),
    Reason("RLS (both)", "codes", "every neuron needs a target; what a neuron of a code should do is what is looked for", ("rls", "shared"), CODES),
    Reason("FORCE on top of a random network", "all", "targets are of the whole drive, so that what the fixed connections do is trained away; without fixed connections it is the rule shared (W = F D at all times)"),
    Reason("tight balance, local", "codes", "its slow synapses learn how a state goes on, which images do not; what learns a code in tight balance is FAST", ("balanced",), CODES),
    Reason("exact gradient", "codes", "what the rule does there is under the name exact gradient, autoencoder", ("exact_gradient",), CODES),
    Reason("exact gradient, autoencoder", "dynamics", "what the rule does there is under the name exact gradient", ("autoencoder",), DYNAMICS),
    Reason("LSNN (both)", "codes", "readouts follow what is shown within a time constant: nothing is to be remembered, nor adapted to", ("bptt", "eprop"), CODES),
    Reason("somatic and dendritic balance; FAST", "dynamics", "they code what is shown; slow synapses, which make a state go on by itself, are what rule balanced adds", ("somatic", "dendritic", "fast"), DYNAMICS),
    Reason("all rules", "Lorenz: other inputs", "no command drives it: but for the state of the first 100 ms nothing comes in", ("balanced", "exact_gradient", "bptt", "eprop"), ("lorenz",), ("other",)),
    Reason("all rules", "recorded rates: other inputs", "no command comes in, and conditions that were not recorded have no rates to compare with", ("balanced", "exact_gradient", "bptt", "eprop"), ("recorded",), ("other",)),
    Reason("all rules", "codes: other inputs", "errors are of images that were not trained in any case; images of another kind there are none", ("somatic", "dendritic", "fast", "autoencoder"), CODES, ("other",)),
    Reason("somatic and dendritic balance", "white noise", "their neurons are stochastic as they are", ("somatic", "dendritic"), CODES, ("noise",)),
    Reason("FAST; exact gradient, autoencoder", "white noise", "was not measured, though engram test --noise could: of rules for codes, two of which are stochastic, it would compare these two only", ("fast", "autoencoder"), CODES, ("noise",)),
)


def why_not(rule, task, test=None):
    """What NOT_FOR says of a rule, a task and a test of it, or of the task as such; None if it says nothing."""
    return next((one for one in NOT_FOR if rule in one.rules and task in one.tasks and (test in one.tests if test else not one.tests)), None)


# What a synapse knows; what is sent to all; bytes of a synapse while it learns; bits sent a step; operations of learning a step.
COSTS = {
    "rls": ("error of its neuron's drive, P of all K inputs of its neuron", "nothing: each neuron has a target of its own", "4 + 4 K (row of P)", "32 a spike", "about 4 K² N at an instant of learning (every 2 ms)"),
    "shared": ("error of its neuron's drive, P of all neurons", "the gain P r: N numbers", "4 + 4 (P has N², as many as there are synapses)", "32 a spike", "about 4 N² + 2 N² at an instant"),
    "balanced": ("what its presynaptic side carries (F x^ or ψ), the current of the fed-back error on its neuron", "the error e: J numbers", "8 J Q for all slow synapses together, Q = N or P: W = F G is not written out", "32 a spike, at most one a step",
                 "N J at a spike, J P at nodes of the basis; nothing else"),
    "exact_gradient": ("all that happens behind it in the network and in time", "slopes of all neurons, backwards in time", "16 (weight, gradient, Adam), and 4 N T B of history", "a charge (32) and who has it (32) of each neuron in its zone, forwards; 32 N, slopes, backwards", "about 12 N² B times the part of neurons in the zone (forwards, backwards, gradient)"),
    "bptt": ("the same, through a stand-in for the slope of a spike", "the same", "16, and (0.25 + 8 p) N T B of history, p: part of the steps that are near threshold", "32 a spike, forwards; 32 N, slopes, backwards", "2 N² B times spikes, forwards; the same where slopes are not 0, backwards"),
    "eprop": ("a trace of its presynaptic neuron, its neuron's distance from threshold, errors of readouts weighted for its neuron", "errors of readouts: J numbers", "16, and, as published, a trace or two of each sample (here what it sums is computed backwards)", "32 a spike, 32 J",
              "as BPTT forwards; 2 J N B for errors"),
    "somatic": ("its input x_i and its neuron's trace; its neuron's potential and a trace (inhibition)", "nothing", "4", "32 a spike", "N M at a step with spikes (decoder); N at a spike, and N² every 9 tau (inhibition)"),
    "dendritic": ("the potential of its compartment: x_i less what the others code of it", "nothing", "4 in closed form; 4 N with compartments", "32 a spike", "2 N M at a step with spikes (N (N + M) with fewer neurons than inputs)"),
    "fast": ("the potential of its neuron when its presynaptic neuron fires; inputs when its own fires (F)", "nothing", "8", "32 a spike, at most one a step", "N + M at a spike"),
    "autoencoder": ("all that happens behind it in the network and in time", "slopes of all neurons, backwards in time", "16, and 4 N T B of history", "a charge (32) and who has it (32) of each neuron in its zone, forwards; 32 N, slopes, backwards", "about 6 N (N + M) B times the part of neurons in the zone"),
}


# What files of --with have: {(rule, task, neurons): {key: value}}; {...: how many tries there were, all of which failed}; {...} of sets that failed in FOLDER/confirm.
Earlier = collections.namedtuple("Earlier", "chosen none dropped", defaults=({}, {}, frozenset()))


def settings(rule, task, tasks, size):
    """What a case sets, with folder and size in their places."""
    return {key: str(value).replace("TASKS", tasks).replace("SIZE", str(size)) for key, value in rule.tasks[task].items()}


def write(path, study):
    """@param study None: there is none, and none is left from before"""
    if study is None:
        if os.path.exists(path):
            os.remove(path)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with whole(path) as part, open(part, "w", encoding="utf-8") as file:
        yaml.safe_dump(study, file, sort_keys=False, width=200)


def study_of(rule, folder, grids, tests, names=None):
    return {"parameters": os.path.join(here, rule.base), "results": folder, "set": dict(rule.fixed), "grids": grids, **({"names": names} if names else {}), **({"tests": tests} if tests else {}),
            "collect": {"score": rule.score, "rate_hz": "test rate_hz", "seconds": "run seconds"}}


def tries(rule, tasks, folder, neurons, earlier=Earlier()):
    """The sets of parameters of each task at this size, with a seed that no result has. Keys that are not tried here are as they were best at the size below; a task of which no set worked there is left out,
    and that is said. @param earlier for sizes of which there are no tries here @return None if nothing is left"""
    asked = rule.tried(neurons)
    kept = kept_from_below(rule, neurons)
    cases = {}
    for task in rule.tasks:
        case, before = choice(rule, task, folder, below(neurons), earlier, kept) if kept else (task, {})
        if case:
            cases[case] = {**settings(rule, task, tasks, neurons), **before}
        else:
            print(f"{words_of(rule.name, neurons, task)}: left out, because {', '.join(kept)} would be as best with {below(neurons)} neurons, and no set worked there", file=sys.stderr)
    return study_of(rule, place(folder, "tries", rule, neurons), [{"set": fixed(rule, neurons), "vary": asked, "cases": cases, "seeds": TRY_SEEDS}], scored(rule)) if cases else None


def kept_from_below(rule, neurons):
    """Keys that are not tried at this size, and are as they were best at the size below."""
    return [key for key in rule.tries if key not in rule.tried(neurons)]


def words_of(rule, neurons, task):
    """'RULE, N neurons: TASK'. @param rule, task names, or labels"""
    return f"{rule}, {neurons} neurons: {task}"


def each_failed(count):
    return f"each of {count} tries failed" if count > 1 else "the only try failed"


def fixed(rule, neurons):
    """Of tries, and of runs that confirm them."""
    return {"network.neurons": neurons, **rule.fixed}


def scored(rule):
    """Tests that the score of tries is of."""
    return {name: options for name, options in rule.tests.items() if name in rule.score}


def place(folder, kind, rule, what):
    """Of a study: FOLDER/[tries/|confirm/]RULE/WHAT, beside its file, WHAT.yaml."""
    return os.path.join(folder, *filter(None, (kind, rule.name, str(what))))


def below(neurons):
    return max(size for size in SIZES["full"] if size < neurons)


def rows_of(folder, kind, rule, neurons):
    """Of the table of a study; none if there is no table."""
    where = place(folder, kind, rule, neurons)
    return read_table(where, "table.csv") if os.path.exists(os.path.join(where, "table.csv")) else []


def ranked(rule, task, folder, neurons, earlier=Earlier()):
    """Sets of parameters of the tries at this size, as values of the keys of rule.tries, by their scores (mean over seeds), the best first; those without a score (a run that failed) are left out.
    None are left if every try ended by itself without one, here or in what is known from earlier, or if the size below had none and keys are taken from there. A try that did not end by itself might have been the
    best: it ends the program.
    @param earlier where there are no such tries"""
    at, scores, where = (rule.name, task, neurons), {}, place(folder, "tries", rule, neurons)
    rows = [row for row in rows_of(folder, "tries", rule, neurons) if measure.task_of(row) == task]
    refuse_unended(where, rows)
    for row in rows:
        scores.setdefault(tuple(row[key] for key in rule.tries), []).append(number(row["score"]))
    found = {values: sum(ones) / len(ones) for values, ones in scores.items() if all(map(math.isfinite, ones))}
    if found:
        return sorted(found, key=found.get, reverse=rule.most)
    if scores:
        return []
    if at in earlier.chosen:
        return [tuple(earlier.chosen[at][key] for key in rule.tries)]
    if at in earlier.dropped:
        fail(f"{words_of(rule.name, neurons, task)}: the set that FILE has failed in {place(folder, 'confirm', rule, neurons)}, and there are no tries that found another: give --sizes {neurons}, too, to make them first")
    if at in earlier.none or kept_from_below(rule, neurons) and not ranked(rule, task, folder, below(neurons), earlier):
        return []
    fail(f"{where}/table.csv: no try of {task} has a score: jobs/comparison/run makes them")


def failed_tries(rule, folder, neurons):
    """{task: how many tries there were} of tasks of which every try ended by itself and none has a score: that is a finding, which those that a full disk or the system ended are not."""
    tasks = {}
    for row in rows_of(folder, "tries", rule, neurons):
        lost = ended_itself(row, place(folder, "tries", rule, neurons)) and not math.isfinite(number(row["score"]))
        tasks.setdefault(measure.task_of(row), []).append(lost)
    return {task: len(lost) for task, lost in tasks.items() if all(lost)}


def ended_itself(row, where):
    """Of a row of the table of a study in that folder: the run is done, or ran away."""
    return row.get("state") == "done" or row.get("state") == "failed" and ran_away(os.path.join(where, row["name"]))


def refuse_unended(where, rows):
    """Ends the program with exit code 1, the machine's fault, if runs of a study did not end by themselves: they say nothing of the network. @param where folder of the study @param rows of its table"""
    left = [f"{row['name']} ({words})" for row in rows if not ended_itself(row, where) for words in [how_it_is(row, where)]]
    if left:
        print(f"{os.path.basename(sys.argv[0])}: {where}: of {len(rows)} runs {len(left)} did not end by themselves, and might have come out well: {', '.join(left[:6])}{', ...' if len(left) > 6 else ''}: "
              f"sweep.log of each may say why; the command that made them makes them again", file=sys.stderr)
        raise SystemExit(1)


def how_it_is(row, where):
    """Of a row of the table of a study in that folder: its state, with the exit code of what failed."""
    code = read_json(os.path.join(where, row["name"], "sweep.json")).get("exit_code")
    return f"{row['state']}, exit code {code}" if row["state"] == "failed" and code is not None else row["state"]


def ended(rule, folder, neurons):
    """Confirming runs that ended by themselves: {(task, values): {seed: row of the table}}. Those that a full disk or the system ended say nothing of their parameters: they are to be run again."""
    found = {}
    for row in rows_of(folder, "confirm", rule, neurons):
        if ended_itself(row, place(folder, "confirm", rule, neurons)) and int(row["seed"]) in CONFIRM_SEEDS:
            found.setdefault((measure.task_of(row), tuple(row[key] for key in rule.tries)), {})[int(row["seed"])] = row
    return found


def ran_away(folder):
    """Of a run that failed."""
    return any(read_json(os.path.join(folder, name)).get("exit_code") == RAN_AWAY for name in ("sweep.json", "run.json"))


def failures(rows):
    """How many of these confirming runs have no score. @param rows {seed: row}"""
    return sum(not math.isfinite(number(row["score"])) for row in rows.values())


def taken(task, candidates, known):
    """Which of the sets, best first, is taken: the first of which no confirming run failed; if there is none, the first of those that failed with fewest seeds. One whose runs have not all ended counts as one
    that holds. @param known from ended() @return its place"""
    rows = [known.get((task, values), {}) for values in candidates]
    for at, some in enumerate(rows):
        if len(some) < len(CONFIRM_SEEDS) or not failures(some):
            return at
    return min(range(len(rows)), key=lambda at: failures(rows[at]))


def choice(rule, task, folder, neurons, earlier=Earlier(), keys=None):
    """The set of parameters that is taken at this size: name of its case, and {key: value}. The name is the task, or TASK.2 if the second best of the tries was taken and differs from the best: its runs have
    folders of their own, so that those made before it was confirmed stay as they are. Neither (None, {}) if no set worked. @param keys these only"""
    candidates = ranked(rule, task, folder, neurons, earlier)
    if not candidates:
        return None, {}
    at = taken(task, candidates, ended(rule, folder, neurons))
    first, found = ({key: value for key, value in zip(rule.tries, candidates[one]) if keys is None or key in keys} for one in (0, at))
    return task if found == first else f"{task}.{at + 1}", found


def confirm(rule, tasks, folder, neurons, recorded=None, earlier=Earlier()):
    """Writes the study of runs that confirm what the tries found, with all that was in it before. When all is settled, it is said. @param recorded {(rule, task, neurons): {key: value}} to be confirmed instead
    @return indices of the runs that are still to be made"""
    path = place(folder, "confirm", rule, f"{neurons}.yaml")
    grids, known, wanted, said = grids_in(path, rule), ended(rule, folder, neurons), set(), []
    for task in rule.tasks:
        if recorded is None:
            candidates = ranked(rule, task, folder, neurons, earlier)
        elif (rule.name, task, neurons) in recorded:
            candidates = [tuple(recorded[rule.name, task, neurons][key] for key in rule.tries)]
        else:
            fail(f"--recorded: no FILE has parameters of {rule.name}, {task}, {neurons} neurons")
        if not candidates:
            count = failed_tries(rule, folder, neurons).get(task)
            said += [f"{words_of(rule.name, neurons, task)}: {each_failed(count)}: there is nothing to confirm or to run"] if count else []  # of what was left out tries have said so
            continue
        at = taken(task, candidates, known)
        for values in candidates[:at + 1]:
            grids[task, values] = {"set": fixed(rule, neurons), "vary": {key: [value] for key, value in zip(rule.tries, values)}, "cases": {task: settings(rule, task, tasks, neurons)}, "seeds": list(CONFIRM_SEEDS)}
        left = [seed for seed in CONFIRM_SEEDS if seed not in known.get((task, candidates[at]), {})]
        wanted.update((task, candidates[at], seed) for seed in left)
        words = "" if left else settled(rule, task, candidates, at, known, recorded is not None)
        said += [f"{rule.name}, {neurons} neurons, {task}: {words}"] if words else []
    if not wanted:
        print("".join(f"{line}\n" for line in said), file=sys.stderr, end="")
    if not grids:
        return []
    write(path, study_of(rule, place(folder, "confirm", rule, neurons), list(grids.values()), scored(rule)))
    return [run.index for run in Study(path).runs if (run.case, tuple(run.overrides[key] for key in rule.tries), run.seed) in wanted]


def grids_in(path, rule):
    """Those of a study of confirming runs: {(task, values): grid}; none of one with other keys."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        grids = yaml.safe_load(file)["grids"]
    return {(next(iter(grid["cases"])), tuple(values[0] for values in grid["vary"].values())): grid for grid in grids if list(grid["vary"]) == list(rule.tries)}


def settled(rule, task, candidates, at, known, recorded=False):
    """What to say of a choice that is not simply the best one; '' of that. @param recorded it is of a file"""
    count, values = failures(known[task, candidates[at]]), "; ".join(f"{key}={value}" for key, value in zip(rule.tries, candidates[at]))
    seeds = " and ".join(map(str, CONFIRM_SEEDS))
    if count and recorded:
        return f"{values}, as recorded, failed with {count} of seeds {seeds}: what is best is looked for anew, unless the runs that are recorded were set up otherwise"
    if count and len(candidates) == 1:
        return f"{values} failed with {count} of seeds {seeds}, and there is no other set"
    if count:
        return f"each of {len(candidates)} sets failed with one of seeds {seeds} at least; taken is the one that failed with fewest ({count}): {values}"
    return f"the best {f'{at} sets' if at > 1 else 'set'} failed with one of seeds {seeds} at least; taken is {values}" if at else ""


def grid_of(rule, tasks, folder, neurons, earlier):
    """Seeds 1 .. 5 of every task, with the parameters that were best at this size; None if no set worked for any."""
    cases = {}
    for task in rule.tasks:
        case, values = choice(rule, task, folder, neurons, earlier)
        if case:
            cases[case] = {**settings(rule, task, tasks, neurons), **values}
    return None if not cases else {"vary": {"network.neurons": [neurons]}, "cases": cases, "seeds": ["1..5"]}


def runs(rule, tasks, folder, neurons, earlier=Earlier()):
    """At N = 100 with errors while they learn."""
    grid = grid_of(rule, tasks, folder, neurons, earlier)
    if grid is None:
        return None
    if neurons == SIZES["full"][0] and rule.every:
        grid["set"] = {**rule.fixed, "test.every": rule.every}
    return study_of(rule, place(folder, "", rule, neurons), [grid], {name: options for name, options in rule.tests.items() if name != "other"}, {"network.neurons": "N"})


def short(rule, tasks, folder, neurons, earlier=Earlier()):
    """Shorter runs of rules whose error tests between loops do not tell."""
    grid = grid_of(rule, tasks, folder, neurons, earlier)
    if grid is None:
        return None
    grid["vary"].update(rule.ladder)
    return study_of(rule, place(folder, "", rule, "short"), [grid], {"rasters": rule.tests["rasters"]}, {"network.neurons": "N"})


def others(rule, folder, neurons):
    """Runs of tasks that have other inputs, as lines: folder, which may have blanks in its name, a tab, options of engram test."""
    where = place(folder, "", rule, neurons)
    return [f"{os.path.join(where, row['name'])}\t{rule.tests['other']}" for row in read_table(where, "table.csv") if measure.task_of(row) in measure.WITH_OTHER and row["state"] == "done"]


def read_options():
    """Command line, checked: command, where (TASKS, FOLDER), size, rules (with the chosen tasks only)."""
    every_task = [task for group in TASKS.values() for task in group]
    parser = argparse.ArgumentParser(prog="jobs/comparison/rules.py", usage=USAGE, allow_abbrev=False)
    parser.add_argument("words", nargs="+")
    parser.add_argument("--tasks", nargs="+", choices=every_task, default=every_task)
    parser.add_argument("--with", dest="files", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--table")
    parser.add_argument("--recorded", action="store_true")
    parser.add_argument("-P", dest="typed", action="append", default=[])
    options = parser.parse_args()
    options.command = options.words[0]
    if options.command == "ended":
        options.where = options.words[1:]
        return options
    count = {"sizes": 3, "recorded": 3, "tries": 4, "confirm": 4, "runs": 4, "others": 3}.get(options.words[0], 0)
    names, size = options.words[count:], options.words[count - 1] if len(options.words) > count else ""
    if not count or not names or any(name not in RULES for name in names) or size not in (SIZES if options.words[0] in ("sizes", "recorded") else map(str, SIZES["full"])):
        parser.error(f"rules: {', '.join(RULES)}; neurons: {', '.join(map(str, SIZES['full']))}")
    if options.recorded and options.words[0] != "confirm" or options.words[0] == "confirm" and len(names) > 1:
        parser.error("--recorded is for confirm, and that for one rule at a time")
    options.where, options.size, options.rules = options.words[1:count - 1], size, [RULES[name] for name in names]
    for rule in options.rules:
        rule.tasks = {task: values for task, values in rule.tasks.items() if task in options.tasks}
    options.rules = [rule for rule in options.rules if rule.tasks]
    return options


def missing(rule, neurons, known, seeds):
    """Tasks of which not all seeds are measured, with all tests of the rule, if they did not fail."""
    def measured(task, seed):
        one = known.get((rule.name, task, neurons, seed))
        return one and (not one.done or all(map(one.has, tests_of(rule, task))))
    none = {one.place for one in known.values() if one.no_set}
    return [task for task in rule.tasks if (rule.name, task, neurons) not in none and not all(measured(task, seed) for seed in range(1, seeds + 1))]


def tests_of(rule, task):
    """Those that are compared: not those that only help to measure the error."""
    return [name for name in rule.tests if name not in ("rasters", "shown") and (name != "other" or task in measure.WITH_OTHER)]


def unconfirmed(rule, neurons, known, seeds):
    """Tasks that are measured, with parameters that are known, and were not confirmed."""
    lacking = missing(rule, neurons, known, seeds)
    first = {task: known.get((rule.name, task, neurons, 1)) for task in rule.tasks}
    return [task for task in rule.tasks if task not in lacking and first[task] and first[task].chosen and not first[task].confirmed]


def refuse_typed(rule, typed):
    """What is recorded is confirmed with the values that it has."""
    for override in typed:
        if override.partition("=")[0] in rule.tries:
            fail(f"-P {override}: --confirm runs {rule.name} with the value that FILE has; leave one of them out")


def main():
    options = read_options()
    if options.command == "ended":
        for where in options.where:
            refuse_unended(where, read_table(where, "table.csv"))
        return
    known, dropped, of_sizes = {}, frozenset(), options.command in ("sizes", "recorded")
    if options.files:
        import records  # which needs this module
        told = sys.stderr if options.command == "sizes" else io.StringIO()  # once is enough
        found = records.merged([], options.files, records.checksum_of(options.table) if options.table else "", told)
        if options.command in ("sizes", "tries"):
            every = {one.place for one in found}
            found = records.without_dropped(found, options.where[-1])
            dropped = every - {one.place for one in found}
        known = {(*one.place, one.seed): one for one in found}
    if of_sizes:  # small ones of all rules first
        for neurons in SIZES["full"]:
            for rule in options.rules:
                tasks = (missing if options.command == "sizes" else unconfirmed)(rule, neurons, known, options.seeds) if neurons in rule.sizes(options.size) else []
                if tasks and options.command == "recorded":
                    refuse_typed(rule, options.typed)
                if tasks:
                    print(neurons, rule.name, *tasks)
        return
    neurons = int(options.size)
    sets = {one.place: one.chosen for one in known.values() if one.chosen}
    none = {one.place: one.no_set for one in known.values() if one.no_set}
    earlier = Earlier(none=none)  # what is chosen at this size comes from the tries
    for rule in options.rules:
        if options.command == "tries":
            write(place(options.where[1], "tries", rule, f"{neurons}.yaml"), tries(rule, *options.where, neurons, Earlier(sets, none, dropped)))
        elif options.command == "confirm":
            print(*confirm(rule, *options.where, neurons, sets if options.recorded else None, earlier))
        elif options.command == "runs":
            write(place(options.where[1], "", rule, f"{neurons}.yaml"), runs(rule, *options.where, neurons, earlier))
            if rule.ladder and neurons == SIZES["full"][0]:
                write(place(options.where[1], "", rule, "short.yaml"), short(rule, *options.where, neurons, earlier))
        elif "other" in rule.tests:
            for line in others(rule, *options.where, neurons):
                print(line)


if __name__ == "__main__":
    end_with("rules.py", main)
