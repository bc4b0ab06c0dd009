"""What a run leaves in its folder while it trains: rows of metrics.jsonl, pictures, checkpoints; nothing not finite."""

import pathlib

import jax
import numpy as np

from qm_vae.errors import InputError
from qm_vae.io import writers
from qm_vae.io.checkpoints import Checkpoints
from qm_vae.io.records import Writer, read_rows, rewind
from qm_vae.metrics import images
from qm_vae.training import distributed
from qm_vae.training.state import State

_REMEDY = (
  "Training stopped; the newest checkpoint holds earlier, finite values. Lower config.learning_rate, or look at the "
  "data of that step"
)


class NotFinite(InputError, FloatingPointError):
  """A loss term that is NaN or infinite; the message names the step and the term."""


class Logbook:
  """Writes for one run. What the loop hands over is on the host, but for the state and pictures.

  Of several processes that train together each has one; all check what they are given, the first alone writes.
  """

  def __init__(
    self,
    workdir: str | pathlib.Path,
    checkpoints: Checkpoints | None,
    *,
    choice: writers.Choice = writers.NONE,
    samples: bool = False,
    group: distributed.Group | None = None,
  ):
    """Opens nothing yet; see `begin`. The arguments are those of `train.fit`."""
    self.workdir, self._checkpoints, self._group = (
      pathlib.Path(workdir),
      checkpoints,
      group or distributed.single_process(),
    )
    self._pictured = {"choice": choice, "samples": samples}
    self._writer = None

  def restore(self, template: State) -> State | None:
    """The newest whole checkpoint, on the host, the same in every process."""
    found = []
    if not self._group.broadcast(lambda: found.append(self._checkpoints.restore(template)) or found[0] is not None):
      return None
    return self._group.broadcast_arrays(found[0] if found else None, template)

  def begin(self, step: int) -> float:
    """Drops rows after `step` and opens the files; returns the seconds that the run has taken so far."""
    earlier = []
    if self.is_leader:
      rewind(self.workdir, step)
      earlier = [row["seconds"] for row in read_rows(self.workdir) if "seconds" in row]
    self._writer = Writer(self.workdir, silent=not self.is_leader, **self._pictured)
    return earlier[-1] if earlier else 0.0

  def train(self, step: int, values: dict[str, np.ndarray], counts: dict[str, np.ndarray], **where) -> str:
    """The row of the steps up to `step`.

    Args:
      step: the last of them.
      values: {term: [steps]}.
      counts: {name: [K]}, how often each code was used, where the row is to tell.
      **where: further columns.

    Returns:
      The mean loss, for people.

    Raises:
      NotFinite: naming the first step and a term that is not finite; nothing is written.
    """
    means = {}
    for name, found in values.items():
      finite = np.isfinite(found)
      if not finite.all():
        bad = int(np.argmin(finite))
        raise NotFinite(f"step {step - len(found) + 1 + bad}: the term {name!r} is {found[bad]}. {_REMEDY}")
      means[name] = float(found.mean())
    for one in counts.values():
      means |= code_use(one)
    self._writer.scalars(step, "train", means, **where)
    return f"{means['loss']:.4f}"

  def test(self, step: int, result: dict, **where) -> None:
    """The row of an evaluation.

    Raises:
      NotFinite: naming the term; nothing is written.
    """
    for name, value in result.items():
      if not np.isfinite(value):
        raise NotFinite(f"step {step}: the evaluation's term {name!r} is {value}. {_REMEDY}")
    self._writer.scalars(step, "test", result, **where)

  def tested(self, step: int) -> bool:
    """Whether there is a row of the evaluation after that step."""
    rows = lambda: any(row["split"] == "test" and row["step"] == step for row in read_rows(self.workdir))
    return self._group.broadcast(rows)

  @property
  def is_leader(self) -> bool:
    """Whether this process writes, and tells people how far it is."""
    return self._group.is_leader

  @property
  def wants_pictures(self) -> bool:
    """Whether pictures go anywhere, so that nobody makes them in vain."""
    return self._writer.wants_images

  def pictures(self, step: int, made: np.ndarray) -> None:
    """A picture [H, W, 3] float32 in [0, 1]."""
    self._writer.image(step, "original, views, output", np.asarray(made))

  def save(self, step: int, state: State) -> None:
    """Starts to write a checkpoint.

    Raises:
      NotFinite: naming the array; nothing is written.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
      if not bool(np.isfinite(np.asarray(leaf)).all()):
        raise NotFinite(f"step {step}: the update made {jax.tree_util.keystr(path)} not finite. {_REMEDY}")
    if self.is_leader:
      self._checkpoints.save(step, state)

  def keep(self, step: int, state: State) -> None:
    """Writes a checkpoint where there is none of this step, and waits for it; of step 0 there is nothing to keep.

    Raises:
      NotFinite: as `save`.
    """
    if step and step not in self._checkpoints.steps():
      self.save(step, state)
      self.wait()

  def wait(self) -> None:
    """Returns when all checkpoints are on disk."""
    if self.is_leader:
      self._checkpoints.wait()

  def close(self) -> None:
    """Closes the files; the checkpoints stay whose they are."""
    if self._writer:
      self._writer.close()


def code_use(counts: np.ndarray) -> dict:
  """Perplexity and share of the codes used, of counts [..., K]: numbers, or arrays [...]."""
  return {"perplexity": plain(images.perplexity(counts)), "codes_used": plain(images.codebook_usage(counts))}


def plain(value):
  """A number as JSON takes it; arrays with axes stay arrays."""
  return float(value) if np.ndim(value) == 0 else np.asarray(value)
