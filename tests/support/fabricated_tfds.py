"""Datasets of a few drawn records, prepared as array_record in the form of tensorflow-datasets' own."""

import io

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core import registered

SHAPES = {"celeb_a": (218, 178, 3), "lfw": (250, 250, 3)}
PEOPLE = ("Zoë", "Ann", "Zoë", "Bob")


def _jpeg(shape, value):
  file = io.BytesIO()
  Image.fromarray(np.full(shape, value, np.uint8)).save(file, "JPEG")
  file.seek(0)
  return file


def prepare(name, data_dir, *, first=10, identity=True, file_format="array_record"):
  """Writes <data_dir>/<name>/<version>/; record i is an image of the constant value first + i."""
  features = {"image": tfds.features.Image(shape=SHAPES[name], encoding_format="jpeg")}
  if name == "lfw":
    features["label"] = tfds.features.Text()
  else:
    features["attributes"] = {"Young": np.bool_, "Bald": np.bool_}
  if name == "celeb_a" and identity:
    features["identity"] = {"Identity_No": np.int64}

  def record(i):
    values = {"image": _jpeg(SHAPES[name], first + i)}
    if name == "lfw":
      return values | {"label": PEOPLE[i]}
    values["attributes"] = {"Young": i % 2 == 0, "Bald": i == 3}
    return values | ({"identity": {"Identity_No": 7 + i // 2}} if identity else {})

  with registered.skip_registration():

    class Fabricated(tfds.core.GeneratorBasedBuilder):
      VERSION = tfds.core.Version("2.1.0" if identity else "2.0.1")

      def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

      def _split_generators(self, dl_manager):
        return {"train": ((i, record(i)) for i in range(4))}

      def _generate_examples(self):
        return ()

  Fabricated.name = name
  Fabricated(data_dir=data_dir, file_format=file_format).download_and_prepare()
