"""The score of every loop and the rate: learning_curve.py RUN FIGURE"""
import matplotlib

matplotlib.use("Agg")
import engram
import matplotlib.pyplot as plt
import numpy as np


def main(folder, path):
    run = engram.load(folder)
    score, last = run.score
    if not np.isfinite(last):
        raise engram.EngramError(f"{folder}: no score yet, the run is {run.state}")
    columns = run.columns
    measured = np.isfinite(columns[score])
    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, layout="constrained")
    for number, name in enumerate(run.tasks):
        of_task = measured & (columns["task"] == number)
        top.plot(columns["loop"][of_task], columns[score][of_task], ".-", label=f"task {name}".replace("$", r"\$"))
    bottom.plot(columns["loop"], columns["rate_hz"], color="grey")
    top.set(ylabel=score, title=f"{run.system}, {run.state}: {score} {last:.3g} after {run.loops} loops", ylim=(min(0, np.nanmin(columns[score])), None))
    bottom.set(xlabel="Training loop", ylabel="Rate (Hz)")
    top.legend()
    figure.savefig(path)
    print(f"{score} {last:.6g} after {run.loops} loops")


engram.script(main)
