"""What a key of a config is made of: its default, its rule and its unit, as a field of a dataclass."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from qm_vae.options import Declared, Rule, declared
from qm_vae.registry import Registry


def key(default: Any, rule: Rule, unit: str = "") -> Any:
  """A key with its default, what it may hold, and what its value means."""
  return dataclasses.field(default=default, metadata={"rule": rule, "unit": unit})


def group(of: type, **overrides: Any) -> Any:
  """A group of keys, a dataclass of its own; `overrides` replace its defaults here."""
  return dataclasses.field(default_factory=lambda: of(**overrides), metadata={"group": of})


def named(of: type, **members: Any) -> Any:
  """Groups of one kind under names of the user's choice; `members` are those of the default."""
  return dataclasses.field(default_factory=lambda: dict(members), metadata={"named": of})


def options_of(registry: Registry) -> Any:
  """For every member of a registry that has options, a group of them as the member declares them."""
  return dataclasses.field(default_factory=lambda: _defaults(registry), metadata={"options": registry})


def _defaults(registry):
  found = {name: declared(factory) for name, factory in registry.items()}
  return {name: {option: one.default for option, one in options.items()} for name, options in found.items() if options}


def rule_at(of: type, path: list[str]) -> Rule | None:
  """The rule of the key at `path` below a dataclass; None where there is no such key."""
  found = declared_at(of, path)
  return found and found.rule


def declared_at(of: type, path: list[str]) -> Declared | None:
  """Default, rule and unit of the key at `path` below a dataclass; None where there is no such key."""
  if not path:
    return None
  fields = {one.name: one for one in dataclasses.fields(of)}
  if path[0] not in fields:
    return None
  meta, rest = fields[path[0]].metadata, path[1:]
  if "rule" in meta:
    return None if rest else Declared(fields[path[0]].default, meta["rule"], meta["unit"])
  if "group" in meta:
    return declared_at(meta["group"], rest)
  if "named" in meta:
    return declared_at(meta["named"], rest[1:])
  if len(rest) == 2 and rest[0] in meta["options"].names():
    return declared(meta["options"][rest[0]]).get(rest[1])
  return None


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
  """{'data': {'root': ''}} -> {'data.root': ''}."""
  flat = {}
  for name, value in config.items():
    if hasattr(value, "items"):
      flat.update(flatten(value, f"{prefix}{name}."))
    else:
      flat[f"{prefix}{name}"] = value
  return flat


def plain(config: Any) -> dict[str, Any]:
  """An instance as nested dicts."""
  return dataclasses.asdict(config)


def instance(of: type, mapping: Mapping[str, Any]) -> Any:
  """The dataclass filled from nested mappings; a key that is missing takes its default, lists become tuples.

  Raises:
    TypeError: for a key that the dataclass does not have.
  """
  values = {}
  kinds = {one.name: one.metadata for one in dataclasses.fields(of)}
  for name, value in mapping.items():
    meta = kinds.get(name)
    if meta is None:
      raise TypeError(f"{of.__name__} has no key {name!r}")
    if "group" in meta:
      values[name] = instance(meta["group"], value)
    elif "named" in meta:
      values[name] = {one: instance(meta["named"], group) for one, group in value.items()}
    elif "options" in meta:
      given = {one: {option: _as_tuple(v) for option, v in options.items()} for one, options in value.items()}
      values[name] = {one: options | given.get(one, {}) for one, options in _defaults(meta["options"]).items()}
    else:
      values[name] = _as_tuple(value)
  return of(**values)


def _as_tuple(value):
  return tuple(value) if isinstance(value, list) else value
