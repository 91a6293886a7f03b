"""What the fork server has in memory before it forks a kernel: imported there, nowhere else.

Nothing here may start threads, which forks do not inherit, or touch a display. matplotlib's inline
backend is not for here: it must be imported inside the running kernel.
"""

import gc

import ipykernel.debugger
import ipykernel.kernelapp  # noqa: F401
import IPython.core.completerlib
import IPython.core.pylabtools
import IPython.extensions.storemagic  # noqa: F401
import itables  # noqa: F401
import PIL.JpegImagePlugin  # noqa: F401
import psutil  # noqa: F401
import seaborn  # noqa: F401
import tornado.platform.asyncio  # noqa: F401
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import mrs_book.chapters.backend
import mrs_book.chapters.overview
import mrs_book.chapters.recommend
import mrs_book.kit.tables  # noqa: F401


def draw() -> None:
    """Draw a figure: matplotlib's fonts are then found and their letters loaded."""
    figure = Figure(layout="constrained")
    figure.subplots().set_xlabel("0123456789 @ abcdefghijklmnopqrstuvwxyz")
    FigureCanvasAgg(figure).draw()


draw()
gc.collect()
gc.freeze()  # collections in the forks leave all this alone, and so its memory shared
