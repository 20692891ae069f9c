"""Rates of a task: mean over neurons with its SEM over trials, and the most active neuron: psth.py RUN TASK FIGURE"""
import sys

import matplotlib

matplotlib.use("Agg")
import engram
import matplotlib.pyplot as plt

run = engram.load(sys.argv[1])
psth = run.psth(sys.argv[2], bin=10, smooth=20, of="loops")   # of="test": trials with frozen weights
best = int(psth.rate.mean(axis=0).argmax())
figure, axes = plt.subplots(layout="constrained")
axes.fill_between(psth.time, psth.mean - psth.mean_sem, psth.mean + psth.mean_sem, color="0.8", label="SEM over trials")
axes.plot(psth.time, psth.mean, color="black", label=f"mean of {len(psth.ids)} neurons")
axes.plot(psth.time, psth.rate[:, best], label=f"neuron {psth.ids[best]}")
axes.set(xlabel="Time from start of loop (ms)", ylabel="Rate (Hz)", title=f"Task {sys.argv[2]}: {psth.source}")
axes.legend()
figure.savefig(sys.argv[3])
print(f"{psth.trials} trials, {psth.mean.mean():.3f} Hz")
