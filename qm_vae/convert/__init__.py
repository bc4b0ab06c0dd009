r"""Converts a public network's file into a folder that this project loads.

python -m qm_vae.convert keras-expression fer2013_mini_XCEPTION.102-0.66.hdf5 networks/mini_xception
python -m qm_vae.main --config=configs/alpha04.py --config.service.checkpoint=networks/mini_xception

python -m qm_vae.convert faceapi-landmarks face-api/model networks/landmarks
python -m qm_vae.convert torch-mobilefacenet 068.ckpt networks/mobilefacenet
python -m qm_vae.convert tf-ugatit checkpoint/UGATIT_selfie2anime_lsgan_4resblock_6dis_1_1_10_10_1000_sn_smoothing \
    networks/ugatit
python -m qm_vae.convert torch-ugatit results/selfie2anime/model/selfie2anime_params_0100000.pt networks/ugatit
python -m qm_vae.convert torch-amtgan G.pth networks/amt_gan
"""

import argparse
import pathlib
import sys
from typing import NamedTuple

from qm_vae.arguments import Parser
from qm_vae.errors import InputError
from qm_vae.registry import Registry

READERS = Registry(
  "format",
  {
    "keras-expression": "qm_vae.convert.keras:keras_expression",
    "faceapi-landmarks": "qm_vae.convert.faceapi:faceapi_landmarks",
    "torch-mobilefacenet": "qm_vae.convert.torch:torch_mobilefacenet",
    "torch-facenet": "qm_vae.convert.torch_recognisers:torch_facenet",
    "torch-irse50": "qm_vae.convert.torch_recognisers:torch_irse50",
    "torch-ir152": "qm_vae.convert.torch_recognisers:torch_ir152",
    "tf-ugatit": "qm_vae.convert.tf_ugatit:tf_ugatit",
    "torch-ugatit": "qm_vae.convert.torch_generators:torch_ugatit",
    "torch-amtgan": "qm_vae.convert.torch_generators:torch_amtgan",
  },
)
"""Each is (path) -> (meta, variables)."""


class Format(NamedTuple):
  """What to say of a kind of file that can be converted."""

  help: str  # one line
  epilog: str  # where the file comes from and what to do with the folder


FORMATS = {
  "keras-expression": Format(
    "mini_XCEPTION, an expression recogniser saved by Keras as HDF5",
    "The public file is trained_models/emotion_models/fer2013_mini_XCEPTION.102-0.66.hdf5 of the GitHub repository "
    "oarriaga/face_classification (MIT). Give the folder to a run by --config.service.checkpoint=OUT.",
  ),
  "faceapi-landmarks": Format(
    "the 68-point landmark network of face-api.js",
    "The public files are face_landmark_68_model-weights_manifest.json and face_landmark_68_model.bin in model/ of the "
    "npm package @vladmandic/face-api (MIT); IN is the folder that holds both. Give the folder to a program by "
    "--landmarks=OUT.",
  ),
  "torch-mobilefacenet": Format(
    "MobileFaceNet, a face recogniser saved by PyTorch",
    "The public file is model/best/068.ckpt of the GitHub repository Xiaoccer/MobileFaceNet_Pytorch, in which no "
    "licence was found. It is read without PyTorch. Open the folder by qm_vae.embedders.open_embedder(OUT).",
  ),
  "torch-facenet": Format(
    "InceptionResnetV1 of facenet-pytorch, a face recogniser saved by PyTorch",
    "A public file is 20180402-114759-vggface2.pt of the GitHub repository timesler/facenet-pytorch (MIT), or "
    "facenet.pth among AMT-GAN's models. It is read without PyTorch. Give the folder to an attacker by "
    "--config.privacy.embedders, to AMT-GAN by --config.amt_gan.embedders.",
  ),
  "torch-irse50": Format(
    "IR-SE50, a face recogniser saved by PyTorch",
    "irse50.pth among AMT-GAN's models, in the layout of the GitHub repository TreB1eN/InsightFace_Pytorch. It is read "
    "without PyTorch. Give the folder as that of torch-facenet.",
  ),
  "torch-ir152": Format(
    "IR-152, a face recogniser saved by PyTorch",
    "ir152.pth among AMT-GAN's models, in the layout of the GitHub repository ZhaoJ9014/face.evoLVe. It is read "
    "without PyTorch. Give the folder as that of torch-facenet.",
  ),
  "tf-ugatit": Format(
    "U-GAT-IT, a generator of anime pictures saved by TensorFlow 1",
    "The published weights: the checkpoints linked in the README of the GitHub repository taki0112/UGATIT (MIT); IN is "
    "the folder with UGATIT.model-STEP.index and .data-00000-of-00001, or the former. The generator from selfies to "
    "anime is taken. It is read without TensorFlow. Give the folder to a run by --config.deid.ugatit.checkpoint=OUT.",
  ),
  "torch-ugatit": Format(
    "U-GAT-IT, a generator of anime pictures that you trained by PyTorch",
    "A file NAME_params_STEP.pt that the code of the GitHub repository znxlwm/UGATIT-pytorch (MIT) writes, light or "
    "full; it has published none, see tf-ugatit for those of the original. The generator from A to B is taken. It is "
    "read without PyTorch. Give the folder to a run by --config.deid.ugatit.checkpoint=OUT.",
  ),
  "torch-amtgan": Format(
    "AMT-GAN, a generator of adversarial make-up saved by PyTorch",
    "The file G.pth of the GitHub repository CGCL-codes/AMT-GAN (MIT). It is read without PyTorch. Give the folder to "
    "a run by --config.deid.amt_gan.checkpoint=OUT and a made-up face by --config.deid.amt_gan.reference=FILE.",
  ),
}


_GIVES = {
  "landmarks": "68 places of a face",
  "embedder": "embeddings of faces",
  "ugatit": "anime pictures of faces",
  "amt_gan": "made-up faces",
}


def main(argv: list[str] | None = None) -> None:
  """Converts one file, or tells in one line why it cannot."""
  parser = Parser(
    prog="python -m qm_vae.convert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  commands = parser.add_subparsers(dest="format", required=True, metavar="FORMAT")
  for name, one in FORMATS.items():
    command = commands.add_parser(name, help=one.help, description=one.help, epilog=one.epilog)
    command.add_argument("input", metavar="IN", type=pathlib.Path, help="the file to read; nothing in it is executed")
    command.add_argument(
      "output", metavar="OUT", type=pathlib.Path, help="the folder to write; a network in it is replaced"
    )
  arguments = parser.parse_args(argv)
  from qm_vae.io import networks  # --help does not wait for it

  try:
    meta, variables = READERS[arguments.format](arguments.input)
    networks.save(arguments.output, meta, variables)
    del variables  # a gigabyte of a full U-GAT-IT, which is read back next
    meta, _ = networks.load(arguments.output)
  except (InputError, OSError) as error:
    sys.exit(f"error: {error}")
  answers = ", ".join(meta["classes"]) if "classes" in meta else _GIVES[meta["kind"]]
  print(f"{arguments.output}: {meta['architecture']}, {meta['num_params']} parameters, {answers}")
