"""What all figures share: colours, sizes, intervals, and the way to PNG. No pyplot, hence no global state."""

import io
import math

import matplotlib.image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's palette: distinguishable with every common colour blindness, and in grey with the markers below.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#E69F00", "#56B4E9"
INK, FAINT = "#222222", "#9A9A9A"
JUDGE_COLOURS = (VERMILLION, PURPLE, GREEN, ORANGE)
JUDGE_MARKERS = ("^", "v", "D", "P")
GROUPS = ((BLUE, "o"), (VERMILLION, "^"), (GREEN, "s"), (PURPLE, "v"), (ORANGE, "D"), (SKY, "P"), (INK, "X"))

WIDTH = 5.6  # inches: 10 pt letters stay readable when a phone shrinks the figure to 380 pixels
DPI = 200
LONGEST = 28  # characters of a label


def new_figure(height, **kwargs):
  """A figure of the common width and `height` inches, laid out so that nothing is cut off."""
  figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained", facecolor="white", **kwargs)
  FigureCanvasAgg(figure)
  return figure


def tidy(axes, *, grid="y"):
  """Takes away the frame's upper and right side and lays a faint grid behind the data along `grid`: x, y or both."""
  axes.spines[["top", "right"]].set_visible(False)
  axes.set_axisbelow(True)
  axes.grid(axis=grid, color="#E4E4E4", linewidth=0.8)
  axes.tick_params(labelsize=9, color=FAINT)


def png(figure):
  """The figure as PNG bytes."""
  stream = io.BytesIO()
  figure.savefig(stream, format="png", metadata={"Software": None})
  return stream.getvalue()


def image_png(image):
  """An image uint8 [H, W, 3] as PNG bytes."""
  stream = io.BytesIO()
  matplotlib.image.imsave(stream, image, format="png", metadata={"Software": None})
  return stream.getvalue()


def finite(value):
  """The number, or nan for null and whatever is no finite number."""
  if isinstance(value, bool) or not isinstance(value, int | float):
    return math.nan
  return float(value) if math.isfinite(value) else math.nan


def interval(rate):
  """(value, distance below, distance above) of a rate dict; nan where it was not measured, 0 without an interval."""
  rate = rate or {}
  value, low, high = (finite(rate.get(key)) for key in ("value", "low", "high"))
  below, above = (0.0 if math.isnan(d) else max(d, 0.0) for d in (value - low, high - value))
  return value, below, above


def visible(text):
  r"""Text with every character that cannot be printed written as an escape.

  File names may hold line feeds, half of a surrogate pair, or marks that turn the direction of writing.

  >>> visible("a\nb")
  'a\\nb'
  """
  return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))


def label(text, longest=LONGEST):
  """Text for a figure: printable, short enough to leave room, and with dollar signs that do not start mathematics."""
  text = visible(text)
  if len(text) > longest:
    text = text[: longest - 1] + "…"
  return text.replace("$", r"\$")


TITLES = {
  "qm_vae": "QM-VAE",
  "amt_gan": "AMT-GAN",
  "ugatit": "UGATIT",
  "laplace": "Laplace",
  "k_same": "k-same",
  "union": "union of the views",
}


def title(name):
  """A method's name as it stands in tables and figures."""
  return TITLES.get(name, str(name).replace("_", " "))
