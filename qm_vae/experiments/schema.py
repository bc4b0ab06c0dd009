"""What every key of a config may hold; `check` refuses the rest by name."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from qm_vae.data import DATASETS
from qm_vae.deidentifiers import DEIDENTIFIERS, spec
from qm_vae.losses import TERMS
from qm_vae.losses.qm_vae import SERVICE_LOSSES
from qm_vae.models.embedder import EMBEDDER_NETWORKS
from qm_vae.models.expression import EXPRESSION_NETWORKS
from qm_vae.models.generator import CONDITIONS
from qm_vae.models.vqvae import PRESETS
from qm_vae.options import trait
from qm_vae.privacy.attackers import ATTACKERS
from qm_vae.privacy.guarantees import MECHANISMS
from qm_vae.quantizers import QUANTIZERS
from qm_vae.services.answers import KINDS
from qm_vae.services.black_box import CLIENTS
from qm_vae.training.schedule import SCHEDULES


class Rule(NamedTuple):
  """One key's rule."""

  holds: Callable[[Any], bool]
  allowed: str  # the same in words


def _is_number(value, kinds=(int, float)):
  return isinstance(value, kinds) and not isinstance(value, bool)


def _one_of(*names):
  return Rule(lambda v: isinstance(v, str) and v in names, "one of " + ", ".join(n or "''" for n in names))


def _between(low, high, text=None):
  return Rule(lambda v: _is_number(v) and low <= v <= high, text or f"a number from {low} to {high}")


def _integer(low, text=None):
  return Rule(lambda v: _is_number(v, (int,)) and v >= low, text or f"an integer, at least {low}")


_INF = float("inf")
_POSITIVE = Rule(lambda v: _is_number(v) and 0 < v < _INF, "a number above 0")
_NOT_NEGATIVE = Rule(lambda v: _is_number(v) and 0 <= v < _INF, "a number, at least 0")
_FRACTION = Rule(lambda v: _is_number(v) and 0 < v < 1, "a number between 0 and 1, both excluded")
_DECAY = Rule(lambda v: _is_number(v) and 0 <= v < 1, "a number from 0 to below 1")
_TEXT = Rule(lambda v: isinstance(v, str), "a text")
_FLAG = Rule(lambda v: isinstance(v, bool), "True or False")
_VIEW_NAMES = tuple(name for name, factory in DEIDENTIFIERS.items() if not trait(factory, "control"))
_VIEWS = Rule(
  lambda v: 0 < len(v) == len(set(v)) and set(v) <= set(_VIEW_NAMES),
  "one or more of " + ", ".join(_VIEW_NAMES) + ", each once",
)
_LAYERS = Rule(lambda v: _is_number(v, (int,)) and 3 <= v <= 8, "an integer from 3 to 8")
_OPTIONAL_DATA = ("service_data", "privacy.data", "target_data")
_LEVELS = Rule(lambda v: len(v) > 0 and all(_is_number(n, (int,)) and n >= 2 for n in v), "integers, each at least 2")

_ATTACKERS = Rule(
  lambda v: len(v) == len(set(v)) and set(v) <= set(ATTACKERS.names()),
  "none or more of " + ", ".join(ATTACKERS.names()) + ", each once",
)
_PATHS = Rule(lambda v: not isinstance(v, str) and all(isinstance(path, str) for path in v), "paths, as ('PATH',)")
_CROWDS = Rule(
  lambda v: not isinstance(v, str) and len(v) > 0 and all(_is_number(n, (int,)) and n >= 2 for n in v),
  "integers, each at least 2",
)

_BASELINES = Rule(
  lambda v: not isinstance(v, str) and all(spec.parse(one) for one in v) and len(set(v)) == len(v),
  "de-identifiers with their options, each once, as ('mosaic:block=4', 'laplace:scale=16')",
)

_AUGMENTATION = {
  "shift": _between(0, 0.5),
  "scale": _between(0, 1),
  "flip": _between(0, 1),
  "blur": _NOT_NEGATIVE,
  "contrast": _between(0, 1),
  "brightness": _between(0, 1),
  "noise": _between(0, 1),
  "channels": _between(0, 1),
  "jpeg": _between(0, 1),
}
_NETWORK = {
  "checkpoint": _TEXT,
  "architecture": _one_of(*EXPRESSION_NETWORKS.names()),
  "seed": _integer(0),
  "input_size": _integer(16),
  "epochs": _integer(1),
  "batch_size": _integer(1),
  "learning_rate": _POSITIVE,
  "weight_decay": _NOT_NEGATIVE,
  "label_smoothing": _DECAY,
  **{f"augment.{key}": rule for key, rule in _AUGMENTATION.items()},
}
_EMBEDDER = {
  "architecture": _one_of(*EMBEDDER_NETWORKS.names()),
  "seed": _integer(0),
  "input_size": Rule(lambda v: _is_number(v, (int,)) and v > 0 and v % 16 == 0, "a multiple of 16"),
  "epochs": _integer(1),
  "batch_size": _integer(1),
  "learning_rate": _POSITIVE,
  "weight_decay": _NOT_NEGATIVE,
  "margin": _between(0, 1),
  **{f"augment.{key}": rule for key, rule in _AUGMENTATION.items()},
}
_NAMES = Rule(
  lambda v: not isinstance(v, str) and all(isinstance(name, str) for name in v), "names, as ('one', 'other')"
)
_QUALITY = {
  "client": _one_of(*CLIENTS.names()),
  **{key: _TEXT for key in ("source", "checkpoint", "onnx.output", "onnx.input_range", "http.token_variable")},
  "kind": _one_of(*KINDS),
  "names": _NAMES,
  "tolerance": Rule(
    lambda v: not isinstance(v, str) and all(_is_number(one) and 0 < one < _INF for one in v), "numbers above 0"
  ),
  "weight": _NOT_NEGATIVE,
  "batch_size": _integer(1),
  "concurrency": _integer(1),
  "retries": _integer(0),
  "backoff": _NOT_NEGATIVE,
  "budget": _integer(0),
  "onnx.logits": _one_of("", "softmax", "sigmoid"),
  "onnx.layout": _one_of("", "NCHW", "NHWC"),
  "onnx.colour": _one_of("", "RGB", "BGR"),
  "http.allow_sending_faces": _FLAG,
  "http.timeout": _POSITIVE,
}
_BLACK_BOX = {
  "architecture": _one_of(*EXPRESSION_NETWORKS.names()),
  "input_size": _integer(16),
  "start": _TEXT,
  "learning_rate": _POSITIVE,
  "weight_decay": _NOT_NEGATIVE,
  **{key: _integer(1) for key in ("questions", "explored", "delay", "replay", "rehearsed")},
  "doubt": _DECAY,
  "warmup": _integer(0),
  "decay": _DECAY,
  "structure_weight": _NOT_NEGATIVE,
  "shuffle_answers": _FLAG,
}
_DATASET = {
  "root": _TEXT,
  "limit": _integer(0),
  "split": _one_of("identity", "order", "published"),
  "split_seed": _integer(0),
  "train_fraction": _FRACTION,
  "faces.detector": _one_of("haar", "none"),
  "faces.margin": _between(0, 1),
  "faces.scale_factor": Rule(lambda v: _is_number(v) and 1 < v <= 2, "a number above 1, at most 2"),
  "faces.min_neighbors": _integer(0),
  "faces.min_size": _integer(8),
  "faces.eyes": _one_of("cascade", "average"),
  "options.synthetic.num_people": _integer(1),
  "options.synthetic.images_per_person": _integer(1),
  "options.synthetic.frame_size": _integer(32),
  "options.synthetic.first_person": _integer(0),
  "options.synthetic.seed": _integer(0),
  "options.folder.csv": _TEXT,
  "options.folder.image_column": _TEXT,
  "options.folder.identity_column": _TEXT,
  "options.folder.label_column": _TEXT,
  "options.celeba_folder.partition": _one_of("all", "train", "valid", "test"),
  "options.celeba_folder.having": _TEXT,
  "options.celeb_a.split": _TEXT,
  "options.celeb_a.download": _FLAG,
  "options.lfw.split": _TEXT,
  "options.lfw.download": _FLAG,
  "options.fer2013.usage": _one_of("all", "Training", "PublicTest", "PrivateTest"),
}
RULES = {
  "task": _one_of("qm_vae", "black_box", "classifier", "attributes", "embedder", "ugatit", "amt_gan"),
  "seed": _integer(0),
  "image_size": Rule(
    lambda v: _is_number(v, (int,)) and (v == 0 or (v >= 32 and v % 4 == 0)), "0, or a multiple of 4 from 32 upward"
  ),
  "epochs": _integer(1),
  "batch_size": _integer(1),
  "learning_rate": _POSITIVE,
  "schedule": _one_of(*SCHEDULES),
  "alpha": _between(0, 1),
  "beta": _NOT_NEGATIVE,
  "service_loss": _one_of(*SERVICE_LOSSES),
  "service_weight": _NOT_NEGATIVE,
  "views": _VIEWS,
  "deid.blindfold.height": _POSITIVE,
  "deid.mosaic.block": _integer(1),
  "deid.laplace.scale": _POSITIVE,
  "deid.cartoon.levels": _integer(2),
  "deid.cartoon.ink": _between(0, 1),
  "deid.blur.sigma": _POSITIVE,
  "condition.answer": _one_of(*CONDITIONS),
  "condition.drop": _between(0, 1),
  "condition.other": _between(0, 1),
  "target.image": _one_of("original", *_VIEW_NAMES),
  "target.outside_face": _FLAG,
  **{f"terms.{name}.weight": _NOT_NEGATIVE for name in TERMS.names()},
  "terms.discriminator.hidden": _integer(1),
  "terms.identity.margin": _between(-1, 1),
  "terms.parrot.renew_every": _integer(0),
  "recognisers": _PATHS,
  "release.mechanism": _one_of("k_same", *MECHANISMS),
  "release.epsilon": _NOT_NEGATIVE,
  "release.k": _integer(1),
  "baselines": _BASELINES,
  "model.tokens": _integer(0),
  "deid.ugatit.checkpoint": _TEXT,
  "deid.amt_gan.checkpoint": _TEXT,
  "deid.amt_gan.reference": _TEXT,
  "deid.k_same.k": _integer(2),
  "deid.dp_pixel.block": _integer(1),
  "deid.dp_pixel.pixels": _integer(1),
  "deid.dp_pixel.epsilon": _POSITIVE,
  "ugatit.light": _FLAG,
  "ugatit.channels": _integer(1),
  "ugatit.blocks": _integer(1),
  "ugatit.global_layers": _LAYERS,
  "ugatit.local_layers": _LAYERS,
  **{f"ugatit.weights.{name}": _NOT_NEGATIVE for name in ("adversarial", "cycle", "identity", "cam")},
  "ugatit.weight_decay": _NOT_NEGATIVE,
  "ugatit.average": _DECAY,
  "amt_gan.embedders": _PATHS,
  "amt_gan.target": _TEXT,
  "amt_gan.channels": Rule(lambda v: _is_number(v, (int,)) and v > 0 and v % 2 == 0, "an even number above 0"),
  "amt_gan.blocks": _integer(1),
  "amt_gan.draws": _integer(1),
  **{f"amt_gan.diversity.{key}": rule for key, rule in _AUGMENTATION.items()},
  **{f"amt_gan.weights.{name}": _NOT_NEGATIVE for name in ("gan", "cycle", "makeup", "identity", "attack")},
  "model.preset": _one_of("auto", *PRESETS),
  "model.dtype": _one_of("float32", "bfloat16"),
  "quantizer.name": _one_of(*QUANTIZERS.names()),
  "quantizer.code_dim": _integer(1),
  "quantizer.vq.num_codes": _integer(2),
  "quantizer.vq.codebook": _one_of("ema", "gradient"),
  "quantizer.vq.decay": _DECAY,
  "quantizer.vq.restart_share": _DECAY,
  "quantizer.vq.normalize": _FLAG,
  "quantizer.vq.estimator": _one_of("straight_through", "rotation"),
  "quantizer.fsq.levels": _LEVELS,
  "cache_dir": _TEXT,
  "log_every": _integer(1),
  "evaluate_every": _integer(1),
  "checkpoint_every": _integer(1),
  "keep_checkpoints": _integer(1),
  "samples": _FLAG,
  "tensorboard": _FLAG,
  "data.name": _one_of(*DATASETS.names()),
  **{f"{key}.name": _one_of("", *DATASETS.names()) for key in _OPTIONAL_DATA},
  **{f"{key}.{part}": rule for key in ("data", *_OPTIONAL_DATA) for part, rule in _DATASET.items()},
  "privacy.attackers": _ATTACKERS,
  "privacy.embedders": _PATHS,
  "privacy.views": _FLAG,
  "privacy.people": _integer(10),
  "privacy.probes": _integer(1),
  "privacy.crowds": _CROWDS,
  "privacy.effort": _POSITIVE,
  "privacy.eyes": _one_of("original", "average"),
  "privacy.seed": _integer(0),
  **{f"embedder.{part}": rule for part, rule in _EMBEDDER.items()},
  **{
    f"{key}.{part}": rule for key in ("augment_faces", "augment_before_service") for part, rule in _AUGMENTATION.items()
  },
  **{f"service.{part}": rule for part, rule in _NETWORK.items()},
  "qualities": Rule(lambda v: _NAMES.holds(v) and 0 < len(v) == len(set(v)), "names from config.quality, each once"),
  "attributes": Rule(lambda v: _NAMES.holds(v) and 0 < len(v) == len(set(v)), "names of attributes, each once"),
  **{f"quality.expression.{part}": rule for part, rule in _QUALITY.items()},
  **{f"black_box.{part}": rule for part, rule in _BLACK_BOX.items()},
}


def rule_for(key: str) -> Rule | None:
  """The rule of a dotted key, e.g. 'data.faces.margin'; judges, ensemble and qualities may have any names."""
  if key.startswith("quality."):
    key = "quality.expression." + key.split(".", 2)[-1]
  if key.startswith(("judges.", "ensemble.")):
    key = "service." + key.split(".", 2)[-1]
  return RULES.get(key)


def flatten(config: Mapping, prefix: str = "") -> dict[str, Any]:
  """{'data': {'root': ''}} -> {'data.root': ''}."""
  flat = {}
  for key, value in config.items():
    name = f"{prefix}{key}"
    if hasattr(value, "items"):
      flat.update(flatten(value, name + "."))
    else:
      flat[name] = value
  return flat


def check(config: Mapping) -> None:
  """Returns when every key is known and holds what is allowed.

  Raises:
    ValueError: naming every offending key, its value and what is allowed.
  """
  complaints = []
  flat = flatten(config)
  for key, value in flat.items():
    rule = rule_for(key)
    if rule is None:
      complaints.append(f"config.{key} is no key; configs/default.py lists them all")
    elif not rule.holds(value):
      complaints.append(f"config.{key} = {value!r}, but it must be {rule.allowed}")
  complaints += [f"config.{key} is missing; configs/default.py has it" for key in RULES if key not in flat]
  if complaints:
    raise ValueError("\n".join(complaints))
