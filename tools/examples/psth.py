"""Rates of a task: mean over neurons with its SEM over trials, and the most active neuron: psth.py RUN TASK FIGURE"""
import matplotlib

matplotlib.use("Agg")
import engram
import matplotlib.pyplot as plt


def main(folder, task, path):
    run = engram.load(folder)
    psth = run.psth(task, bin=10, smooth=20, of="loops")   # of="test": trials with frozen weights
    best = int(psth.rate.mean(axis=0).argmax())
    figure, axes = plt.subplots(layout="constrained")
    axes.fill_between(psth.time, psth.mean - psth.mean_sem, psth.mean + psth.mean_sem, color="0.8", label="SEM over trials")
    axes.plot(psth.time, psth.mean, color="black", label=f"mean of {len(psth.ids)} neurons")
    axes.plot(psth.time, psth.rate[:, best], label=f"neuron {psth.ids[best]}")
    axes.set(xlabel="Time from start of loop (ms)", ylabel="Rate (Hz)", title=f"Task {task}: {psth.source}".replace("$", r"\$"))
    axes.legend()
    figure.savefig(path)
    print(f"{psth.trials} trials, {psth.mean.mean():.3f} Hz")


engram.script(main)
