"""Datasets: FER2013, CelebA's lists, a CSV beside pictures, and what tensorflow-datasets prepared."""

import importlib

import numpy as np

from hostile.spoiling import any_below, any_file, cached, npz_file
from hostile.verdicts import Kind


def _fer_npz(folder):
  x = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)
  classes = np.array(["angry", "happy", "sad"])
  np.savez(folder / "fer.npz", Training_x=x, Training_y=np.arange(4) % 3, classes=classes)


def _fer_csv(folder):
  pixels = " ".join(["7"] * 2304)
  rows = "".join(f"{i},{pixels},Training\n" for i in range(4))
  (folder / "fer.csv").write_text(f"emotion,pixels,Usage\n{rows}")


def _read_fer(name):
  def read(folder):
    from qm_vae.data import fer2013

    return fer2013.make(path=str(folder / name))[0]

  return read


def _celeba(folder):
  from PIL import Image

  (folder / "img_align_celeba").mkdir()
  for i in range(1, 4):
    Image.new("RGB", (20, 20)).save(folder / f"img_align_celeba/{i:06}.jpg")
  names = [f"{i:06}.jpg" for i in range(1, 4)]
  (folder / "identity_CelebA.txt").write_text("".join(f"{name} {i}\n" for i, name in enumerate(names)))
  (folder / "list_eval_partition.txt").write_text("".join(f"{name} 0\n" for name in names))
  rows = "".join(f"{name} 1 -1\n" for name in names)
  (folder / "list_attr_celeba.txt").write_text(f"3\nSmiling Young\n{rows}")


def _celeba_csv(folder):
  _celeba(folder)
  (folder / "identity_CelebA.txt").unlink()
  (folder / "list_attr_celeba.txt").unlink()
  (folder / "labels.csv").write_text("image,identity\n000001.jpg,1\n000002.jpg,2\n000003.jpg,2\n")
  (folder / "attributes.csv").write_text("image,Smiling,Young\n000001.jpg,1,-1\n000002.jpg,-1,1\n000003.jpg,1,1\n")


def _read_celeba(folder):
  from qm_vae.data import celeba_folder

  celeba_folder.make(root=str(folder), partition="train")


def _csv(folder):
  from PIL import Image

  for i in range(3):
    Image.new("RGB", (20, 20)).save(folder / f"{i}.png")
  (folder / "people.csv").write_text("image,identity,expression\n0.png,a,happy\n1.png,a,\n2.png,,sad\n")


def _spoil_csv(rng, folder):
  path = folder / "people.csv"
  (folder.parent / "outside.png").write_bytes((folder / "0.png").read_bytes())
  if rng.random() < 0.3:
    outside = rng.choice(("../outside.png", "/etc/passwd", str(folder.parent / "outside.png"), "./../outside.png"))
    path.write_text(path.read_text().replace("1.png", outside))
    return "people.csv"
  return any_file("people.csv")(rng, folder)


def _read_csv(folder):
  from qm_vae.data import folder as source

  made = source.make(root=str(folder), csv=str(folder / "people.csv"))
  outside = [name for name in made.names if not (folder / name).resolve().is_relative_to(folder.resolve())]
  if outside:
    raise AssertionError(f"files outside the root were taken: {outside}")
  return made.fingerprint


def _tfds(name):
  def write(folder):
    import fabricated_tfds

    fabricated_tfds.prepare(name, folder)

  return cached(write)


def _read_tfds(module):
  def read(folder):
    source = importlib.import_module(f"qm_vae.data.{module}").make(data_dir=str(folder))
    return [source[i] for i in range(len(source))]

  return read


def _pictures_folder(folder):
  from PIL import Image

  for i in range(3):
    (folder / str(i % 2)).mkdir(exist_ok=True)
    Image.new("RGB", (20, 20), (i, 0, 0)).save(folder / f"{i % 2}/{i}.png")


def _read_pictures_folder(folder):
  from qm_vae.data import folder as source

  made = source.make(root=str(folder))
  return [made[i] for i in range(len(made))]


KINDS = {
  "FER2013 npz": Kind(_fer_npz, npz_file("fer.npz"), _read_fer("fer.npz"), apart=True),
  "FER2013 CSV": Kind(_fer_csv, any_file("fer.csv"), _read_fer("fer.csv")),
  "CelebA lists": Kind(
    _celeba, any_file("identity_CelebA.txt", "list_eval_partition.txt", "list_attr_celeba.txt"), _read_celeba
  ),
  "CelebA CSV": Kind(_celeba_csv, any_file("labels.csv", "attributes.csv"), _read_celeba),
  "folder's CSV": Kind(_csv, _spoil_csv, _read_csv),
  "folder of pictures": Kind(_pictures_folder, any_below, _read_pictures_folder),
  "array_record, CelebA": Kind(_tfds("celeb_a"), any_below, _read_tfds("celeb_a"), apart=True),
  "array_record, LFW": Kind(_tfds("lfw"), any_below, _read_tfds("lfw"), apart=True),
}
"""By name."""
