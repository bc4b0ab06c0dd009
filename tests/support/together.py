"""Trains a tiny QM-VAE on the devices that are there and tells what came of it, as one line of JSON.

python tests/support/together.py WORKDIR EPOCHS[,MORE_EPOCHS] [HOST:PORT,COUNT,INDEX]
"""

import json
import pathlib
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from qm_vae import types
from qm_vae.data.augment import Augmentation
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.io.checkpoints import Checkpoints
from qm_vae.losses import qm_vae as losses
from qm_vae.models import generator
from qm_vae.models.vqvae import Preset
from qm_vae.quantizers import QUANTIZERS
from qm_vae.training import distributed, loop
from qm_vae.training.state import Experiment, Split
from qm_vae.training.tasks import qm_vae

SIZE, BATCH, CODES, WIDTH = 16, 16, 24, 4
TOKENS = BATCH * (SIZE // 4) ** 2


def experiment(epochs: int) -> Experiment:
  """Sixteen tokens a face, searched in four chunks, and codes that are restarted."""
  views = [DEIDENTIFIERS[name]() for name in ("mosaic", "laplace")]
  quantizer = QUANTIZERS["vq"](num_codes=CODES, code_dim=WIDTH, chunk=TOKENS // 4)
  weights = jax.random.normal(jax.random.key(1), (SIZE * SIZE * 3, 3)) * 0.3
  service = types.Service(weights, lambda p, image: (image - 0.5).reshape(*image.shape[:-3], -1) @ p, ("a", "b", "c"))
  task = qm_vae.make(
    generator.make(views, Preset(hidden=8, residual_hidden=4, residual_blocks=1), WIDTH, quantizer, jnp.float32),
    service,
    {},
    optax.adam(1e-3),
    service_loss="cross_entropy",
    augment_faces=Augmentation(flip=0.5, contrast=0.1),
    augment_before_service=Augmentation(shift=0.1, blur=0.5, noise=0.02),
  )
  frozen = {"views": ((), ()), "service": weights, "judges": {}, "terms": {}, "target": ()}
  alphas = losses.LossWeights(jnp.float32(0.4), jnp.float32(0.25), jnp.float32(1.0), {})
  data = Split(faces(3 * BATCH, 0), faces(BATCH - 3, 1), None, 4 * BATCH - 3, 0)
  return Experiment(task, frozen, alphas, data, 0, epochs, BATCH, 1, 1, 1, None)


def faces(num: int, seed: int) -> types.FaceSet:
  """Smooth pictures: of noise, encodings lie too close together to tell codes apart."""
  random = np.random.default_rng(seed)
  image = random.integers(0, 256, (num, 4, 4, 3), np.uint8).repeat(SIZE // 4, 1).repeat(SIZE // 4, 2)
  numbers = np.arange(num, dtype=np.int32)
  unknown = np.full(num, -1, np.int32)
  eyes = np.tile(np.float32([5, 6, 11, 6]), (num, 1))
  mask, box = np.ones((num, SIZE, SIZE, 1), np.uint8), np.zeros((num, 3), np.float32)
  return types.FaceSet(image, mask, eyes, box, numbers, unknown, numbers, tuple(map(str, numbers)), (), (), ())


def moved(one: Experiment, group: distributed.Group) -> dict[str, int]:
  """Elements of the largest array that each kind of collective of the compiled step gives back."""
  programs = loop.compile_task(one.task, BATCH, group)
  shape = lambda tree, where: jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where), tree)
  batch = one.data.train.batch(np.arange(BATCH)) | {"_mask": np.ones(BATCH, np.float32)}
  key = jax.random.key(0)
  state = jax.eval_shape(one.task.init, key, one.frozen, batch)
  whole = [shape(tree, programs.replicated) for tree in (state, one.frozen, one.weights)]
  text = programs.step.lower(whole[0], whole[1], shape(batch, programs.data_sharded), whole[2], key).compile().as_text()
  found = {}
  kinds = "all-gather|all-to-all|collective-permute|all-reduce|reduce-scatter"
  for result, kind in re.findall(rf"= (.*?) ({kinds})(?:-start)?\(", text):
    sizes = [np.prod([int(n) for n in dims.split(",") if n]) for dims in re.findall(r"\w\d+\[([\d,]*)\]", result)]
    found[kind] = max(found.get(kind, 0), int(max(sizes)))
  return found


def main(workdir, epochs, message=None):
  """Trains to each of the epochs in turn, going on from a checkpoint, and prints what the tests look at."""
  if message:
    distributed.join(message)
  group, workdir = distributed.all_processes(), pathlib.Path(workdir)
  workdir.mkdir(exist_ok=True)
  for last in map(int, epochs.split(",")):
    checkpoints = Checkpoints(workdir / "checkpoints") if group.is_leader else None
    state = loop.fit(experiment(last), workdir, checkpoints, group=group)
  copies = [np.asarray(shard.data) for shard in state.model_state.codebook.addressable_shards]
  result = {
    "devices": sum(map(len, group.devices)),
    "copies": len(copies),
    "alike": all((copy == copies[0]).all() for copy in copies),
    "codebook": copies[0].tolist(),
    "moved": None if message else moved(experiment(1), group),
  }
  print(json.dumps(result))


if __name__ == "__main__":
  main(*sys.argv[1:])
