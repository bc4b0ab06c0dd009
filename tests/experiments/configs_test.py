"""Every experiment's config is complete, allowed and refuses what it does not know."""

import importlib
import json
import pathlib

import ml_collections
import pytest

from configs import default
from qm_vae.experiments import schema

ROOT = pathlib.Path(__file__).parents[2]
EXPERIMENTS = sorted(p.stem for p in (ROOT / "configs").glob("*.py") if p.stem != "__init__")


@pytest.mark.parametrize("arg", default.ARGUMENTS)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_config_is_allowed_for_every_dataset(name, arg):
  config = importlib.import_module(f"configs.{name}").get_config(arg)
  schema.check(config)
  assert config.data.name == arg


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_point_of_a_sweep_is_allowed(name):
  module = importlib.import_module(f"configs.{name}")
  points = list(module.sweep()) if hasattr(module, "sweep") else []
  for point in points:
    config = module.get_config()
    config.update_from_flattened_dict(point)
    schema.check(config)
  assert len({json.dumps(point) for point in points}) == len(points)


def test_every_key_of_the_default_has_a_rule_and_every_rule_a_key():
  flat = schema.flatten(default.get_config())
  assert [key for key in flat if schema.rule_for(key) is None] == []
  assert set(flat) == set(schema.flatten(schema.plain(schema.Config())))


@pytest.mark.parametrize(
  ("key", "value", "told"),
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
def test_a_value_out_of_range_is_refused_by_name(key, value, told):
  config = ml_collections.ConfigDict(json.loads(default.get_config().to_json_best_effort()))
  *path, last = key.split(".")
  target = config
  for part in path:
    target = target[part]
  with target.ignore_type():
    target[last] = value
  with pytest.raises(ValueError, match=key) as raised:
    schema.check(config)
  assert told in str(raised.value)


def test_unknown_and_missing_keys_are_refused_by_name():
  config = default.get_config()
  with config.unlocked():
    config.alhpa = 0.4
    del config.beta
  with pytest.raises(ValueError, match=r"(?s)alhpa.*beta is missing"):
    schema.check(config)


def test_an_unknown_dataset_is_refused_with_the_known_ones():
  with pytest.raises(ValueError, match=r"celeba.*celeba_folder"):
    default.get_config("celeba")
