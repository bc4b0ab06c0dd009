"""The host's side of training against black boxes: asks ahead of the step that needs the answers."""

import concurrent.futures
import dataclasses
from collections.abc import Mapping

import numpy as np

from qm_vae import types
from qm_vae.errors import InputError
from qm_vae.services import answers as qualities
from qm_vae.services.black_box import BlackBox, BudgetSpent, ServiceFailed
from qm_vae.training.state import HostStopped, State


@dataclasses.dataclass(frozen=True)
class Answered:
  """Faces with what the services answered on them, for training; see types.Examples."""

  faces: types.FaceSet
  answers: np.ndarray  # float32 [N, 1 or 2, width], of each face and, second, of its mirror image

  def __len__(self) -> int:
    return len(self.faces)

  def batch(self, positions: np.ndarray) -> dict[str, np.ndarray]:
    """The faces' columns and `answers`."""
    return self.faces.batch(positions) | {"answers": self.answers[positions]}


class Host:
  """What `state.Task.host` promises, for the black-box task.

  Questions of step t are sent while the next steps run and awaited before step t + delay, never earlier: what a step
  sees does not depend on how fast a service is, and a resumed run ends as an uninterrupted one.

  Args:
    boxes: the services by name.
    delay: steps from a question to its answer.
    questions: Q, questions of one step.
    batch_size: B, rows that the answers are padded to; at least Q.
    mirrored: whether mirror images of the originals are asked about, too.
    reserve: images that training leaves of every budget, for the evaluation.
    shuffle: gives every picture the answer on another one: a control, which teaches nothing that is true.
  """

  def __init__(
    self,
    boxes: Mapping[str, BlackBox],
    *,
    delay: int,
    questions: int,
    batch_size: int,
    mirrored: bool,
    reserve: int,
    shuffle: bool = False,
  ):
    self._boxes, self._delay, self._questions, self._batch_size = dict(boxes), delay, questions, batch_size
    self._mirrored, self._reserve, self._shuffle = mirrored, reserve, shuffle
    self._width = sum(box.quality.width for box in self._boxes.values())
    self._worker = concurrent.futures.ThreadPoolExecutor(1)  # one, so that budgets are spent in the order of the steps
    self._under_way = {}  # step -> future of (targets [Q, width], answered [Q])

  def on_start(self, faces: types.FaceSet, state: State) -> Answered:
    """Asks about the originals, and once more what a stopped run had under way.

    Raises:
      HostStopped: when a service fails.
      ValueError: when its budget does not suffice for the originals and the evaluation.
    """
    wanted = [faces.image, faces.image[:, :, ::-1]] if self._mirrored else [faces.image]
    for name, box in self._boxes.items():
      missing, left = int(box.unknown(np.concatenate(wanted)).sum()), box.left()
      # A resumed run may have spent some of the reserve on retries; whether the rest suffices, its evaluation says.
      if left is not None and missing > left - self._reserve and (missing or not int(state.step)):
        raise InputError(
          f"service {name!r}: {missing} questions about the originals and {self._reserve} of the evaluation are more "
          f"than the {left} left of config.quality.{name}.budget; raise it, or use fewer faces"
        )
    answers = np.stack([self._targets(one) for one in wanted], 1)
    if self._shuffle:
      answers = answers[_elsewhere(len(answers), 0)]
    step = int(state.step)
    memory = {
      key: np.array(state.model_state["memory"][key]) for key in ("asked_image", "asked")
    }  # the step uses it up
    for earlier in range(max(step - self._delay, 0), step):
      slot = earlier % self._delay
      self._submit(earlier, memory["asked_image"][slot], memory["asked"][slot])
    return Answered(faces, answers)

  def before_step(self, step: int) -> dict[str, np.ndarray]:
    """What step number `step` (from 0) receives: the answers to the questions asked `delay` steps ago.

    Raises:
      HostStopped: when a service fails.
    """
    arrived = np.zeros((self._batch_size, self._width), np.float32)
    answered = np.zeros(self._batch_size, np.float32)
    if waiting := self._under_way.get(step - self._delay):
      try:
        arrived[: self._questions], answered[: self._questions] = waiting.result()
      except ServiceFailed as error:
        raise HostStopped(str(error)) from error
      del self._under_way[step - self._delay]
    return {"arrived": arrived, "answered": answered}

  def after_step(self, step: int, sent: dict) -> None:
    """Takes the questions of step number `step`; returns at once."""
    self._submit(step, sent["image"], sent["asked"])

  def evaluate(self, faces: types.FaceSet, made: dict[str, np.ndarray]) -> dict[str, float]:
    """Loss rates by the services themselves, as far as the budget goes, and images sent so far.

    Waits for the questions under way, so that what is left of a budget does not depend on how fast a service is.

    Args:
      faces: N test faces.
      made: {"image": uint8 [N, H, W, 3]}, the outputs.

    Raises:
      HostStopped: when a service fails.
    """
    try:
      return self._worker.submit(self._evaluate, faces.image, made["image"]).result()
    except ServiceFailed as error:
      raise HostStopped(str(error)) from error

  def _evaluate(self, originals, outputs):
    result = {}
    for name, box in self._boxes.items():
      left, needed = box.left(), int(box.unknown(np.concatenate([originals, outputs])).sum())
      if left is None or left - self._reserve >= needed:
        answers = [qualities.to_target(box.quality, box.ask(one)) for one in (originals, outputs)]
        result[f"loss_rate/{name}"] = float(np.mean(qualities.lost(box.quality, *answers)))
      result[f"queries/{name}"] = box.sent
    return result

  def close(self) -> None:
    """Ends the threads."""
    self._worker.shutdown(wait=False, cancel_futures=True)
    for box in self._boxes.values():
      box.close()

  def _targets(self, images):
    try:
      return np.concatenate(
        [qualities.to_target(box.quality, box.ask(images)) for box in self._boxes.values()], axis=-1
      )
    except ServiceFailed as error:
      raise HostStopped(str(error)) from error

  def _submit(self, step, image, asked):
    self._under_way[step] = self._worker.submit(self._answer, image, asked)

  def _answer(self, image, asked):
    """Runs in the worker, where reading the arrays waits for the step that makes them."""
    image, asked = np.asarray(image), np.asarray(asked)
    rows = self._affordable(image, np.flatnonzero(asked))
    targets, answered = np.zeros((len(asked), self._width), np.float32), np.zeros(len(asked), np.float32)
    if len(rows):
      try:
        targets[rows] = np.concatenate(
          [qualities.to_target(box.quality, box.ask(image[rows])) for box in self._boxes.values()], axis=-1
        )
        if self._shuffle:
          targets[rows] = targets[rows[_elsewhere(len(rows), int(rows.sum()))]]
        answered[rows] = not self._shuffle or len(rows) > 1  # a single one has no other's answer to get
      except BudgetSpent:  # by retries; the student continues with its memory
        pass
    return targets, answered

  def _affordable(self, image, rows):
    """The first of `rows` for which every budget suffices; all services are asked about the same pictures."""
    for box in self._boxes.values():
      left = box.left()
      if left is not None:
        sent = np.cumsum(box.unknown(image[rows]))
        rows = rows[sent <= max(left - self._reserve, 0)]
    return rows


def _elsewhere(count, seed):
  """An order of `count` in which nobody keeps the own place, but where there is one alone."""
  ring = np.random.default_rng(seed).permutation(count)
  order = np.empty(count, int)
  order[ring] = np.roll(ring, 1)
  return order
