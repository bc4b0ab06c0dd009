"""Measured quality of the drawn faces: how many are found, and what small networks learn about people never seen."""

import cv2
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from qm_vae import types
from qm_vae.data import synthetic

pytestmark = pytest.mark.slow

SIDE = 64
UNSEEN = 10_000  # number of the first person of the test sets


class Trunk(nn.Module):
  """Four strided convolutions and a dense layer: images [B, 64, 64, 3] in [0, 1] to features [B, width]."""

  width: int

  @nn.compact
  def __call__(self, image):
    x = 2 * image - 1
    # A block of 2 x 2 pixels becomes one position, which saves the costliest layer.
    x = x.reshape(-1, SIDE // 2, 2, SIDE // 2, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, SIDE // 2, SIDE // 2, 12)
    for channels, stride in ((24, 1), (48, 2), (64, 2), (96, 2)):
      x = nn.Conv(channels, (3, 3), strides=stride, use_bias=False)(x)
      x = nn.relu(nn.GroupNorm(num_groups=8)(x))
    return nn.Dense(self.width)(x.reshape(len(x), -1))


def crops(source):
  """Haar crops (uint8 [N, 64, 64, 3]), labels [N] and identities [N] of the records in which a face was found."""
  cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
  images, labels, identities = [], [], []
  for index in range(len(source)):
    record = source[index]
    found = cascade.detectMultiScale(cv2.cvtColor(record.image, cv2.COLOR_RGB2GRAY), 1.1, 5)
    if len(found) == 0:
      continue
    x, y, side, _ = max(found, key=lambda box: box[2])
    to_frame = np.float32([[1.2 * side / SIDE, 0, x - 0.1 * side], [0, 1.2 * side / SIDE, y - 0.1 * side]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    images.append(cv2.warpAffine(record.image, to_frame, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE))
    labels.append(record.label)
    identities.append(record.identity)
  return np.stack(images), np.array(labels), np.array(identities)


def augment(image, rng, reach=2):
  """`image` mirrored half the time and shifted by up to `reach` pixels, its border repeated."""
  row, column = (np.clip(np.arange(SIDE) + rng.integers(-reach, reach + 1), 0, SIDE - 1) for _ in range(2))
  return image[row][:, column[:: rng.choice((-1, 1))]]


def fit(net, loss, images, targets, *, epochs, batch=32, rate=2e-3, seed=0):
  """Parameters of `net` after Adam on `loss(output, target) -> [B]`, images mirrored and shifted at random."""
  rng = np.random.default_rng(seed)
  params = net.init(jax.random.key(seed), jnp.zeros((1, SIDE, SIDE, 3)))
  steps = epochs * (len(images) // batch)
  tx = optax.adam(optax.cosine_decay_schedule(rate, steps))

  @jax.jit
  def step(params, state, image, target):
    grad = jax.grad(lambda p: loss(net.apply(p, image.astype(jnp.float32) / 255), target).mean())(params)
    updates, state = tx.update(grad, state)
    return optax.apply_updates(params, updates), state

  state = tx.init(params)
  for _ in range(epochs):
    order = rng.permutation(len(images))
    for start in range(0, len(order) - batch + 1, batch):
      chosen = order[start : start + batch]
      image = np.stack([augment(images[i], rng) for i in chosen])
      params, state = step(params, state, image, targets[chosen])
  return params


def apply(net, params, images):
  run = jax.jit(lambda image: net.apply(params, image.astype(jnp.float32) / 255))
  return np.concatenate([np.asarray(run(images[i : i + 100])) for i in range(0, len(images), 100)])


def mosaic(images, block=8):
  n, grid = len(images), SIDE // block
  means = images.reshape(n, grid, block, grid, block, 3).mean((2, 4)).astype(np.uint8)
  return means.repeat(block, 1).repeat(block, 2)


def blindfold(images):
  # On these crops eyes and brows lie between rows 14 and 32 of 64.
  images = images.copy()
  images[:, 12:33] = 0
  return images


def equal_error_rate(same, weight):
  """The rate at which false acceptances equal false rejections.

  Args:
    same: bool [P], whether a pair shows one person; pairs in order of falling score.
    weight: float [P], how often each pair counts.
  """
  rejected = 1 - np.cumsum(weight * same) / (weight * same).sum()
  accepted = np.cumsum(weight * ~same) / (weight * ~same).sum()
  best = np.argmin(np.abs(rejected - accepted))
  return (rejected[best] + accepted[best]) / 2


def interval(statistic, people, rounds=200):
  """95 % bootstrap interval over people; `statistic` takes how often each of `people` was drawn, float [people]."""
  rng = np.random.default_rng(0)
  draws = [statistic(rng.multinomial(people, np.full(people, 1 / people)).astype(np.float64)) for _ in range(rounds)]
  return np.quantile(draws, (0.025, 0.975)).round(4).tolist()


def found_truly(found, truth):
  """Whether the largest box of `found` overlaps the box `truth` by an intersection over union of at least 0.4."""
  if len(found) == 0:
    return False
  box = max(found, key=lambda box: box[2])
  width = min(box[0] + box[2], truth[0] + truth[2]) - max(box[0], truth[0])
  height = min(box[1] + box[3], truth[1] + truth[3]) - max(box[1], truth[1])
  inner = max(width, 0) * max(height, 0)
  return inner >= 0.4 * (box[2] * box[3] + truth[2] * truth[3] - inner)


def test_synthetic_faces_found():
  """Faces are found."""
  source = synthetic.make(num_people=2000, images_per_person=1, first_person=UNSEEN)
  cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
  loose, strict, label, skin = [], [], [], []
  for index in range(len(source)):
    record = source[index]
    grey = cv2.cvtColor(record.image, cv2.COLOR_RGB2GRAY)
    box = source.landmarks(index)["box"]
    loose.append(found_truly(cascade.detectMultiScale(grey, 1.1, 3), box))
    strict.append(found_truly(cascade.detectMultiScale(grey, 1.1, 5), box))
    label.append(record.label)
    skin.append(source.factors(index)[0].skin[0])
  strict, label, skin = np.array(strict), np.array(label), np.array(skin)
  print(f"n = {len(strict)}: minNeighbors 3 {np.mean(loose):.4f}, 5 {strict.mean():.4f}")
  print({name: round(float(strict[label == k].mean()), 3) for k, name in enumerate(types.EXPRESSIONS)})
  thirds = np.quantile(skin, (1 / 3, 2 / 3))
  print("darkest to lightest third of skin:", [float(strict[np.digitize(skin, thirds) == k].mean()) for k in range(3)])
  assert strict.mean() >= 0.95


def test_synthetic_expressions_unseen_people():
  """Expressions of unseen people."""
  images, labels, _ = crops(synthetic.make(num_people=500, images_per_person=7))
  test, truth, people = crops(synthetic.make(num_people=200, images_per_person=7, first_person=UNSEEN))
  net = Trunk(7)
  loss = optax.softmax_cross_entropy_with_integer_labels
  params = fit(net, loss, images, labels, epochs=8)

  def accuracy(pictures):
    return float((apply(net, params, pictures).argmax(-1) == truth).mean())

  clear, pixelated, covered = accuracy(test), accuracy(mosaic(test)), accuracy(blindfold(test))
  answers = apply(net, params, test).argmax(-1)
  right = answers == truth
  between = interval(lambda times: np.average(right, weights=times[people]), 200)
  confusion = np.zeros((7, 7), int)
  np.add.at(confusion, (truth, answers), 1)
  print(f"n = {len(test)}: clear {clear:.4f} {between}, mosaic {pixelated:.4f}, blindfold {covered:.4f}\n{confusion}")
  assert clear >= 0.95
  # Chance is 1/7; a task that a mosaic or a blindfold leaves untouched would measure nothing.
  assert pixelated <= clear - 0.05
  assert covered <= clear - 0.05


def test_synthetic_identities_unseen_people():
  """Identities of unseen people."""
  images, _, identities = crops(synthetic.make(num_people=400, images_per_person=8))
  test, _, truth = crops(synthetic.make(num_people=150, images_per_person=6, first_person=UNSEEN))

  class Margin(nn.Module):
    """Cosines to one direction per person [B, 400], and the embedding they come from."""

    @nn.compact
    def __call__(self, image, embed=False):
      z = Trunk(96)(image)
      z = z / jnp.linalg.norm(z, axis=-1, keepdims=True)
      if embed:
        return z
      w = self.param("directions", nn.initializers.normal(), (96, 400))
      return z @ (w / jnp.linalg.norm(w, axis=0))

  def loss(cosine, target):  # additive margin 0.2 at scale 16 (Wang et al. 2018)
    margin = 0.2 * jax.nn.one_hot(target, 400)
    return optax.softmax_cross_entropy_with_integer_labels(16 * (cosine - margin), target)

  params = fit(Margin(), loss, images, identities, epochs=16, batch=64)
  embed = jax.jit(lambda image: Margin().apply(params, image.astype(jnp.float32) / 255, embed=True))
  z = np.concatenate([np.asarray(embed(test[i : i + 100])) for i in range(0, len(test), 100)])
  first, second = np.triu_indices(len(test), 1)
  order = np.argsort(-(z @ z.T)[first, second])
  first, second = truth[first[order]], truth[second[order]]
  same = first == second

  def weighted(times):
    return equal_error_rate(same, times[first] * np.where(same, 1, times[second]))

  rate = weighted(np.ones(150))
  print(f"EER {rate:.4f} {interval(weighted, 150)}, {same.sum()} pairs of one person, {(~same).sum()} pairs of two")
  assert rate <= 0.05
