"""What both pages share: their templates and filters, and the way to disk."""

import base64
import functools
import json
import pathlib

import jinja2

from qm_vae.report import attacks, drawing, files, tables


def data_uri(content):
  """PNG bytes as the value of an `src` attribute."""
  return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def pretty(value):
  """Nested values as indented JSON in which only the line feeds of the layout are real ones."""
  return "\n".join(drawing.visible(line) for line in json.dumps(value, indent=2, ensure_ascii=False).split("\n"))


def whole(text):
  """Text in which no line ends between a number and its percent sign."""
  return text.replace(" %", "\N{NO-BREAK SPACE}%")


@functools.cache
def template(name):
  """The template called `name` beside this file; what it is given is escaped, and any part of it may be missing."""
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.ChainableUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters.update(
    data_uri=data_uri,
    number=tables.number,
    share=attacks.share,
    title=drawing.title,
    visible=drawing.visible,
    pretty=pretty,
    whole=whole,
  )
  return environment.get_template(name)


def write(folder, name, figures, render):
  """Writes `figures/*.png` and a page into a folder; safe to repeat, each file replaced at once.

  A figure of an earlier rendering for which there are no numbers any more is removed.

  Args:
    folder: where the page goes.
    name: of the page's file.
    figures: {name without '.png': Figure, or None where there was nothing to draw}.
    render: {name: PNG bytes or None} -> the page as text.

  Returns:
    pathlib.Path of the page.
  """
  folder = pathlib.Path(folder)
  (folder / "figures").mkdir(exist_ok=True)
  drawn = {}
  for key, figure in figures.items():
    path = folder / "figures" / f"{key}.png"
    drawn[key] = figure and drawing.png(figure)
    if figure is None:
      path.unlink(missing_ok=True)
    else:
      files.write_aside(path, drawn[key])
  path = folder / name
  files.write_aside(path, render(drawn).encode("utf-8", "backslashreplace"))
  return path
