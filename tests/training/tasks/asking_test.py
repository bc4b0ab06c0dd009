"""The host's side of training against black boxes, without a network: order, budget, failures, what is under way."""

import threading
import types as python_types

import numpy as np
import pytest

from qm_vae.services.answers import Quality
from qm_vae.services.black_box import Asking, BlackBox, Unavailable
from qm_vae.training.state import HostStopped
from qm_vae.training.tasks import asking

SIDE = Quality("classes", ("dark", "bright"))
LEVEL = Quality("values", ("level",), (0.1,))
RANDOM = np.random.default_rng(0)


def pictures(num):
  return RANDOM.integers(0, 256, (num, 4, 4, 3), np.uint8)


def faces(num):
  image = pictures(num)
  return python_types.SimpleNamespace(image=image, batch=lambda rows: {"image": image[rows]}, __len__=lambda: num)


def state(step=0, image=None, asked=None):
  memory = {"asked_image": np.zeros((2, 3, 4, 4, 3), np.uint8), "asked": np.zeros((2, 3), bool)}
  if image is not None:
    memory = {"asked_image": image, "asked": asked}
  return python_types.SimpleNamespace(step=step, model_state={"memory": memory})


def level(images):
  return images.mean((1, 2, 3)) / 255


def make(*, budget=0, reserve=0, mirrored=False, trouble=None, shuffle=False):
  def ask(images):
    if trouble:
      trouble(images)
    return (level(images) > 0.5).astype(int)

  how = Asking(batch_size=2, retries=0, budget=budget)
  boxes = {"side": BlackBox("side", ask, SIDE, how), "level": BlackBox("level", level, LEVEL)}
  host = asking.Host(boxes, delay=2, questions=3, batch_size=5, mirrored=mirrored, reserve=reserve, shuffle=shuffle)
  return host, boxes


def expected(images):
  one = (level(images) > 0.5).astype(np.float32)
  return np.stack([1 - one, one, level(images), np.ones(len(images))], 1).astype(np.float32)


def test_asking_answers_arrive_after_delay_beside():
  """Answers arrive after the delay beside their pictures."""
  host, boxes = make()
  sent = [{"image": pictures(3), "asked": np.array(asked)} for asked in ([1, 1, 0], [0, 0, 0], [1, 0, 1])]
  for step in range(5):
    found = host.before_step(step)
    assert found["arrived"].shape == (5, 4) and found["answered"].shape == (5,)
    answered = sent[step - 2]["asked"] if step >= 2 else np.zeros(3)
    assert found["answered"].tolist() == [*answered, 0, 0]
    if step >= 2:
      rows = np.flatnonzero(answered)
      np.testing.assert_allclose(found["arrived"][rows], expected(sent[step - 2]["image"][rows]), rtol=1e-6)
    if step < 3:
      host.after_step(step, {"image": sent[step]["image"], "asked": sent[step]["asked"].astype(bool)})
  assert boxes["side"].sent == boxes["level"].sent == 4
  host.close()


def test_asking_originals_mirror_images():
  """Originals and their mirror images."""
  host, boxes = make(mirrored=True)
  given = faces(4)
  examples = host.on_start(given, state())
  batch = examples.batch(np.array([2, 0]))
  np.testing.assert_array_equal(batch["image"], given.image[[2, 0]])
  np.testing.assert_allclose(batch["answers"][:, 0], expected(given.image[[2, 0]]), rtol=1e-6)
  np.testing.assert_allclose(batch["answers"][:, 1], expected(given.image[[2, 0], :, ::-1]), rtol=1e-6)
  assert boxes["side"].sent == 8
  shuffled = make(shuffle=True)[0].on_start(given, state()).answers
  assert sorted(shuffled.reshape(-1).tolist()) == sorted(examples.answers[:, 0].reshape(-1).tolist())
  message = [answer.tolist() for answer in examples.answers[:, 0]]
  assert all(message.index(answer.tolist()) != i for i, answer in enumerate(shuffled[:, 0]))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_asking_shuffled_control_tells_no_picture(count):
  """The shuffled control tells no picture its own answer."""
  host, _ = make(shuffle=True)
  image = pictures(3)
  host.after_step(0, {"image": image, "asked": np.arange(3) < count})
  found = host.before_step(2)
  assert found["answered"].sum() == (count if count > 1 else 0)
  for row in np.flatnonzero(found["answered"]):
    own = expected(image[row : row + 1])[0]
    others = expected(np.delete(image[:count], row, 0))
    assert not np.allclose(found["arrived"][row], own) and np.isclose(found["arrived"][row], others).all(1).any()


def test_asking_under_way_asked_once_more():
  """What was under way is asked once more."""
  image, asked = pictures(6).reshape(2, 3, 4, 4, 3), np.array([[1, 0, 1], [0, 1, 0]], bool)
  host, _ = make()
  host.on_start(faces(1), state(5, image, asked))  # slot 1 holds step 3's questions, slot 0 step 4's
  for step, slot in ((5, 1), (6, 0)):
    found = host.before_step(step)
    assert found["answered"][:3].tolist() == asked[slot].tolist()
    np.testing.assert_allclose(found["arrived"][:3][asked[slot]], expected(image[slot][asked[slot]]), rtol=1e-6)


def test_asking_budget_spent_last_picture_never():
  """The budget is spent to the last picture and never beyond."""
  sent = []
  host, boxes = make(budget=11, reserve=4, trouble=lambda images: sent.append(len(images)))
  host.on_start(faces(3), state())
  for step in range(4):
    host.before_step(step)
    host.after_step(step, {"image": pictures(3), "asked": np.ones(3, bool)})
  answered = [host.before_step(step)["answered"].sum() for step in (4, 5)]
  assert sum(sent) == 7 == boxes["side"].sent  # 3 originals and 4 outputs; 4 are left for the evaluation
  assert answered == [0, 0]
  images = pictures(2)
  message = host.evaluate(python_types.SimpleNamespace(image=images), {"image": images[::-1]})
  assert "loss_rate/side" not in message and message["queries/side"] == 7 and "loss_rate/level" in message


def test_asking_evaluation_waits_questions_under_way():
  """An evaluation waits for the questions under way."""
  gate = threading.Event()

  def slow(images):
    gate.wait(10)

  host, boxes = make(budget=7, trouble=slow)
  host.after_step(0, {"image": pictures(3), "asked": np.ones(3, bool)})
  threading.Timer(0.1, gate.set).start()
  images = pictures(3)
  message = host.evaluate(python_types.SimpleNamespace(image=images), {"image": pictures(3)})
  assert message["queries/side"] == 3 == boxes["side"].sent  # 4 are left, 6 would be needed
  assert "loss_rate/side" not in message and "loss_rate/level" in message
  host.close()


def test_asking_budget_too_small_originals_refused():
  """A budget too small for the originals is refused at once."""
  sent = []
  host, _ = make(budget=6, reserve=4, trouble=lambda images: sent.append(len(images)))
  with pytest.raises(ValueError, match=r"3 questions about the originals and 4 of the evaluation.*6 left of config"):
    host.on_start(faces(3), state())
  assert not sent


def test_asking_resumed_run_knows_originals_spent():
  """A resumed run that knows the originals may have spent its reserve."""
  host, _ = make(budget=7, reserve=4)
  known = faces(3)
  host.on_start(known, state())
  host._reserve = 5  # as if an image more had been sent since
  with pytest.raises(ValueError, match="0 questions about the originals"):
    host.on_start(known, state())
  assert len(host.on_start(known, state(step=1)).answers) == 3


def test_asking_service_fails_stops_answers_needed():
  """A service that fails stops where its answers are needed."""

  def gone(images):
    raise Unavailable("gone")

  with pytest.raises(HostStopped, match="'side' does not answer"):
    make(trouble=gone)[0].on_start(faces(1), state())
  host, _ = make(trouble=gone)
  host.after_step(0, {"image": pictures(3), "asked": np.ones(3, bool)})
  host.before_step(1)
  with pytest.raises(HostStopped, match="gone"):
    host.before_step(2)
