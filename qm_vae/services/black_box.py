"""Black boxes: services outside the graph, asked for answers to uint8 images; cached, counted, budgeted, retried."""

import concurrent.futures
import hashlib
import json
import pathlib
import re
import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from qm_vae.errors import InputError, InvalidFile
from qm_vae.io import reading
from qm_vae.registry import Registry
from qm_vae.services import validation
from qm_vae.services.answers import Quality

CLIENTS = Registry(
  "client",
  {
    "callable": "qm_vae.services.callable:make",
    "onnx": "qm_vae.services.onnx:make",
    "http": "qm_vae.services.http:make",
  },
  group="qm_vae.clients",
)
"""Each is `make(source, **options) -> Client`."""

Client = Callable[[np.ndarray], object]
"""uint8 [n, H, W, 3], n >= 1 -> n answers: labels (names or numbers [n]) or numbers [n, names].

Raises Unavailable for what may pass by itself; whatever else it raises ends the asking.
"""


class Unavailable(Exception):
  """A service that did not answer this time: unreachable, too slow, overloaded, or with an answer cut short."""


class ServiceFailed(InputError, RuntimeError):
  """A service that cannot be asked any further; the message names it, the reason and the remedy."""


class BudgetSpent(ServiceFailed):
  """A service that may not be asked any more images."""


class Asking(NamedTuple):
  """How a black box is asked."""

  batch_size: int = 32  # images at a time
  concurrency: int = 1  # batches at the same time
  retries: int = 5  # after the first try of a batch
  backoff: float = 0.5  # seconds before the first retry, doubled for each further one, at most MAX_WAIT
  budget: int = 0  # images that may be sent in all, retries and earlier processes included; 0: no limit


_DIGITS = re.compile(r"[0-9]{1,15}")
MAX_WAIT = 60.0  # seconds


class BlackBox:
  """A service under the one contract: `ask(images) -> answers`.

  Every image that is sent counts, whether or not an answer came back; it is written down before it is sent, so that a
  killed run does not forget it. An answer is kept on disk under the SHA-256 of the image and never asked for again.

  Args:
    name: what errors call it.
    client: see Client.
    quality: what it tells.
    how: see Asking; its defaults where it is None.
    answers: file of the kept answers, shared by every run that asks this service; None: kept in memory alone.
    ledger: file of the images sent by one run; None: counted in memory alone.
    tell: called with a sentence before each wait.
    sleep: waits that many seconds; without one, until the box is closed at the longest.
  """

  def __init__(
    self,
    name: str,
    client: Client,
    quality: Quality,
    how: Asking | None = None,
    *,
    answers: pathlib.Path | None = None,
    ledger: pathlib.Path | None = None,
    tell: Callable[[str], None] = lambda sentence: None,
    sleep: Callable[[float], object] | None = None,
  ):
    how = how or Asking()
    self.name, self.quality, self.how = name, quality, how
    self._closed = threading.Event()
    self._client, self._tell, self._sleep = client, tell, sleep or self._closed.wait
    self._kept = _Kept(answers, len(quality.names))
    self._ledger = _Ledger(ledger, how.budget, name)
    self._pool = concurrent.futures.ThreadPoolExecutor(how.concurrency)

  @property
  def sent(self) -> int:
    """Images sent so far, by this run's earlier processes too."""
    return self._ledger.sent

  def left(self) -> int | None:
    """Images that may still be sent; None without a budget."""
    return None if not self.how.budget else self.how.budget - self.sent

  def unknown(self, images: np.ndarray) -> np.ndarray:
    """bool [N]: which of `images` would have to be sent; of equal ones the first."""
    keys = _keys(images)
    new = np.zeros(len(keys), bool)
    new[self._new(keys)] = True
    return new

  def ask(self, images: np.ndarray) -> np.ndarray:
    """The answers to uint8 images [N, H, W, 3], float32 [N, names]; see qualities.

    Raises:
      BudgetSpent: when the budget does not suffice; what it sufficed for is kept.
      ServiceFailed: when the service does not answer after all retries, or not as agreed.
      ValueError: for anything but uint8 RGB images.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
      raise InputError(f"service {self.name!r} takes uint8 [N, H, W, 3], not {images.dtype} {list(images.shape)}")
    keys = _keys(images)
    new = self._new(keys)
    chunks = [new[start : start + self.how.batch_size] for start in range(0, len(new), self.how.batch_size)]
    try:
      waiting = [self._pool.submit(self._fetch, images[chunk], [keys[i] for i in chunk]) for chunk in chunks]
    except RuntimeError as error:  # closed, by another thread, between two of them
      raise ServiceFailed(f"service {self.name!r} is closed") from error
    concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_EXCEPTION)
    under_way = [one for one in waiting if not one.cancel()]  # cancels what has not begun, after a failure
    for one in under_way:
      one.exception()  # waits: what was sent and answered is kept, even where another batch failed
    for one in under_way:
      one.result()
    return np.array([self._kept[key] for key in keys], np.float32).reshape(len(keys), len(self.quality.names))

  def close(self) -> None:
    """Ends the threads; nothing is sent from here on."""
    self._closed.set()
    # What has not begun is not cancelled here but fails at once: `wait` never hears of futures that a pool cancels.
    self._pool.shutdown(wait=False)

  def _new(self, keys):
    """Positions of those that no answer is kept for, of equal ones the first."""
    first = {key: i for i, key in reversed(list(enumerate(keys)))}
    return sorted(i for key, i in first.items() if key not in self._kept)

  def _fetch(self, images, keys):
    for attempt in range(self.how.retries + 1):
      if self._closed.is_set():
        raise ServiceFailed(f"service {self.name!r} is closed")
      self._ledger.spend(len(images))
      try:
        answers = self._client(images)
        break
      except Unavailable as reason:
        if attempt == self.how.retries:
          raise ServiceFailed(
            f"service {self.name!r} does not answer after {attempt + 1} tries: {reason}. See to the service, or raise "
            f"config.quality.{self.name}.retries, backoff or timeout"
          ) from reason
        wait = min(self.how.backoff * 2**attempt, MAX_WAIT)
        self._tell(
          f"service {self.name!r}: {reason}; trying again in {wait:.1f} s (retry {attempt + 1} of {self.how.retries})"
        )
        self._sleep(wait)
      except ServiceFailed:
        raise
      except Exception as error:  # a user's code raises whatever it likes
        raise ServiceFailed(f"service {self.name!r} failed: {type(error).__name__}: {error}") from error
    self._kept.keep(keys, self._agreed(answers, len(images)))

  def _agreed(self, answers, count):
    """float32 [count, names] from whatever form of answer the contract allows."""
    try:
      return validation.validated(self.quality, answers, count)
    except ValueError as error:
      raise ServiceFailed(f"service {self.name!r}: {error}") from error


def _keys(images):
  shape = str(images.shape[1:]).encode()
  return [hashlib.sha256(shape + np.ascontiguousarray(image).tobytes()).hexdigest() for image in images]


class _Kept:
  """Answers by the key of their image: in memory, and a line of JSON each in a file that several runs append to."""

  def __init__(self, path, width):
    self._path, self._known, self._lock = path, {}, threading.Lock()
    if path is not None and path.exists():
      for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
          key, answer = json.loads(line)
          answer = [np.nan if one is None else float(one) for one in answer]
        except (
          ValueError,
          TypeError,
          OverflowError,
          RecursionError,
        ):  # a line cut short by a kill; its image is asked about again
          continue
        if isinstance(key, str) and len(answer) == width:
          self._known[key] = answer

  def __contains__(self, key):
    return key in self._known

  def __getitem__(self, key):
    return self._known[key]

  def keep(self, keys, answers):
    lines = ""
    for key, answer in zip(keys, answers.tolist(), strict=True):
      self._known[key] = answer
      lines += json.dumps([key, [None if one != one else one for one in answer]]) + "\n"
    if self._path is not None:
      with self._lock:
        _append(self._path, lines)


class _Ledger:
  """Images sent, one number a line, written before they are sent."""

  def __init__(self, path, budget, name):
    self._path, self._budget, self._name, self._lock = path, budget, name, threading.Lock()
    self.sent = 0
    if path is not None and path.exists():
      lines = reading.read_text(path, remedy="what was sent is not known any more").split("\n")
      if any(not _DIGITS.fullmatch(line) for line in lines[:-1]):
        raise InvalidFile(
          path, "is damaged: it holds other lines than numbers", "", "what was sent is not known any more"
        )
      self.sent = sum(int(line) for line in lines if _DIGITS.fullmatch(line))

  def spend(self, count):
    with self._lock:
      if self._budget and self.sent + count > self._budget:
        raise BudgetSpent(
          f"service {self._name!r} was sent {self.sent} images of the {self._budget} that "
          f"config.quality.{self._name}.budget allows; {count} more are too many"
        )
      if self._path is not None:
        _append(self._path, f"{count}\n")
      self.sent += count


def _append(path, text):
  path.parent.mkdir(parents=True, exist_ok=True)
  with path.open("ab", buffering=0) as file:  # one write, so that another process' lines are not torn apart
    file.write(text.encode())
