"""Every client under the one contract: forms of answers, cache, counts, budget, retries."""

import json
import threading

import numpy as np
import offering
import pytest

from qm_vae.services import validation
from qm_vae.services.answers import Quality
from qm_vae.services.black_box import CLIENTS, Asking, BlackBox, BudgetSpent, ServiceFailed, Unavailable

QUALITY = Quality("classes", offering.CLASSES)
IMAGES = np.random.default_rng(0).integers(0, 256, (7, 6, 8, 3), np.uint8)
IMAGES[:, :, :4] //= 2
QUICK = Asking(batch_size=3, retries=2, backoff=0.0)


@pytest.fixture(params=CLIENTS.names())
def client(request, tmp_path):
  """(client, what it answers to IMAGES)."""
  if request.param == "onnx":
    grey = IMAGES @ np.float32([0.299, 0.587, 0.114]) / 255
    halves = np.stack([grey[:, :, :4].mean((1, 2)), grey[:, :, 4:].mean((1, 2))], 1)
    made = CLIENTS["onnx"](offering.write_onnx(tmp_path / "net.onnx"), logits="softmax")
    yield made, np.exp(halves) / np.exp(halves).sum(1, keepdims=True)
  elif request.param == "http":
    with offering.serving() as (_, address):
      yield CLIENTS["http"](address, allow_sending_faces=True, timeout=5.0), offering.brightness(IMAGES)
  else:
    yield CLIENTS["callable"]("offering:brightness"), offering.brightness(IMAGES)


def counting(answer=offering.brightness):
  def ask(images):
    with ask.lock:
      ask.sent.append(len(images))
    return answer(images)

  ask.sent, ask.lock = [], threading.Lock()
  return ask


def test_black_box_every_client_answers_agreed(client, tmp_path):
  """Every client answers as agreed."""
  ask, expected = client
  box = BlackBox("one", ask, QUALITY, QUICK, answers=tmp_path / "kept.jsonl", ledger=tmp_path / "sent")
  found = box.ask(IMAGES)
  assert found.dtype == np.float32 and box.sent == len(IMAGES)
  # The ONNX file's linear, antialiased resize weighs pixels near the middle for both halves: 0.02 of the range.
  np.testing.assert_allclose(found, expected, atol=0.02)
  order = [3, 0, 6]
  np.testing.assert_allclose(BlackBox("two", ask, QUALITY).ask(IMAGES[order]), found[order], atol=1e-6)
  np.testing.assert_allclose(BlackBox("three", ask, QUALITY).ask(IMAGES[:1]), found[:1], atol=1e-6)
  assert box.ask(IMAGES[:0]).shape == (0, 2)
  assert box.ask(IMAGES[::-1]).tolist() == found[::-1].tolist() and box.sent == len(IMAGES)
  box.close()


def test_black_box_answers_kept_content_equal_images(tmp_path):
  """Answers are kept by content and equal images sent once."""
  ask = counting()
  for number in range(2):
    box = BlackBox("x", ask, QUALITY, QUICK, answers=tmp_path / "kept", ledger=tmp_path / f"sent{number}")
    twice = np.concatenate([IMAGES, IMAGES.copy()])
    assert box.unknown(twice).sum() == (0 if number else len(IMAGES))
    found = box.ask(twice)
    np.testing.assert_array_equal(found[:7], found[7:])
    assert box.sent == (0 if number else len(IMAGES))
  assert ask.sent == [3, 3, 1]
  # What a kill leaves: a line cut short. Its image alone is asked about again.
  text = (tmp_path / "kept").read_text()
  (tmp_path / "kept").write_text(text[:-20])
  box = BlackBox("x", ask, QUALITY, QUICK, answers=tmp_path / "kept")
  np.testing.assert_array_equal(box.ask(IMAGES), found[:7])
  assert box.sent == 1


def test_black_box_no_answer_keeps_place_disk(tmp_path):
  """No answer keeps its place on disk."""
  quality = Quality("values", ("x", "y"), (0.1, 0.1))
  answer = counting(lambda images: [[None, None] if one.mean() < 90 else [0.5, 1.5] for one in images])
  images = np.stack([np.full((4, 4, 3), level, np.uint8) for level in (10, 200)])
  for _ in range(2):
    found = BlackBox("x", answer, quality, answers=tmp_path / "kept").ask(images)
    np.testing.assert_array_equal(found, [[np.nan, np.nan], [0.5, 1.5]])
  assert answer.sent == [2]
  assert "NaN" not in (tmp_path / "kept").read_text()


def test_black_box_budget_never_exceeded_survives_process(tmp_path):
  """A budget is never exceeded and survives the process."""
  ask = counting()
  how = QUICK._replace(budget=5, batch_size=1)
  box = BlackBox("x", ask, QUALITY, how, ledger=tmp_path / "sent")
  box.ask(IMAGES[:3])
  again = BlackBox("x", ask, QUALITY, how, ledger=tmp_path / "sent")
  assert (again.sent, again.left()) == (3, 2)
  with pytest.raises(BudgetSpent, match=r"'x' was sent 5 images of the 5 that config\.quality\.x\.budget allows"):
    again.ask(IMAGES)
  assert sum(ask.sent) == 5 and again.left() == 0
  again.ask(IMAGES[:2])  # what it sufficed for is known
  (tmp_path / "sent").write_text("3\nx\n")
  with pytest.raises(ValueError, match="damaged"):
    BlackBox("x", ask, QUALITY, how, ledger=tmp_path / "sent")


def test_black_box_retries_wait_longer_each_time(tmp_path):
  """Retries wait longer each time and count."""
  troubles, waited, message = [1, 1], [], []

  def ask(images):
    if troubles:
      troubles.pop()
      raise Unavailable("busy")
    return offering.brightness(images)

  box = BlackBox(
    "x",
    ask,
    QUALITY,
    Asking(retries=2, backoff=0.5),
    ledger=tmp_path / "sent",
    tell=message.append,
    sleep=waited.append,
  )
  assert len(box.ask(IMAGES)) == 7
  assert waited == [0.5, 1.0] and box.sent == 21
  assert "busy" in message[0] and "retry 1 of 2" in message[0]
  troubles[:] = [1] * 3
  with pytest.raises(ServiceFailed, match=r"'x' does not answer after 3 tries: busy.*config\.quality\.x\.retries"):
    box.ask(255 - IMAGES)


def test_black_box_answered_before_failure_kept(tmp_path):
  """What was answered before a failure is kept."""

  def ask(images):
    if (images == 7).all():
      raise RuntimeError("no sevens")
    return offering.brightness(images)

  images = np.concatenate([IMAGES[:3], np.full((1, 6, 8, 3), 7, np.uint8)])
  box = BlackBox("x", ask, QUALITY, QUICK._replace(concurrency=2), answers=tmp_path / "kept")
  with pytest.raises(ServiceFailed, match="RuntimeError: no sevens"):
    box.ask(images)
  assert not box.unknown(IMAGES[:3]).any()


@pytest.mark.parametrize(
  ("kind", "names", "answers", "expected"),
  [
    ("classes", ("a", "b"), ["b", "a"], [[0, 1], [1, 0]]),
    ("classes", ("a", "b"), np.array([1, 0]), [[0, 1], [1, 0]]),
    ("classes", ("a", "b"), [[0.25, 0.75], [1, 0]], [[0.25, 0.75], [1, 0]]),
    ("attributes", ("a", "b"), [[True, False], [0.5, 1]], [[1, 0], [0.5, 1]]),
    ("attributes", ("a",), [0.5, 1], [[0.5], [1]]),
    ("values", ("a", "b"), [[-3, 700.5], [None, None]], [[-3, 700.5], [np.nan, np.nan]]),
    ("values", ("a", "b"), [[-3, 700.5], None], [[-3, 700.5], [np.nan, np.nan]]),
    ("values", ("a",), [None, 2], [[np.nan], [2]]),
  ],
)
def test_black_box_forms_answers(kind, names, answers, expected):
  """Forms of answers."""
  tolerance = (1.0,) * len(names) if kind == "values" else ()
  found = validation.validated(Quality(kind, names, tolerance), answers, 2)
  assert found.dtype == np.float32
  np.testing.assert_array_equal(found, np.float32(expected))


@pytest.mark.parametrize(
  ("kind", "answers", "message"),
  [
    ("classes", ["a", "c"], "label 'c'; expected one of a, b"),
    ("classes", [0, 2], "label 2"),
    ("classes", [True, False], "label True"),
    ("classes", [[0.2, 0.3, 0.5]] * 2, r"expected 2 x 2 numbers"),
    ("classes", [[0.5, 0.5]], "to 2 images"),
    ("classes", [[3.0, -1.0]] * 2, "no probabilities.*softmax"),
    ("classes", [[np.nan, 1.0]] * 2, "no probabilities"),
    ("classes", {"a": 1}, "expected 2 x 2"),
    ("classes", None, "expected 2 x 2"),
    ("classes", [["x", "y"]] * 2, "expected 2 x 2"),
    ("attributes", [[2.0, 0.0]] * 2, "no probabilities"),
    ("values", [[1.0, None]] * 2, "all of them or none"),
  ],
)
def test_black_box_not_agreed_refused(kind, answers, message):
  """What was not agreed is refused with what was."""
  tolerance = (1.0, 1.0) if kind == "values" else ()
  box = BlackBox("x", lambda images: answers, Quality(kind, ("a", "b"), tolerance))
  with pytest.raises(ServiceFailed, match=f"(?s)service 'x'.*{message}"):
    box.ask(IMAGES[:2])


def test_black_box_nobody_waits_closed_box():
  """Nobody waits for a closed box."""
  begun, go_on = threading.Event(), threading.Event()

  def slow(images):
    begun.set()
    go_on.wait()
    return offering.brightness(images)

  box = BlackBox("slow", slow, Quality("classes", ("dark", "bright")), Asking(batch_size=1, concurrency=1))
  raised = []

  def ask():
    with pytest.raises(ServiceFailed, match="'slow' is closed") as caught:
      box.ask(np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8))
    raised.append(caught.value)

  asking = threading.Thread(target=ask, daemon=True)
  asking.start()
  begun.wait()  # one batch is with the service, two have not begun
  box.close()
  go_on.set()
  asking.join(10)
  assert raised and not asking.is_alive() and box.sent == 1
  with pytest.raises(ServiceFailed, match="'slow' is closed"):
    box.ask(np.ones((1, 8, 8, 3), np.uint8))


def test_black_box_only_uint8_rgb_taken():
  """Only uint8 rgb is taken."""
  box = BlackBox("x", offering.brightness, QUALITY)
  for images in (IMAGES / 255, IMAGES[0], IMAGES[..., :1]):
    with pytest.raises(ValueError, match="takes uint8"):
      box.ask(images)


@pytest.mark.parametrize(
  ("source", "message"),
  [
    ("offering", "module:function"),
    ("no_such_module:f", "cannot be imported"),
    ("offering:nothing", "cannot be imported"),
    ("offering:NOT_CALLABLE", "is a int"),
  ],
)
def test_black_box_callable_none(source, message):
  """A callable that is none."""
  with pytest.raises(ValueError, match=message):
    CLIENTS["callable"](source)


def test_black_box_callables_own_failures():
  """A callables own failures."""
  with pytest.raises(ServiceFailed, match="KeyError: 'weights'"):
    BlackBox("x", CLIENTS["callable"]("offering:breaks"), QUALITY).ask(IMAGES)
  box = BlackBox("x", CLIENTS["callable"]("offering:refuses"), QUALITY, QUICK)
  with pytest.raises(ServiceFailed, match="after 3 tries: ConnectionRefusedError"):
    box.ask(IMAGES[:1])
  assert box.sent == 3


def test_black_box_onnx_settings_not_fit(tmp_path):
  """Onnx settings that do not fit."""
  path = offering.write_onnx(tmp_path / "net.onnx")
  with pytest.raises(ValueError, match="logits is 'tanh'"):
    CLIENTS["onnx"](path, logits="tanh")
  with pytest.raises(ValueError, match="give output= one of"):
    CLIENTS["onnx"](path, output="probabilities")
  with pytest.raises(ServiceFailed, match="no probabilities that sum to 1"):
    BlackBox("x", CLIENTS["onnx"](path), QUALITY).ask(IMAGES)


def test_black_box_kept_answers_other_names_not(tmp_path):
  """Kept answers of other names are not taken."""
  (tmp_path / "kept").write_text(json.dumps(["0" * 64, [1.0, 0.0, 0.0]]) + "\n" + "[]\n")
  assert BlackBox("x", counting(), QUALITY, answers=tmp_path / "kept").unknown(IMAGES).all()
