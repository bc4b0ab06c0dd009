"""The keys of a config: defaults, rules and units (config.py), their check, and a typed view of them."""

import difflib
from collections.abc import Mapping

import ml_collections

from qm_vae.experiments.schema.config import Config
from qm_vae.experiments.schema.fields import flatten, instance, plain, rule_at
from qm_vae.options import Rule

__all__ = ("Config", "check", "complete", "config_dict", "flatten", "plain", "rule_for", "view")


def rule_for(key: str) -> Rule | None:
  """The rule of a dotted key, e.g. 'data.faces.margin'; judges, ensemble and qualities may have any names."""
  return rule_at(Config, key.split("."))


def config_dict(config: Config) -> ml_collections.ConfigDict:
  """The same as a ConfigDict, which a command line can override."""
  return ml_collections.ConfigDict(plain(config))


def complete(config: Mapping | ml_collections.ConfigDict) -> ml_collections.ConfigDict:
  """A config, perhaps of an earlier version, with the default of every key that it lacks.

  Raises:
    ValueError: for keys that there are not.
  """
  return config_dict(view(config))


def view(config: Mapping | ml_collections.ConfigDict | Config) -> Config:
  """The config as a dataclass, for those who read it.

  Raises:
    ValueError: for keys that there are not.
  """
  if isinstance(config, Config):
    return config
  try:
    mapping = config.to_dict() if isinstance(config, ml_collections.ConfigDict) else config
    return instance(Config, mapping)
  except TypeError as error:
    raise ValueError(f"config: {error}; qm_vae/experiments/schema/config.py lists them all") from None


def check(config: Mapping | ml_collections.ConfigDict) -> None:
  """Returns when every key is known and holds what is allowed.

  Raises:
    ValueError: naming every offending key, its value and what is allowed.
  """
  complaints = []
  flat, known = flatten(config), flatten(plain(Config()))
  for key, value in flat.items():
    rule = rule_for(key)
    if rule is None:
      near = difflib.get_close_matches(key, known, 1)
      complaints.append(f"config.{key} is no key" + (f"; did you mean config.{near[0]}?" if near else ""))
    elif not rule.holds(value):
      complaints.append(f"config.{key} = {value!r}, but it must be {rule.allowed}")
  own = ("judges.", "ensemble.", "quality.")
  complaints += [f"config.{key} is missing" for key in known if key not in flat and not key.startswith(own)]
  if complaints:
    raise ValueError("\n".join(complaints))
