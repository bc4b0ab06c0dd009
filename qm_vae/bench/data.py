"""The data's way to the step: decoding pictures, finding and cropping faces, and batches on the device."""

import concurrent.futures
import os
import pathlib
import tempfile

import jax
import numpy as np

from qm_vae import types
from qm_vae.bench import floor, timing, workload
from qm_vae.data import batches, folder, synthetic
from qm_vae.faces import cropping, source_crops
from qm_vae.io import images

_PICTURES = 64
_PICTURE_SIDE = 192  # pixels, as CelebA's 218 x 178 have about
_FACES = 1024  # of the set that batches are taken from


def measure(load: workload.Workload, rounds: int, peak: floor.Peak) -> dict:
  """Images per second of each stage; of the batches also the floor. For JSON."""
  size, batch_size = load.setting.image_size, load.setting.batch_size
  repeats = -(-_FACES // batch_size)
  columns = {key: np.concatenate([load.batch[key]] * repeats) for key in load.batch if key != "_mask"}
  examples = types.Table(columns)
  order = batches.epoch_order(len(examples), 0, 0)

  def epoch():
    return [jax.device_put(batch) for batch in batches.batches(examples, order, batch_size, pad=False)]

  found = {}
  with tempfile.TemporaryDirectory() as root:
    paths = _pictures(pathlib.Path(root))
    source, settings = folder.make(root=root), cropping.Settings(image_size=size)

    def decode():
      with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return sum(len(image) for image in pool.map(images.read_image, paths))

    calls = {
      "decode": decode,
      "crop": lambda: source_crops.crop_source(source, settings, show=False).image,
      "batches": epoch,
    }
    counts = {"decode": len(paths), "crop": len(paths), "batches": len(examples)}
    for name, times in timing.in_turns(calls, rounds).items():
      found[name] = timing.summary(times)
      found[name]["images_per_second"] = 1e3 * counts[name] / found[name]["ms"]
  moved = 2.0 * sum(column.nbytes for column in columns.values())  # read once, written once
  found["batches"] |= floor.against(found["batches"]["ms"], floor.Cost(), moved, peak)
  return found


def _pictures(root):
  """Drawn faces as JPEG files."""
  source = synthetic.make(num_people=_PICTURES, images_per_person=1, frame_size=_PICTURE_SIDE)
  paths = [root / f"{i}.jpg" for i in range(_PICTURES)]
  for i, path in enumerate(paths):
    images.write_image(path, source[i].image)
  return paths


def line(found: dict) -> str:
  """One line on it."""
  rates = {name: one["images_per_second"] for name, one in found.items()}
  return (
    f"data: {rates['decode']:.0f} JPEG/s decoded, {rates['crop']:.0f} pictures/s decoded, searched and cropped (once, "
    f"then cached), {rates['batches']:.0f} faces/s batched onto the device, "
    f"{100 * found['batches']['share_of_peak']:.0f} % of the peak"
  )
