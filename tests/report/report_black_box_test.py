"""Black boxes in the report: rates by the services' own answers, budgets, and what the page shows of them."""

import json

import fabricated_run
import numpy as np
import page_reader
import pytest

from configs import black_box
from qm_vae import types
from qm_vae.evaluate import __main__ as evaluate_program
from qm_vae.evaluate import black_box as evaluate_black_box
from qm_vae.io import progress
from qm_vae.report import page
from qm_vae.services.answers import Quality
from qm_vae.services.black_box import Asking, BlackBox

RANDOM = np.random.default_rng(0)
LEVELS = RANDOM.integers(0, 256, 12)


def level(images):
  return images.mean((1, 2, 3)) / 255


BOXES = {
  "expression": (Quality("classes", ("dark", "bright")), lambda images: (level(images) > 0.5).astype(int)),
  "smile": (Quality("attributes", ("half", "never")), lambda images: np.stack([level(images), 0 * level(images)], 1)),
  "face": (Quality("values", ("x",), (0.1,)), lambda images: [None if x < 0.2 else x for x in level(images)]),
}


def faces():
  image = np.broadcast_to(LEVELS[:, None, None, None], (12, 8, 8, 3)).astype(np.uint8)
  zeros = np.zeros(12, np.int32)
  return types.FaceSet(
    image, image[..., :1], np.zeros((12, 4), np.float32), np.zeros((12, 3), np.float32), np.arange(12, dtype=np.int32),
    zeros, zeros, tuple(map(str, range(12))), (), (), (),
  )  # fmt: skip


def printed(name, *, budget=0):
  quality, answer = BOXES[name]
  test, unaffordable = faces(), []
  images = {
    "qm_vae": np.minimum(test.image.astype(int) + 40, 255).astype(np.uint8),
    "identity": test.image,
    "blank": np.full_like(test.image, 128),
    "cartoon": 255 - test.image,
  }
  box = BlackBox(name, answer, quality, Asking(budget=budget))
  with progress.bar(9, "", "", shown=False) as bar:
    found = evaluate_black_box._service(black_box.get_config(), name, box, test, images, bar, unaffordable)
  return found, images, unaffordable


@pytest.mark.parametrize("name", BOXES)
def test_black_box_page_rates_services_own_answers(name):
  """Rates are those of the services own answers."""
  found, images, unaffordable = printed(name)
  before, after = level(images["identity"]), level(images["qm_vae"])
  lost = {
    "expression": (before > 0.5) != (after > 0.5),
    "smile": ((before > 0.5) != (after > 0.5)) / 2,
    "face": ((before < 0.2) != (after < 0.2)) | ((before >= 0.2) & (np.abs(before - after) > 0.1)),
  }[name]
  rates = {row["name"]: row["loss_rate"]["value"] for row in found["methods"]}
  np.testing.assert_allclose(rates["qm_vae"], np.mean(lost))
  assert rates["identity"] == 0 and not unaffordable
  constant = found["constant_answer"]["value"]
  assert rates["blank"] >= constant - 1e-9 or name == "face"
  json.dumps({key: value for key, value in found.items() if key != "answers"}, allow_nan=False)


def test_black_box_page_budget_not_allow_named_left():
  """What the budget does not allow is named and left out."""
  outputs = np.minimum(LEVELS + 40, 255)
  found, _, unaffordable = printed("expression", budget=len({*LEVELS.tolist(), *outputs.tolist(), 128}))
  assert [row["name"] for row in found["methods"]] == ["qm_vae", "identity", "blank"]
  assert unaffordable == ["cartoon (expression)"]


def test_black_box_page_budget_not_allow_report_told():
  """A budget that does not allow a report is told with the remedy."""
  with pytest.raises(ValueError, match=r"A report needs its answers on qm_vae, identity, blank; .*expression.budget"):
    printed("expression", budget=len(set(LEVELS.tolist())))


def test_black_box_page_lists_each_service():
  """The page lists each service."""
  report = fabricated_run.report()
  services = []
  for name in BOXES:
    one, _, _ = printed(name)
    del one["answers"]
    services.append(one | {"fidelity": 0.75, "queries": 4321})
  text = page_reader.Reader(page.render(report | {"services": services}, {}, {})).text
  for name in BOXES:
    assert f"Loss rate by {name} itself" in text
  for words in ("4321", "median change", "never", "The best constant answer would lose"):
    assert words in text


def test_black_box_page_strangers_run_not_asked_unless(tmp_path, capsys):
  """A strangers run is not asked unless told so."""
  config = black_box.get_config()
  config.quality.expression.source = "offering:breaks"
  (tmp_path / "config.json").write_text(config.to_json_best_effort())
  with pytest.raises(SystemExit):
    evaluate_program.main([f"--workdir={tmp_path}"])
  assert "--ask-services" in capsys.readouterr().err
