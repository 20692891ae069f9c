"""Runs that tools/plot --compare draws as one: mean and SD over runs of the same parameters with other seeds. Whatever else differs is refused."""
import numpy as np
from plot_run import Run, fail, told

MAY_DIFFER = ("simulation.seed", "output.", "checkpoint.", "guards.", "test.every", "test.stop_at")  # of which results do not depend, or which is meant to differ
NO_RESULTS = {"seconds", "memory_mib"}


def shape_of(run):
    """What must be equal for a mean over runs: {what: value}."""
    metrics = run.columns
    return {"systems": run.system or "?", "neurons": run.about.get("neurons", "?"), "loops in metrics.csv": len(metrics.get("loop", [])),
            "columns of metrics.csv": ", ".join(name for name in metrics if name not in NO_RESULTS),
            "tasks": len(set(metrics.get("task", []))), "trials of the test": trials_of(run)}


def trials_of(run):
    return int(np.squeeze(run.file("test.h5")["test"].attrs.get("trials", -1))) if run.has("test.h5", "test") else 0


def differing(first, other):
    """Parameters of two runs that are not equal, but for those that may differ: 'learning.mu (0 and 0.1)'."""
    keys = [key for key in sorted(first.parameters.keys() | other.parameters.keys()) if not key.startswith(MAY_DIFFER)]
    return [f"{key} ({told(first.parameters.get(key, 'none'))} and {told(other.parameters.get(key, 'none'))})" for key in keys if first.parameters.get(key) != other.parameters.get(key)]


def group(first, directories):
    """@p first with these runs beside it in its group."""
    for directory in directories:
        other = Run(directory)
        shape, wanted = shape_of(other), shape_of(first)
        for what, value in wanted.items():
            if shape[what] != value:
                fail(f"--compare: {first.directory} and {directory} differ in their {what} ({value} and {shape[what]}); a mean over runs needs the same shape")
        parameters = differing(first, other)
        if parameters:
            fail(f"--compare: {directory} has other parameters than {first.directory}: {'; '.join(parameters[:4])}{'; ...' if len(parameters) > 4 else ''}; a mean is taken over seeds only")
        if first.names("unit") != other.names("unit"):
            fail(f"--compare: {first.directory} and {directory} have other recorded units")
        for known in first.group:
            if known.parameters.get("simulation.seed") == other.parameters.get("simulation.seed"):
                fail(f"--compare: {known.directory} and {directory} have the same seed, {other.parameters.get('simulation.seed', 'none')}: they are the same run")
        first.group.append(other)
    return first
