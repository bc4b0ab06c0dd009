"""The keys of a config: defaults, rules and units (config.py), their check, and a typed view of them."""

from collections.abc import Iterable, Mapping

import ml_collections

from qm_vae.arguments import nearest
from qm_vae.errors import InputError
from qm_vae.experiments.schema.config import Config
from qm_vae.experiments.schema.fields import declared_at, flatten, instance, plain, rule_at
from qm_vae.options import Declared, Rule, suggestion

__all__ = (
  "Config",
  "check",
  "complete",
  "config_dict",
  "declared_for",
  "flatten",
  "plain",
  "rule_for",
  "unknown_key",
  "view",
)


_RETIRED = ("tensorboard",)
"""Keys of config.json of earlier versions that shaped nothing; log.writers took its place."""


def rule_for(key: str) -> Rule | None:
  """The rule of a dotted key, e.g. 'data.faces.margin'; judges, ensemble and qualities may have any names."""
  return rule_at(Config, key.split("."))


def declared_for(key: str) -> Declared | None:
  """Default, rule and unit of a dotted key; None where there is no such key."""
  return declared_at(Config, key.split("."))


def unknown_key(key: str, known: Iterable[str]) -> str:
  """What to say of a dotted key that there is not, with the nearest of the known ones."""
  near = nearest(f"config.{key}", [f"config.{one}" for one in known])
  return f"config.{key} is no key; {near}qm_vae/experiments/schema/config.py lists them all"


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
    return instance(Config, {key: value for key, value in mapping.items() if key not in _RETIRED})
  except TypeError as error:
    raise InputError(f"config: {error}; qm_vae/experiments/schema/config.py lists them all") from None


def check(config: Mapping | ml_collections.ConfigDict) -> None:
  """Returns when every key is known and holds what is allowed.

  Raises:
    InputError: naming every offending key, its value and what is allowed.
  """
  complaints = []
  flat, known = flatten(config), flatten(plain(Config()))
  for key, value in flat.items():
    rule = rule_for(key)
    if rule is None:
      complaints.append(unknown_key(key, known))
    elif not rule.holds(value):
      complaints.append(f"config.{key} = {value!r}; {suggestion(rule, value)}it must be {rule.allowed}")
  own = ("judges.", "ensemble.", "quality.")
  complaints += [f"config.{key} is missing" for key in known if key not in flat and not key.startswith(own)]
  if complaints:
    raise InputError("\n".join(complaints))
