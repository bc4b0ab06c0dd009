"""Every key of a run, with its default, rule and unit."""

import dataclasses
from typing import Any

from qm_vae.deidentifiers import DEIDENTIFIERS, spec
from qm_vae.experiments.schema.data import Dataset, OptionalDataset
from qm_vae.experiments.schema.fields import group, key, named, options_of
from qm_vae.experiments.schema.networks import Augmentation, Embedder, Model, Network, Quantizer
from qm_vae.experiments.schema.privacy import Privacy
from qm_vae.experiments.schema.rivals import AmtGan, Ugatit
from qm_vae.experiments.schema.rules import PATHS, SOME_NAMES, multiple_of, names_from
from qm_vae.experiments.schema.services import BlackBox, Quality, default_qualities
from qm_vae.experiments.tasks import TASKS
from qm_vae.faces.compositing import LIGHTS
from qm_vae.io.writers import WRITERS
from qm_vae.losses.qm_vae import SERVICE_LOSSES
from qm_vae.models.generator import CONDITIONS
from qm_vae.options import FLAG, NOT_NEGATIVE, POSITIVE, TEXT, Rule, between, integer, one_of, trait
from qm_vae.privacy.guarantees import MECHANISMS
from qm_vae.training.schedule import SCHEDULES

VIEWS = tuple(name for name, factory in DEIDENTIFIERS.items() if not trait(factory, "control"))
"""De-identifiers that a generator may see its faces through."""

_BASELINES = Rule(
  lambda v: not isinstance(v, str) and all(spec.parse(one) for one in v) and len(set(v)) == len(v),
  "de-identifiers with their options, each once, as ('mosaic:block=4', 'laplace:scale=16')",
  DEIDENTIFIERS.names(),
)


@dataclasses.dataclass
class Condition:
  """What the decoder receives of the service's answer on the original."""

  answer: str = key("none", one_of(*CONDITIONS), "none: the paper")
  soft: bool = key(False, FLAG, "of class, in use: its probabilities, so that a doubtful answer bends a face less")
  drop: float = key(0.1, between(0, 1), "share of the training examples whose answer is withheld")
  other: float = key(0.0, between(0, 1), "share of those for which another class is asked, so that it gives any answer")


@dataclasses.dataclass
class Target:
  """What the MSE compares the output with."""

  image: str = key("original", one_of("original", *VIEWS), "the paper's original, or a de-identifier's output of it")
  outside_face: bool = key(False, FLAG, "only outside the oval of the face")


@dataclasses.dataclass
class Term:
  """A term of the loss past Eq. 7; weight 0 leaves it out."""

  weight: float = key(0.0, NOT_NEGATIVE, "")


@dataclasses.dataclass
class Discriminator(Term):
  """Least squares, on patches."""

  hidden: int = key(24, integer(1), "channels of its first layer")
  adaptive: bool = key(False, FLAG, "the weight is the length of its gradient at the image over that of the MSE")


@dataclasses.dataclass
class Identity(Term):
  """A hinge on the cosine to the original."""

  margin: float = key(0.0, between(-1, 1), "cosine up to which nothing is paid")


@dataclasses.dataclass
class Parrot(Term):
  """Nats of identity that an attacker in the loop recovers."""

  renew_every: int = key(500, integer(0), "steps after which the attacker starts anew; 0: never")


@dataclasses.dataclass
class Terms:
  """The terms past Eq. 7: ensemble in nats, smoothness of the range, perceptual in features."""

  ensemble: Term = group(Term)
  smoothness: Term = group(Term)
  perceptual: Term = group(Term)
  discriminator: Discriminator = group(Discriminator)
  identity: Identity = group(Identity)
  parrot: Parrot = group(Parrot)


@dataclasses.dataclass
class Composite:
  """How an output comes into its crop."""

  region: str = key("crop", one_of("crop", "face"), "crop: it replaces all of it, the paper; face: from brow to chin")
  light: str = key("color", one_of(*LIGHTS), "of the original, that a replaced face takes over")


@dataclasses.dataclass
class Release:
  """How a trained network gives codes away; it does not shape the training (docs/private.md)."""

  mechanism: str = key("none", one_of("k_same", *MECHANISMS), "")
  epsilon: float = key(1.0, NOT_NEGATIVE, "nats for each code; of randomized_response and exponential")
  k: int = key(5, integer(1), "people at least who share their codes; of k_same")


@dataclasses.dataclass
class Log:
  """Where scalars and image grids go besides WORKDIR (docs/logging.md); nothing leaves this machine unasked."""

  writers: tuple[str, ...] = key((), names_from(WRITERS.names()), "")
  options: dict[str, dict[str, Any]] = options_of(WRITERS)


@dataclasses.dataclass
class Config:
  """Every key of a run. L = alpha L_e + (1 - alpha) MSE + codebook + beta commitment (Eq. 7)."""

  task: str = key("qm_vae", one_of(*TASKS.names()), "what is trained; black_box: with services outside the graph")
  seed: int = key(0, integer(0), "determines every random number of the run")
  image_size: int = key(0, multiple_of(4, 32, zero=True), "side of the crop in pixels; 0: 64 on a CPU, 128 on a GPU")

  epochs: int = key(40, integer(1), "passes over the training faces")
  batch_size: int = key(32, integer(1), "faces")
  learning_rate: float = key(1e-3, POSITIVE, "Adam's step size")
  schedule: str = key("constant", one_of(*SCHEDULES), "cosine: to 0 at the last step; late_linear: in the second half")

  alpha: float = key(0.4, between(0, 1), "weight of the service")
  beta: float = key(0.25, NOT_NEGATIVE, "weight of the commitment term")
  service_loss: str = key("cross_entropy", one_of(*SERVICE_LOSSES), "literal: Eq. 8, which has no gradient")
  # Eq. 7 has 1, but the surrogates are of another size than the 0 or 1 of Eq. 8, and the MSE of pictures in [0, 1] is
  # near 0.01: with 1 the service takes the picture apart.
  service_weight: float = key(0.03, NOT_NEGATIVE, "multiplies L_e")

  views: tuple[str, ...] = key(("blindfold", "mosaic", "laplace", "cartoon"), names_from(VIEWS, at_least=1), "")
  deid: dict[str, dict[str, Any]] = options_of(DEIDENTIFIERS)
  augment_faces: Augmentation = group(Augmentation, flip=0.5, contrast=0.2, brightness=0.1)  # of the training faces
  augment_before_service: Augmentation = group(  # of the output, before the service in the loss
    Augmentation, shift=0.1, scale=0.2, flip=0.5, blur=1.0, contrast=0.2, brightness=0.1, noise=0.02
  )
  condition: Condition = group(Condition)
  target: Target = group(Target)
  terms: Terms = group(Terms)
  ensemble: dict[str, Network] = named(Network)  # for the terms ensemble and perceptual
  recognisers: tuple[str, ...] = key((), PATHS, "face recognisers for the terms identity and parrot (the first)")
  composite: Composite = group(Composite)
  release: Release = group(Release)
  baselines: tuple[str, ...] = key((), _BASELINES, "further de-identifiers beside the views in the report")
  model: Model = group(Model)
  quantizer: Quantizer = group(Quantizer)

  data: Dataset = group(Dataset)
  # The frozen service of the loss, and the judges, which never enter a loss. Those without a checkpoint are trained
  # first on `service_data` and cached; an empty name there means the run's own faces, where they carry labels.
  service: Network = group(Network)
  judges: dict[str, Network] = named(Network, second=Network(architecture="resnet", seed=1))
  service_data: OptionalDataset = group(OptionalDataset)
  landmarks: str = key(
    "", TEXT, "folder of a landmark network, for the report; '': geometry and realism are not measured"
  )

  face_detector: str = key(
    "centerface", TEXT, "for the report: who looks for a face in the outputs' frames, a name or ONNX file; '': nobody"
  )

  qualities: tuple[str, ...] = key(("expression",), SOME_NAMES, "from `quality`: what must stay, of task black_box")
  quality: dict[str, Quality] = named(Quality, **default_qualities())
  black_box: BlackBox = group(BlackBox)
  attributes: tuple[str, ...] = key(("Smiling",), SOME_NAMES, "of CelebA, that the task `attributes` trains")

  privacy: Privacy = group(Privacy)
  embedder: Embedder = group(Embedder)

  target_data: OptionalDataset = group(OptionalDataset)  # the second kind of pictures, of the tasks ugatit and amt_gan
  ugatit: Ugatit = group(Ugatit)
  amt_gan: AmtGan = group(AmtGan)

  cache_dir: str = key("", TEXT, "folder for face crops and trained networks; '': the user's cache")
  log_every: int = key(25, integer(1), "steps between two rows of metrics.jsonl")
  evaluate_every: int = key(2, integer(1), "epochs between two evaluations on the test faces")
  checkpoint_every: int = key(5, integer(1), "epochs between two checkpoints")
  keep_checkpoints: int = key(3, integer(1), "newest kept")
  samples: bool = key(False, FLAG, "also write image grids to WORKDIR/samples, one at every evaluation")
  log: Log = group(Log)
