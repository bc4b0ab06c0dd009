"""The commonest mistakes of a command line are answered by one line that names the nearest right name."""

import pathlib

import pytest

from qm_vae import arguments
from qm_vae import main as program  # defines the flags
from qm_vae.errors import InputError
from qm_vae.experiments import command_line, resolve, schema
from qm_vae.experiments.command_help import KEYS

ROOT = pathlib.Path(__file__).parents[2]
ALPHA = "--config=configs/alpha04.py"


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
  monkeypatch.chdir(ROOT)


def refused(*given):
  with pytest.raises(SystemExit) as ended:
    command_line.parse(["qm_vae.main", *given])
  message = str(ended.value)
  assert message.startswith("error: ") and len(message.splitlines()) == 1
  return message


@pytest.mark.parametrize(
  ("given", "words"),
  [
    ((ALPHA, "--config.alhpa=0.3"), "config.alhpa is no key; did you mean config.alpha?"),
    ((ALPHA, "--config.deid.mozaic.block=3"), "did you mean config.deid.mosaic.block?"),
    ((ALPHA, "--config.deid=3"), "config.deid is a group of keys"),
    ((ALPHA, "--config.alpha", "--workdir=x"), "write --config.alpha=VALUE"),
    ((f"{ALPHA}:celeba",), "no dataset is called 'celeba'; did you mean celeb_a?"),
    (("--config=configs/alpah04.py",), "did you mean alpha04?"),
    (("--config=alpha4",), "did you mean alpha04?"),
    (("--config=LICENSE",), "LICENSE is no Python file"),
    (("--config=qm_vae/registry.py",), "defines no get_config()"),
    ((), "--config is missing; write --config=FILE"),
    (("configs/alpha04.py",), "--config is missing; write --config=configs/alpha04.py"),
    (("--confg=configs/alpha04.py",), "there is no flag --confg; did you mean --config?"),
    ((ALPHA, "--wrokdir=x"), "there is no flag --wrokdir; did you mean --workdir?"),
    ((ALPHA, "--epochs=3"), "there is no flag --epochs; did you mean --config.epochs?"),
  ],
)
def test_command_line_mistakes_name_the_nearest(given, words):
  """A mistake ends with one line that names what is wrong and the nearest right name."""
  assert words in refused(*given)


def test_command_line_help_fits_two_screens(capsys):
  """--help has at most two screens, exits with 0, lists every experiment and the keys people change, no absl flag."""
  with pytest.raises(SystemExit) as ended:
    command_line.parse(["qm_vae.main", "--help"])
  assert not ended.value.code
  lines = capsys.readouterr().out.splitlines()
  assert len(lines) <= 48 and max(map(len, lines)) <= 100
  text = "\n".join(lines)
  experiments = {path.name for path in (ROOT / "configs").glob("*.py")} - {"__init__.py", "default.py"}
  assert all(f"configs/{name} " in text for name in experiments)
  assert len(KEYS) == 10 and all(f"  {key} " in text for key in KEYS)
  assert "alsologtostderr" not in text and "pdb" not in text


def test_command_line_help_says_what_the_schema_says():
  """What --help says of a key is its unit and its default, or its rule, as the schema has them."""
  defaults = schema.flatten(schema.plain(schema.Config()))
  for key, words in KEYS.items():
    declared = schema.declared_for(key)
    assert declared is not None
    default = [f"default {defaults[key]!r}"] if defaults[key] not in ("", ()) else []
    assert words == ("; ".join([*filter(None, [declared.unit]), *default]) or declared.rule.allowed), key


def test_command_line_flag_error_has_the_rule():
  """A value of another type is answered by the key's own rule."""
  words = command_line._in_words("flag --config.epochs=many: invalid literal for int() with base 10: 'many'")
  assert words == "config.epochs = 'many'; it must be an integer, at least 1"


@pytest.mark.parametrize(
  ("key", "value", "words"),
  [
    ("views", ("mozaic",), "did you mean mosaic?"),
    ("baselines", ("k_smae:k=3",), "did you mean k_same?"),
    ("schedule", "cosin", "did you mean cosine?"),
  ],
)
def test_schema_check_names_the_nearest_value(key, value, words):
  """A misspelt name in a value is answered by the nearest one."""
  config = schema.config_dict(schema.Config())
  config[key] = value
  with pytest.raises(InputError, match=words.replace("?", r"\?")):
    schema.check(config)


@pytest.mark.parametrize(
  ("changes", "words"),
  [
    ({"task": "black_box", "batch_size": 8}, "questions .16. <= batch_size .8."),
    ({"batch_size": 7000}, "config.batch_size = 7000"),
    ({"terms.parrot.weight": 1.0, "batch_size": 16}, "config.recognisers is empty"),
    ({"baselines": ("mosaic:blok=4",), "batch_size": 16}, "did you mean block?"),
    ({"judges.second.checkpoint": "/nowhere"}, "/nowhere"),
    ({"privacy.embedders": ("/nowhere",)}, "/nowhere"),
    ({"landmarks": "/nowhere", "batch_size": 16}, "/nowhere"),
  ],
)
def test_resolve_refuses_before_training(changes, words, tmp_path, monkeypatch):
  """What a run will refuse is refused before a network is trained."""
  monkeypatch.setattr(resolve, "_trained", lambda *_: pytest.fail("a network was trained first"))
  from configs import default

  config = default.get_config()
  config.data.limit = 40
  config.image_size = 32
  config.cache_dir = str(tmp_path)
  config.update_from_flattened_dict(changes)
  with pytest.raises(ValueError, match=words.replace("?", r"\?")):
    resolve.resolve(config)


@pytest.mark.parametrize(
  ("given", "words"),
  [
    (["--methdo=x", "a"], "there is no option --methdo; did you mean --method?"),
    (["--method=mozaic", "a"], "--method is 'mozaic'; did you mean mosaic? choose one of blur, mosaic"),
    ([], "the following arguments are required: IN"),
  ],
)
def test_parser_errors_are_one_line(given, words, capsys):
  """A parser's error is one line with the nearest option or choice; the exit status is 2."""
  parser = arguments.Parser(prog="any")
  parser.add_argument("source", metavar="IN")
  parser.add_argument("--method", choices=("blur", "mosaic"))
  with pytest.raises(SystemExit) as ended:
    parser.parse_args(given)
  lines = capsys.readouterr().err.splitlines()
  assert ended.value.code == 2 and len(lines) == 1 and words in lines[0]


def test_parser_keeps_what_follows_two_dashes():
  """What follows -- is passed on, whatever it looks like."""
  parser = arguments.Parser(prog="any")
  parser.add_argument("extra", nargs="*")
  assert parser.parse_args(["--", "--config.epochs=3"]).extra == ["--config.epochs=3"]


def test_main_defines_the_documented_flags():
  """Every flag of the help text exists."""
  from qm_vae.experiments.command_help import FLAGS

  assert all(name in program.flags.FLAGS for name in FLAGS)
