"""Average ranks of systems, as Demsar draws them (2006, Journal of Machine Learning Research 7)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mrs.evaluation.significance import average_ranks
from mrs.report.figures import CHANCE, PLAIN, closed
from mrs.report.style import WIDTH, is_surrogate


def rank_figure(names: list[str], scores: np.ndarray) -> Figure:
    """Average ranks; those within Nemenyi's critical difference are joined, surrogates hollow.

    `scores` [blocks x systems], higher is better.
    """
    import scikit_posthocs  # takes seconds to import

    ranks = pd.Series(average_ranks(scores), index=names)
    p = scikit_posthocs.posthoc_nemenyi_friedman(scores)
    p.index = p.columns = pd.Index(names)
    face = "white" if all(map(is_surrogate, names)) else PLAIN
    figure, axis = plt.subplots(figsize=(WIDTH, 0.24 * len(names) + 1.6))
    scikit_posthocs.critical_difference_diagram(
        ranks,
        p,
        ax=axis,
        label_fmt_left="{label} ({rank:.1f})",
        label_fmt_right="({rank:.1f}) {label}",
        label_props={"fontsize": 9},
        elbow_props={"color": CHANCE, "linewidth": 1},
        marker_props={"edgecolor": PLAIN, "facecolor": face},
        crossbar_props={"color": PLAIN},
        text_h_margin=0.1,
    )
    axis.grid(visible=False)
    return closed(figure)
