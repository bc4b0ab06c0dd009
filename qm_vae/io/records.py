"""Where a run's numbers go: metrics.jsonl always, pictures and further writers on request."""

import json
import os
import pathlib

import numpy as np

from qm_vae.errors import InvalidFile
from qm_vae.io import images, reading, writers
from qm_vae.options import is_number


class Writer:
  """Appends rows to WORKDIR/metrics.jsonl, and hands scalars and pictures to further writers.

  With `samples` pictures go to WORKDIR/samples/STEP.png. A silent one wants the same pictures and writes nothing.
  """

  def __init__(
    self,
    workdir: str | pathlib.Path,
    *,
    choice: writers.Choice = writers.NONE,
    samples: bool = False,
    silent: bool = False,
  ):
    self.wants_images = (
      choice.takes_pictures or samples
    )  # whether pictures go anywhere, so that nobody makes them in vain
    self._silent = silent
    if silent:
      return
    self._samples = pathlib.Path(workdir) / "samples" if samples else None
    self._path = pathlib.Path(workdir) / "metrics.jsonl"
    self._file = self._path.open("a", encoding="utf-8")
    self._writers = choice.open(workdir)

  def scalars(self, step: int, split: str, values: dict[str, float], **where) -> None:
    """One row: the step, the split ('train' or 'test'), further coordinates such as the epoch, and the values."""
    if self._silent:
      return
    self._file.write(json.dumps({"step": step, "split": split, **where, **values}) + "\n")
    self._file.flush()
    for one in self._writers:
      one.write_scalars(step, {f"{split}/{name}": value for name, value in values.items()})

  def image(self, step: int, name: str, image: np.ndarray) -> None:
    """A picture [H, W, 3] float32 in [0, 1]; nothing where nobody wants one."""
    if self._silent:
      return
    if self._samples:
      self._samples.mkdir(exist_ok=True)
      images.write_png(self._samples / f"{step:08d}.png", np.rint(image * 255).astype(np.uint8))
    for one in self._writers:
      one.write_images(step, {name: image})

  def close(self) -> None:
    """Flushes and closes."""
    if self._silent:
      return
    self._file.close()
    for one in self._writers:
      one.close()


def read_rows(workdir: str | pathlib.Path) -> list[dict]:
  """The rows of WORKDIR/metrics.jsonl; a last line cut short by a kill is left out.

  Raises:
    InvalidFile: for a file that holds other lines than rows, with a step and a split.
  """
  path = pathlib.Path(workdir) / "metrics.jsonl"
  rows, remedy = [], "move it away; a resumed run begins another"
  for number, line in enumerate(reading.read_text(path, remedy=remedy).split("\n") if path.exists() else [], 1):
    try:
      row = json.loads(line)
    except (ValueError, RecursionError):
      break
    if not (isinstance(row, dict) and is_number(row.get("step"), (int,)) and isinstance(row.get("split"), str)):
      raise InvalidFile(path, f"holds no row in line {number}", "an object with step and split", remedy)
    rows.append(row)
  return rows


def rewind(workdir: str | pathlib.Path, step: int) -> None:
  """Drops the rows after `step`, so that a resumed run's file equals an uninterrupted one's."""
  rows = [row for row in read_rows(workdir) if row["step"] <= step]
  write_text(pathlib.Path(workdir) / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def write_text(path: str | pathlib.Path, text: str) -> None:
  """Writes a text file aside and renames it into place, so that no reader ever sees half of it."""
  path = pathlib.Path(path)
  aside = path.with_name(f".{path.name}.{os.getpid()}")
  try:
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
  except OSError as error:
    aside.unlink(missing_ok=True)
    if error.filename is None:  # a full disk
      raise OSError(error.errno, error.strerror, str(path)) from error
    raise


def write_arrays(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
  """Writes a compressed npz aside and renames it."""
  aside = path.with_name(f".{path.name}")
  with aside.open("wb") as file:
    np.savez_compressed(file, allow_pickle=False, **arrays)
  aside.replace(path)
