"""Every experiment's config is complete, allowed and refuses what it does not know."""

import importlib
import json
import pathlib

import ml_collections
import pytest

from configs import default, paper
from qm_vae.experiments import schema

ROOT = pathlib.Path(__file__).parents[2]
EXPERIMENTS = sorted(p.stem for p in (ROOT / "configs").glob("*.py") if p.stem != "__init__")


@pytest.mark.parametrize("arg", default.ARGUMENTS)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_configs_every_config_allowed_every_dataset(name, arg):
  """Every config is allowed for every dataset."""
  config = importlib.import_module(f"configs.{name}").get_config(arg)
  schema.check(config)
  assert config.data.name == arg


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_configs_every_point_sweep_allowed(name):
  """Every point of a sweep is allowed."""
  module = importlib.import_module(f"configs.{name}")
  points = list(module.sweep()) if hasattr(module, "sweep") else []
  for point in points:
    config = module.get_config()
    config.update_from_flattened_dict(point)
    schema.check(config)
  assert len({json.dumps(point) for point in points}) == len(points)


@pytest.mark.parametrize("name", ["alpha04", "table1", "table4", "inputs"])
def test_configs_paper_scale_by_one_argument(name):
  """`-paper` sets 128 pixels, mixed channels and the fitted views, which single keys take back to the paper's text."""
  module = importlib.import_module(f"configs.{name}")
  config, plain = module.get_config("celeba_folder-paper"), module.get_config("celeba_folder")
  schema.check(config)
  flat, before = schema.flatten(config), schema.flatten(plain)
  changed = {key for key in flat if flat[key] != before[key]}
  mixing = "augment_before_service.channels"
  assert changed == {"image_size", "baselines", mixing, *(f"deid.{key}" for key in paper.VIEWS)}
  assert (config.image_size, config.data.name) == (128, "celeba_folder")
  config.update_from_flattened_dict({"deid.mosaic.block": 8, "deid.laplace.scale": 1.0})
  schema.check(config)


def test_configs_unknown_scale_refused():
  """A scale that there is not is refused with the one that there is."""
  with pytest.raises(ValueError, match=r"'papers'.*celeba_folder-paper"):
    default.get_config("celeba_folder-papers")


def test_configs_every_key_default_rule_every():
  """Every key of the default has a rule and every rule a key."""
  flat = schema.flatten(default.get_config())
  assert [key for key in flat if schema.rule_for(key) is None] == []
  assert set(flat) == set(schema.flatten(schema.plain(schema.Config())))


@pytest.mark.parametrize(
  ("key", "value", "message"),
  [
    ("alpha", 1.5, "from 0 to 1"),
    ("alpha", "0.4", "from 0 to 1"),
    ("alpha", float("nan"), "from 0 to 1"),
    ("epochs", 0, "at least 1"),
    ("epochs", True, "at least 1"),
    ("views", (), "one or more of"),
    ("views", ("mosaik",), "mosaic"),
    ("service_loss", "crossentropy", "cross_entropy"),
    ("image_size", 66, "multiple of 4"),
    ("data.name", "celeba", "celeba_folder"),
    ("data.faces.margin", -0.1, "from 0 to 1"),
    ("judges.second.label_smoothing", 1.0, "below 1"),
    ("privacy.attackers", ("naive", "nobody"), "none or more of naive"),
    ("privacy.embedders", "networks/one", "paths, as"),
    ("embedder.input_size", 50, "multiple of 16"),
  ],
)
def test_configs_value_out_range_refused_name(key, value, message):
  """A value out of range is refused by name."""
  config = ml_collections.ConfigDict(json.loads(default.get_config().to_json_best_effort()))
  *path, last = key.split(".")
  target = config
  for part in path:
    target = target[part]
  with target.ignore_type():
    target[last] = value
  with pytest.raises(ValueError, match=key) as raised:
    schema.check(config)
  assert message in str(raised.value)


def test_configs_unknown_missing_keys_refused_name():
  """Unknown and missing keys are refused by name."""
  config = default.get_config()
  with config.unlocked():
    config.alhpa = 0.4
    del config.beta
  with pytest.raises(ValueError, match=r"(?s)alhpa.*beta is missing"):
    schema.check(config)


def test_configs_unknown_dataset_refused_known_ones():
  """An unknown dataset is refused with the known ones."""
  with pytest.raises(ValueError, match=r"celeba.*celeba_folder"):
    default.get_config("celeba")
