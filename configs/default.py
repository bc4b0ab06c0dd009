"""Every key of a run, with its unit and what is allowed; the experiments beside this file override a few.

A file's argument chooses the data: `configs/alpha04.py` uses the embedded synthetic faces,
`configs/alpha04.py:celeba_folder` a CelebA folder, and so on for every name in ARGUMENTS. Single keys are overridden on
the command line: `--config.alpha=0.2 --config.data.root=/data/celeba`.
"""

import ml_collections

ARGUMENTS = ("synthetic", "folder", "celeb_a", "celeba_folder", "lfw", "fer2013")


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
  """The paper's setting on the dataset called `arg` (synthetic when empty)."""
  arg = arg or "synthetic"
  if arg not in ARGUMENTS:
    raise ValueError(f"no dataset is called {arg!r}; write configs/FILE.py:NAME with one of {', '.join(ARGUMENTS)}")
  c = ml_collections.ConfigDict()
  # qm_vae | black_box (the same with services outside the graph, `qualities`) | classifier (trains `service` on `data`
  # and stops) | attributes (the same on CelebA's attributes) | embedder (trains `embedder` on `data` and stops) |
  # ugatit, amt_gan (train that rival from `data` to `target_data` and stop)
  c.task = "qm_vae"
  c.seed = 0  # every random number of the run follows from it
  c.image_size = 0  # pixels, side of the face crop, a multiple of 4; 0: 64 on a CPU, 128 on a GPU

  c.epochs = 40  # passes over the training faces
  c.batch_size = 32  # faces
  c.learning_rate = 1e-3  # Adam's step size
  c.schedule = "constant"  # constant | cosine (to 0 at the last step) | late_linear (to 0 over the second half)

  # L = alpha L_e + (1 - alpha) MSE + codebook + beta commitment (Eq. 7).
  c.alpha = 0.4  # [0, 1], weight of the service
  c.beta = 0.25  # >= 0, weight of the commitment term
  c.service_loss = "cross_entropy"  # literal (Eq. 8, no gradient) | expected | cross_entropy | kl
  # >= 0, multiplies L_e. Eq. 7 has 1, but the surrogates are of another size than the 0 or 1 of Eq. 8, and the MSE of
  # pictures in [0, 1] is near 0.01: with 1 the service takes the picture apart (README, Results).
  c.service_weight = 0.03

  c.views = ("blindfold", "mosaic", "laplace", "cartoon")  # names from qm_vae/deid, at least one
  c.deid = _deidentifiers()
  c.augment_faces = _augmentation(flip=0.5, contrast=0.2, brightness=0.1)  # of the training faces
  c.augment_before_service = _augmentation(  # of the output, before the service in the loss
    shift=0.1, scale=0.2, flip=0.5, blur=1.0, contrast=0.2, brightness=0.1, noise=0.02
  )

  # What the decoder is told of the service's answer on the original: none (the paper) | class | probabilities
  c.condition = ml_collections.ConfigDict({"answer": "none"})
  c.condition.drop = 0.1  # [0, 1], share of the training examples whose answer is withheld, so that it works without
  c.condition.other = 0.0  # [0, 1], share of those for which another class is asked, so that it gives any answer

  # What the MSE compares the output with: original (the paper) | the name of a de-identifier, e.g. blur for a low-pass
  c.target = ml_collections.ConfigDict({"image": "original"})
  c.target.outside_face = False  # only outside the oval of the face

  c.terms = _terms()  # of the loss, past Eq. 7
  c.ensemble = ml_collections.ConfigDict()  # name -> network like `service`, for the terms ensemble and perceptual
  c.recognisers = ()  # folders of face recognisers for the terms identity and parrot, which takes the first

  c.release = _release()
  # Further de-identifiers to stand beside the views in the report, e.g. ("mosaic:block=4", "blur:sigma=8").
  c.baselines = ()

  c.model = ml_collections.ConfigDict()
  c.model.preset = "auto"  # paper (hidden 128) | small (hidden 48) | auto: small on a CPU, paper on a GPU
  c.model.dtype = "float32"  # float32 | bfloat16: what the convolutions compute in

  c.model.tokens = 0  # codes that describe a face in all; 0: one for every 4 x 4 pixels, as in the paper

  c.quantizer = ml_collections.ConfigDict()
  c.quantizer.name = "vq"  # vq | fsq
  c.quantizer.code_dim = 64  # channels of a code; vq only, for fsq it is the number of levels
  c.quantizer.vq = _vq()
  c.quantizer.fsq = ml_collections.ConfigDict({"levels": (8, 5, 5, 5)})  # values per channel, each >= 2

  c.data = _dataset(arg)

  # The frozen service of the loss, and the judges, which never enter a loss. Those without a checkpoint are trained
  # first on `service_data` and cached; an empty name there stands for the run's own faces, where they carry labels.
  c.service = network("mini_xception", seed=0)
  c.judges = ml_collections.ConfigDict({"second": network("resnet", seed=1)})
  c.service_data = _dataset("synthetic" if arg == "synthetic" else "")
  if arg == "synthetic":
    c.service_data.options.synthetic.update(num_people=900, images_per_person=4, first_person=100_000)
    c.service_data.limit = 0
    c.service_data.train_fraction = 0.9
    c.service_data.faces.eyes = "average"

  c.qualities = ("expression",)  # names from `quality` that must stay; only the task black_box reads them
  c.quality = _qualities()
  c.black_box = _black_box()
  c.attributes = ("Smiling",)  # names of CelebA's attributes that the task `attributes` trains `service` to tell

  c.privacy = _privacy(arg)
  c.embedder = _embedder()  # the face recogniser that is trained where `privacy.embedders` has an empty name

  c.target_data = _dataset("")  # the second kind of pictures, of the tasks ugatit and amt_gan alone
  c.ugatit = _ugatit()
  c.amt_gan = _amt_gan()

  c.cache_dir = ""  # folder for face crops and trained networks; '': $XDG_CACHE_HOME/qm_vae or ~/.cache/qm_vae

  c.log_every = 25  # optimiser steps between two rows of metrics.jsonl
  c.evaluate_every = 2  # epochs between two evaluations on the test faces
  c.checkpoint_every = 5  # epochs between two checkpoints
  c.keep_checkpoints = 3  # newest kept
  c.samples = False  # also write image grids to WORKDIR/samples, one at every evaluation
  c.tensorboard = False  # also write TensorBoard scalars and image grids to WORKDIR/tensorboard
  return c


def _dataset(name):
  d = ml_collections.ConfigDict()
  d.name = name  # a name from qm_vae/data
  d.root = ""  # folder or file of the dataset; not used by synthetic
  # First records used; 0: all. The paper has 1000; 600 drawn faces keep the embedded default short on two cores.
  d.limit = {"synthetic": 600, "celeb_a": 1000, "celeba_folder": 1000}.get(name, 0)
  # identity: nobody stands on both sides | order: first records train, as in the paper | published: the dataset's own
  d.split = {"fer2013": "published", "celeba_folder": "order", "celeb_a": "order"}.get(name, "identity")
  d.split_seed = 0  # of the split by identity; it stays when `seed` varies, so that seeds are judged on the same people
  d.train_fraction = 0.8  # (0, 1), share that trains; not used by `published`
  d.faces = _faces(name)
  d.options = ml_collections.ConfigDict()
  d.options.synthetic = ml_collections.ConfigDict()
  d.options.synthetic.num_people = 500
  d.options.synthetic.images_per_person = 2
  d.options.synthetic.frame_size = 96  # pixels
  d.options.synthetic.first_person = 0  # people of two ranges that do not overlap are different people
  d.options.synthetic.seed = 0
  d.options.folder = ml_collections.ConfigDict()
  d.options.folder.csv = ""  # file with a header row; '': every image below root, nobody known
  d.options.folder.image_column = "image"
  d.options.folder.identity_column = "identity"
  d.options.folder.label_column = "expression"
  d.options.celeba_folder = ml_collections.ConfigDict({"partition": "all"})  # all | train | valid | test
  d.options.celeba_folder.having = ""  # an attribute, e.g. Heavy_Makeup: with it; '-' before it: without it; '': all
  d.options.celeb_a = ml_collections.ConfigDict({"split": "train", "download": False})
  d.options.lfw = ml_collections.ConfigDict({"split": "train", "download": False})
  d.options.fer2013 = ml_collections.ConfigDict({"usage": "all"})  # all | Training | PublicTest | PrivateTest
  return d


def _faces(dataset):
  f = ml_collections.ConfigDict()
  # haar: OpenCV's frontal cascade, as in the paper | none: the picture is the face, its largest centred square is taken
  f.detector = "none" if dataset == "fer2013" else "haar"
  f.margin = 0.1  # share of the found box's side added on each side, [0, 1]
  f.scale_factor = 1.1  # > 1, ratio of two sizes the cascade tries
  f.min_neighbors = 5  # >= 0, overlapping hits that make a face
  f.min_size = 24  # pixels, smallest face looked for
  # cascade: OpenCV's eye cascade, the average place where it finds none | average: at once, for data that only a
  # classifier sees (the blindfold is the one that needs the eyes)
  f.eyes = "average" if dataset == "fer2013" else "cascade"
  return f


def _deidentifiers():
  d = ml_collections.ConfigDict()
  d.blindfold = ml_collections.ConfigDict({"height": 0.6})  # of the distance between the eyes
  d.mosaic = ml_collections.ConfigDict({"block": 8})  # pixels of the crop
  d.laplace = ml_collections.ConfigDict({"scale": 8.0})  # grey levels; the paper prints 1, its Table 2 fits about 8
  d.cartoon = ml_collections.ConfigDict({"levels": 6, "ink": 1.0})  # tones; [0, 1], darkness of the lines
  d.blur = ml_collections.ConfigDict({"sigma": 4.0})  # pixels of the crop
  # Folder written by configs/ugatit.py or qm_vae.convert; '': the classical cartoon stands in.
  d.ugatit = ml_collections.ConfigDict({"checkpoint": ""})
  # The same of configs/amt_gan.py, which must be given; picture of a made-up face, '': the one in the folder.
  d.amt_gan = ml_collections.ConfigDict({"checkpoint": "", "reference": ""})
  d.k_same = ml_collections.ConfigDict({"k": 10})  # people of a group, >= 2
  # Pixels of the crop; pixels in which two pictures may differ; nats, the privacy for such pictures.
  d.dp_pixel = ml_collections.ConfigDict({"block": 16, "pixels": 16, "epsilon": 0.5})
  return d


def _terms():
  """Each has a weight, at least 0; 0 leaves it out."""
  t = ml_collections.ConfigDict()
  t.ensemble = ml_collections.ConfigDict({"weight": 0.0})  # nats (as service_loss) of the networks in `ensemble`
  t.smoothness = ml_collections.ConfigDict({"weight": 0.0})  # total variation, of the range
  t.perceptual = ml_collections.ConfigDict({"weight": 0.0})  # of the features of the first network in `ensemble`
  t.discriminator = ml_collections.ConfigDict({"weight": 0.0})  # least squares, on patches
  t.discriminator.hidden = 24  # channels of its first layer
  t.identity = ml_collections.ConfigDict({"weight": 0.0})  # hinge on the cosine to the original
  t.identity.margin = 0.0  # [-1, 1], cosine up to which nothing is paid
  t.parrot = ml_collections.ConfigDict({"weight": 0.0})  # nats of identity that an attacker in the loop hears
  t.parrot.renew_every = 500  # steps, >= 0, after which it begins anew; 0: never
  return t


def _release():
  """How codes are given away by a trained network; does not shape the training (docs/private.md)."""
  r = ml_collections.ConfigDict()
  r.mechanism = "none"  # none | k_same | randomized_response | exponential
  r.epsilon = 1.0  # nats, >= 0, for each code; of the two latter
  r.k = 5  # people at least who share their codes; of k_same
  return r


def _vq():
  q = ml_collections.ConfigDict()
  q.num_codes = 512
  q.codebook = "ema"  # ema | gradient (Eq. 7's third term)
  q.decay = 0.99  # [0, 1), of the moving average
  q.restart_share = 0.2  # [0, 1), a code used less than this share of the mean use is drawn anew (ema only)
  q.normalize = False  # codes and encodings on the unit sphere
  q.estimator = "straight_through"  # straight_through | rotation (Fifty et al. 2024)
  return q


def _augmentation(**overrides):
  a = ml_collections.ConfigDict()
  a.shift = 0.0  # share of the side, [0, 0.5]
  a.scale = 0.0  # sides are multiplied by exp(u), |u| <= scale
  a.flip = 0.0  # probability, [0, 1]
  a.blur = 0.0  # pixels, the largest sigma
  a.contrast = 0.0  # relative, [0, 1]
  a.brightness = 0.0  # of the range, [0, 1]
  a.noise = 0.0  # of the range, standard deviation, [0, 1]
  a.channels = 0.0  # share of a mixture of all channels in each, [0, 1]; see augment.mix_channels
  a.jpeg = 0.0  # strength of errors as JPEG makes them, [0, 1]; 1 is about quality 10
  a.update(overrides)
  return a


def _qualities():
  offered = "qm_vae.services.offered:probabilities"  # a network of this project, asked as if it were anybody's
  expressions = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
  q = ml_collections.ConfigDict()
  q.expression = _quality("classes", expressions, source=offered)
  q.smile = _quality("attributes", ("Smiling",), source=offered)
  # Is a face still found, and where: shares of the picture's side.
  q.face = _quality("values", ("x", "y", "side"), (0.1, 0.1, 0.15), source="qm_vae.services.detection:largest_face")
  eyes = ("left x", "left y", "right x", "right y")
  q.eyes = _quality("values", eyes, (0.04,) * 4, source="qm_vae.services.detection:eyes")
  return q


def _quality(kind, names, tolerance=(), source=""):
  q = ml_collections.ConfigDict()
  q.client = "callable"  # callable | onnx | http
  q.source = source  # callable: module:function · onnx: path of the file · http: address of the service
  # callable: folder of a network, given as checkpoint=; '' for none, but for `offered` with classes: that of `service`
  q.checkpoint = ""
  q.kind = kind  # classes (one of them) | attributes (each yes or no) | values (numbers, or nothing at all)
  q.names = names  # of the classes, attributes or values, in the order of the answers
  q.tolerance = tolerance  # values: how far each may move and count as kept, in its own unit, > 0
  q.weight = 1.0  # >= 0, of this service among all
  q.batch_size = 32  # images at a time
  q.concurrency = 1  # batches at the same time
  q.retries = 5  # of a batch, after the first try
  q.backoff = 0.5  # seconds before the first retry, doubled for each further one
  q.budget = 0  # images that a run may send in all, retries included; 0: no limit
  q.onnx = ml_collections.ConfigDict()
  q.onnx.output = ""  # name of the output; '': the first
  q.onnx.logits = ""  # '' (none) | softmax | sigmoid: how logits become probabilities
  # '' where the file tells: "0..1", "-1..1" or "(x-127.5)/128" · NCHW or NHWC · RGB or BGR
  q.onnx.update(input_range="", layout="", colour="")
  q.http = ml_collections.ConfigDict()
  q.http.allow_sending_faces = False  # whether faces may be sent to the address
  q.http.timeout = 10.0  # seconds, > 0
  q.http.token_variable = ""  # environment variable that holds the Authorization header
  return q


def _black_box():
  b = ml_collections.ConfigDict()
  b.architecture = "resnet"  # of the student: mini_xception | resnet | wide_resnet
  b.input_size = 48  # pixels that the student sees
  b.start = ""  # folder of an expression network of this architecture that the student starts from; '': random weights
  b.learning_rate = 2e-3  # of the student
  b.weight_decay = 1e-4
  b.questions = 16  # pictures of a step's outputs that are asked about, at most; up to batch_size
  b.explored = 4  # of them drawn blindly; the fidelity is measured on these
  b.doubt = 0.1  # [0, 1), the others are asked about where the student doubts more than this
  b.delay = 2  # steps >= 1 that go on before the answers to a step's questions are awaited
  b.warmup = 50  # steps in which only the student hears of the services
  b.replay = 2048  # pictures that the student remembers
  b.rehearsed = 64  # of them, pictures of one step's lesson
  b.decay = 0.99  # [0, 1), of the measured fidelity, for every blind question
  b.structure_weight = 0.0  # >= 0, of 1 - SSIM beside the services
  b.shuffle_answers = False  # a control: every training face gets the answer on another
  return b


def _privacy(arg):
  p = ml_collections.ConfigDict()
  # Names from qm_vae/privacy/attackers; () measures no privacy. parrot, cross and inversion train networks of their own
  # for every method, minutes each on a CPU.
  p.attackers = ("naive", "linkage", "codes", "residual")
  # Face recognisers that attackers use: folders written by qm_vae.convert or configs/embedder.py, or ONNX files; '':
  # train `embedder` on `service_data`, or on the run's own faces, and cache it; (): measures no privacy.
  p.embedders = ("",) if arg == "synthetic" else ()
  p.views = True  # whether the views and their union are attacked too; for any network of theirs it comes to the same
  p.people = 500  # who are attacked, at most
  p.probes = 1  # protected pictures of each, at most
  p.crowds = (100, 500)  # people in the gallery of each column of the table
  p.effort = 1.0  # > 0, multiplies the epochs of attackers that learn
  # Where attackers take the eyes in a protected picture to be: original (they are told, the worst case) | average (the
  # same for all: they have the picture alone)
  p.eyes = "original"
  p.seed = 0  # of who is attacked
  p.data = _dataset("")  # whose faces; '': the run's own, of which those that trained teach the attackers
  return p


def _embedder():
  e = ml_collections.ConfigDict()
  e.architecture = "small"  # small | mobilefacenet
  e.seed = 0
  e.input_size = 48  # pixels a side that the network sees, a multiple of 16
  e.epochs = 6
  e.batch_size = 32
  e.learning_rate = 2e-3
  e.weight_decay = 1e-2
  e.margin = 0.3  # radians, [0, 1], of ArcFace
  e.augment = _augmentation(shift=0.05, scale=0.05, flip=0.5, contrast=0.2, brightness=0.1)
  return e


def _ugatit():
  u = ml_collections.ConfigDict()
  u.light = True  # 10.6 million parameters; False: AdaLIN is told by every feature, 279 million at 256 pixels
  u.channels = 64  # of the first layers
  u.blocks = 4  # residual blocks before and after the attention, each
  u.global_layers = 7  # of the discriminators of whole pictures, which need 2^layers pixels
  u.local_layers = 5  # of those of patches
  u.weights = ml_collections.ConfigDict({"adversarial": 1.0, "cycle": 10.0, "identity": 10.0, "cam": 1000.0})
  u.weight_decay = 1e-4  # added to the gradient, as PyTorch's Adam does
  u.average = 0.999  # [0, 1), of the generators' moving average
  return u


def _amt_gan():
  a = ml_collections.ConfigDict()
  a.embedders = ()  # folders of face recognisers that are to be misled, at least one for the task amt_gan
  a.target = ""  # name of the plain training face to be impersonated; '': the first
  a.channels = 64  # of the first layers, even
  a.blocks = 4  # residual-in-residual dense blocks of the regularizer
  a.draws = 5  # of `diversity`, for every output and recogniser
  a.diversity = _augmentation(shift=0.05, scale=0.05, noise=0.05)  # of the output before a recogniser
  a.weights = ml_collections.ConfigDict({"gan": 10.0, "cycle": 10.0, "makeup": 2.0, "identity": 5.0, "attack": 5.0})
  return a


def network(architecture, seed):
  """Keys of an expression network: the service, a judge, one of the ensemble."""
  n = ml_collections.ConfigDict()
  n.checkpoint = ""  # folder written by qm_vae.convert or by configs/expression.py; '': train one on `service_data`
  n.architecture = architecture  # mini_xception | resnet | wide_resnet
  n.seed = seed
  n.input_size = 48  # pixels the network sees
  n.epochs = 6
  n.batch_size = 32
  n.learning_rate = 2e-3
  n.weight_decay = 1e-4
  n.label_smoothing = 0.1  # [0, 1)
  n.augment = _augmentation(shift=0.08, scale=0.1, flip=0.5, contrast=0.2, brightness=0.1, noise=0.02)
  return n
