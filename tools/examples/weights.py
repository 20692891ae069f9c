"""Weights and in-degree of every population of synapses, as lines, and a histogram: weights.py RUN FIGURE"""
import matplotlib

matplotlib.use("Agg")
import engram
import matplotlib.pyplot as plt
import numpy as np


def main(folder, path):
    run = engram.load(folder)
    figure, axes = plt.subplots(layout="constrained")
    for name in run.synapses:
        weights = run.weights(name)                          # [target][source]
        if not weights.nnz:
            print(f"{name}: no synapses")
            continue
        in_degree = np.diff(weights.indptr)
        print(f"{name}: {weights.shape[0]} {weights.targets} <- {weights.shape[1]} {weights.sources}, in-degree {in_degree.min()} to {in_degree.max()}, "
              f"weight {weights.data.mean():.4g} +- {weights.data.std():.4g} (unit {weights.unit or '?'})")
        axes.hist(weights.data, bins=50, histtype="step", density=True, label=f"{name} ({weights.nnz})")
    axes.set(xlabel="Weight", ylabel="Density", yscale="log")
    axes.legend()
    figure.savefig(path)


engram.script(main)
