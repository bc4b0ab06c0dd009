"""The command line of an experiment: --config=FILE:DATA and its overrides, checked before anything is loaded."""

import importlib.util
import re
import sys
from typing import NoReturn

import ml_collections
from absl import flags

from qm_vae.arguments import nearest
from qm_vae.errors import InputError
from qm_vae.experiments import command_help, shelf

_OVERRIDE = re.compile(r"--?(no)?config\.([^=]+)(=.*)?", re.DOTALL)
_NAME = re.compile(r"[a-z]\w*")
_HELP = ("--help", "-help", "-h", "--helpshort", "-helpshort", "-?")


def parse(arguments: list[str]) -> list[str]:
  """Parses absl's flags, the config with them; returns what is no flag, the program's name first.

  A line that cannot be understood ends the program with status 1 and one line, --help with status 0.

  Args:
    arguments: sys.argv.
  """
  given = arguments[1 : arguments.index("--")] if "--" in arguments else arguments[1:]
  if any(argument in _HELP for argument in given):
    print(command_help.text())
    sys.exit(0)
  try:
    _check_flags(given)
    if not any(argument in ("--helpfull", "-helpfull") for argument in given):
      _check_overrides(given, _load(_config_of(given)))
  except InputError as error:
    _refuse(str(error))
  try:
    rest = flags.FLAGS(_with_file(arguments))
  except flags.Error as error:
    _refuse(_in_words(str(error)))
  if len(rest) > 1:
    _refuse(f"unexpected argument {rest[1]!r}; options are written --name=value")
  return rest


def _with_file(arguments):
  """The arguments with the path of the experiment's file where they have its name."""
  made = list(arguments)
  for number, argument in enumerate(made):
    flag, _, value = argument.partition("=")
    at = number if value else number + 1
    if flag in ("--config", "-config") and at < len(made):
      name, colon, data = (value or made[at]).partition(":")
      path = f"{shelf.experiment(name)}{colon}{data}"
      made[at] = f"{flag}={path}" if value else path
  return made


def _refuse(message: str) -> NoReturn:
  sys.exit(f"error: {message}")


def _config_of(given):
  """The value of --config."""
  for number, argument in enumerate(given):
    if argument.startswith(("--config=", "-config=")):
      return argument.partition("=")[2]
    if argument in ("--config", "-config") and number + 1 < len(given):
      return given[number + 1]
  plain = next((one for one in given if not one.startswith("-") and one.partition(":")[0].endswith(".py")), None)
  hint = f"write --config={plain}" if plain else "write --config=FILE, such as --config=configs/alpha04.py"
  raise InputError(f"--config is missing; {hint} (--help lists the experiments)")


def _load(text) -> ml_collections.ConfigDict:
  """The config that FILE or FILE:DATA gives."""
  name, _, data = text.partition(":")
  path = shelf.experiment(name)
  if not path.is_file():
    there = [one.stem for one in shelf.experiments()]
    near = nearest(path.stem, there)
    raise InputError(f"the experiment's file {path} does not exist; {near}there are {', '.join(there)}")
  if path.suffix != ".py":
    raise InputError(f"--config={text}: {path} is no Python file; give an experiment such as configs/alpha04.py")
  shelf.make_importable("configs")
  spec = importlib.util.spec_from_file_location("checked_config", path)
  assert spec and spec.loader
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  if not hasattr(module, "get_config"):
    raise InputError(f"{path} defines no get_config(); give an experiment such as configs/alpha04.py")
  try:
    return module.get_config(data) if data else module.get_config()
  except InputError as error:
    raise InputError(f"--config={text}: {error}") from error


def _check_flags(given):
  """Names a flag that there is not, before the flag library does, whose error is two lines."""
  known = flags.FLAGS
  for argument in given:
    name = argument.partition("=")[0].lstrip("-")
    if not argument.startswith("--") or not name or name.startswith(("config.", "noconfig.")) or name in known:
      continue
    if name.startswith("no") and name[2:] in known:
      continue
    if name in ("helpxml", "helpfull", "flagfile", "undefok"):
      continue
    raise InputError(
      f"there is no flag --{name}; {_nearest_flag(name)}keys of the config are written --config.KEY=VALUE"
    )


def _nearest_flag(name):
  own = ["config", *command_help.FLAGS]
  near = nearest(name, own)
  if near:
    return near.replace("did you mean ", "did you mean --")
  from qm_vae.experiments import schema  # all members with options, which --help does not wait for

  near = nearest(name, schema.flatten(schema.plain(schema.Config())))
  return near.replace("did you mean ", "did you mean --config.")


def _check_overrides(given, config):
  """Names a key that there is not, and one that has no value."""
  from qm_vae.experiments import schema

  known = schema.flatten(config)
  for number, argument in enumerate(given):
    found = _OVERRIDE.fullmatch(argument)
    if not found:
      continue
    key, has_value = found[2], found[3] is not None or found[1]
    below = [one for one in known if one.startswith(f"{key}.")]
    if key not in known and below:
      raise InputError(f"config.{key} is a group of keys; set one of them, as --config.{below[0]}=VALUE")
    if key not in known:
      raise InputError(schema.unknown_key(key, known))
    following = given[number + 1] if number + 1 < len(given) else "--"
    if not has_value and not isinstance(known[key], bool) and following.startswith("--"):
      raise InputError(f"--config.{key} has no value; write --config.{key}=VALUE")
    names = (found[3] or "").removeprefix("=").split(",")
    if isinstance(known[key], tuple) and len(names) > 1 and all(_NAME.fullmatch(name) for name in names):
      raise InputError(f'config.{key} = {found[3][1:]!r}; write several as --config.{key}="{tuple(names)}"')


def _in_words(message):
  """The flag library's error with the rule of the key that it is about."""
  from qm_vae.experiments import schema

  found = re.match(r"flag --config\.([\w.]+)=(.*?): ", message, re.DOTALL)
  declared = found and schema.declared_for(found[1])
  if found and declared:
    return f"config.{found[1]} = {found[2]!r}; it must be {declared.rule.allowed}"
  return message.splitlines()[0]
