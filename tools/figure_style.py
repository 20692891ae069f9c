"""How figures of studies and of jobs look (tools/sweep, tools/scaling, jobs/*/check), for matplotlib.rc_context(). Those of tools/plot, which are for papers, are smaller: plot_style."""

STYLE = {"font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 7.5, "axes.spines.top": False, "axes.spines.right": False,
         "axes.linewidth": 0.8, "lines.linewidth": 1.2, "lines.markersize": 4, "legend.frameon": False, "figure.constrained_layout.use": True, "savefig.dpi": 160}


def as_is(text):
    """A name of the user's as it is in a figure: no formula of matplotlib begins at a $ in it."""
    return text.replace("$", r"\$")
