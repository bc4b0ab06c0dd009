"""Packs a trained run into one file for `qm_vae.deidentify --method=FILE`: networks, codes, config, provenance.

  python -m qm_vae.export runs/private private.zip
  python -m qm_vae.deidentify clip.mp4 hidden.mp4 --method=private.zip

The file needs neither the run's folder nor its data. If the mode averages faces (warped_mean, aligned_mean), the file
contains these faces: give it only to those who may have them. OUT.md, beside it, is its model card: data and terms,
measured utility and privacy, and who should not be hidden by it.
"""

import argparse
import pathlib
import sys

from qm_vae.errors import InputError


def main(arguments: list[str] | None = None) -> int:
  """Exit status of the program: 0, or 1 where nothing was written."""
  parser = argparse.ArgumentParser(
    "python -m qm_vae.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("run", type=pathlib.Path, metavar="RUN", help="folder of a finished QM-VAE run")
  parser.add_argument("target", type=pathlib.Path, metavar="OUT", help="the file to write, such as private.zip")
  parser.add_argument("--overwrite", action="store_true", help="replace OUT where it exists")
  given = parser.parse_args(arguments)
  beside = given.target.with_name(f"{given.target.name}.md")
  for path in (given.target, beside):
    if path.exists() and not given.overwrite:
      print(f"error: {path} exists; choose another name, or give --overwrite", file=sys.stderr)
      return 1
  # JAX and Orbax take seconds; --help does without.
  from qm_vae.experiments import export_file
  from qm_vae.io import records
  from qm_vae.report import model_card

  run, cards = given.run.expanduser(), []

  def card(config, index, networks):
    cards.append(model_card.of_run(run, given.target.name, config, index, networks))
    return cards[0]

  try:
    index = export_file.write(run, given.target, card)
    records.write_text(beside, cards[0] + model_card.own_digest(given.target))
  except (InputError, OSError) as error:
    print(f"error: {error}", file=sys.stderr)
    return 1
  size = given.target.stat().st_size / 2**20
  print(f"{given.target}: {size:.1f} MiB, {len(index['files'])} files, step {index['step']}")
  print(f"Model card: {beside}")
  print(f"Use it: python -m qm_vae.deidentify IN OUT --method={given.target}")
  return 0


if __name__ == "__main__":
  sys.exit(main())
