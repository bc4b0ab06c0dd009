r"""Judges a trained QM-VAE on its test faces and writes the report.

  python -m qm_vae.evaluate --workdir=runs/alpha04

Writes WORKDIR/report.json, evaluation.npz, report.html and figures/. The last checkpoint is judged, never one chosen by
a number that is then reported.
"""

import argparse
import datetime
import json
import pathlib

import ml_collections
import numpy as np

from qm_vae.deidentifiers import baselines
from qm_vae.evaluate import end_to_end as pipeline
from qm_vae.evaluate import outputs
from qm_vae.evaluate import privacy as evaluate_privacy
from qm_vae.evaluate import run_info as evaluate_setting
from qm_vae.experiments import provenance, run
from qm_vae.experiments.deidentifiers import deidentifier
from qm_vae.faces import cropping as faces
from qm_vae.io import cache, progress
from qm_vae.io import cache as compilation_cache
from qm_vae.io import records as writer
from qm_vae.io import workdir as workdir_files
from qm_vae.io.environment import environment
from qm_vae.metrics import images as metrics
from qm_vae.metrics import utility
from qm_vae.registry import Registry
from qm_vae.report import page

SCHEMA = 1
CONTROLS = ("identity", "blank")
EVALUATIONS = Registry(
  "evaluated task", {"qm_vae": "qm_vae.evaluate.qm_vae:of_qm_vae", "black_box": "qm_vae.evaluate.black_box:of_run"}
)
"""Each is (config, workdir, command) -> report."""

_EXAMPLES_PER_ANSWER = 2


def evaluate(workdir: str | pathlib.Path, command: str) -> dict:
  """Evaluates the run in `workdir` and writes its report.

  Args:
    workdir: folder of a finished run of a task in EVALUATIONS.
    command: what the report names as its origin.

  Returns:
    The report, as written to report.json (its form is in docs/report.md).

  Raises:
    ValueError: when the folder holds no such run, or one that is not finished.
  """
  with workdir_files.locked(pathlib.Path(workdir)):
    return _evaluate(pathlib.Path(workdir), command)


def _evaluate(workdir, command):
  config = workdir_files.load_config(workdir)
  if config.task not in EVALUATIONS:
    raise ValueError(
      f"{workdir} holds a run of task {config.task!r}; a report is made for {', '.join(EVALUATIONS)} alone"
    )
  return EVALUATIONS[config.task](config, workdir, command)


def of_qm_vae(config: ml_collections.ConfigDict, workdir: pathlib.Path, command: str) -> dict:
  """The evaluation of a run whose service is in the graph; see `evaluate`."""
  experiment, state = run.restore(config, workdir)
  test, parts = experiment.data.test, experiment.parts
  controls = {name: deidentifier(config, name, experiment.data.train) for name in CONTROLS} | parts.baselines
  made = outputs.make(experiment, state, controls, test)
  answer = outputs.Answers(parts, experiment.frozen)
  originals = answer(test.image)
  by_method = {name: answer(image) for name, image in made.images.items()}
  truth = originals["service"].argmax(-1)
  settings = faces.Settings(image_size=test.image.shape[1], **config.data.faces.to_dict())
  methods = []
  with progress.bar(len(made.images), "judge", "method") as bar:
    for name, image in made.images.items():
      methods.append(
        {"name": name, "kind": kind_of(name, parts), "options": _options(config, name)}
        | utility.utility(test, truth, originals, by_method[name], parts.service.classes)
        | utility.fidelity(test, image)
        | pipeline.measure(settings, experiment.data, image, truth, answer)
      )
      bar.update()
  qm_vae = methods[-1]
  constant = utility.constant_answer(test, truth)
  report = {
    "version": SCHEMA,
    "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "command": command,
    "config": config.to_dict(),
    "environment": environment(),
    "data": evaluate_setting.faces(config, experiment.data),
    "service": evaluate_setting.network("service", config.service, originals["service"], test, parts.service.classes)
    | {
      "constant_answer": constant,
      "answers": {c: int((truth == i).sum()) for i, c in enumerate(parts.service.classes)},
    },
    "judges": [
      evaluate_setting.network(name, config.judges[name], originals[name], test, parts.service.classes)
      | {"agreement_on_originals": utility.rate(originals[name].argmax(-1) == truth, test)}
      for name in parts.judges
    ],
    "controls": utility.controls(methods, constant, test),
    "noise_floor": utility.noise_floor(test, truth, answer),
    "methods": methods,
    "judged_expressions": utility.judged_expressions(test, truth, by_method["qm_vae"], parts.service.classes),
    "gap": utility.gap(test, truth, by_method["qm_vae"], qm_vae["judges"]),
    "codebook": {
      "codes": len(made.code_counts),
      "used": float(metrics.share_used(made.code_counts)),
      "perplexity": float(metrics.perplexity(made.code_counts)),
    },
    "curve": evaluate_setting.curve(workdir, int(state.step)),
    "training": evaluate_setting.training(config, workdir, int(state.step)),
    "provenance": provenance.digests(config, experiment),
  }
  if parts.generator.condition != "none" and config.release.mechanism != "k_same":  # which answers for groups
    report["asked"] = outputs.asked(experiment, state, test, answer)
  report |= evaluate_privacy.section(config, workdir, experiment, state, controls, kind_of)
  before, after = utility.softmax(originals["service"]), utility.softmax(by_method["qm_vae"]["service"])
  report["probabilities"] = {
    "classes": list(parts.service.classes),
    "mean_difference": (after - before).mean(0).tolist(),
    "std_difference": (after - before).std(0).tolist(),
  }
  chosen = np.concatenate([np.flatnonzero(truth == c)[:_EXAMPLES_PER_ANSWER] for c in np.unique(truth)])
  report["examples"] = [_example(i, test, truth, by_method, parts.service.classes) for i in chosen]
  report["case"] = report["examples"][0] | {"views": list(parts.views)}
  arrays = {"original": test.image[chosen], "probabilities_original": before, "probabilities_output": after}
  arrays |= {f"method_{name}": image[chosen] for name, image in made.images.items()}
  arrays |= _case(experiment.data, made, int(chosen[0]))
  _write(workdir, report, arrays)
  page.write(workdir)
  return report


def kind_of(name: str, parts) -> str:
  """What a method is: model, view or control."""
  if name in CONTROLS:
    return "control"
  return "model" if name == "qm_vae" else "view" if name in parts.views else "baseline"


def _options(config, name):
  told, options = (baselines.parsed(name) if name in config.baselines else None) or (name, {})
  return dict(config.deid.get(told, {})) | options


def _example(i, test, truth, by_method, classes):
  answers = {name: classes[logits["service"][i].argmax()] for name, logits in by_method.items()}
  return {
    "name": test.name[i],
    "service_answer_original": classes[truth[i]],
    "service_answer_output": answers.pop("qm_vae"),
    "answers": answers,
  }


def _case(data, made, i):
  frame = data.test_source[int(data.test.index[i])].image
  return {
    "case_frame": frame,
    "case_box": data.test.box[i],
    "case_crop": data.test.image[i],
    "case_views": made.views[i],
    "case_output": made.images["qm_vae"][i],
    "case_pasted": faces.paste(frame, made.images["qm_vae"][i], data.test.box[i]),
  }


def _write(workdir, report, arrays):
  writer.write_arrays(workdir / "evaluation.npz", arrays)
  writer.write_text(workdir / "report.json", json.dumps(report, indent=1, allow_nan=False) + "\n")


def main(arguments: list[str] | None = None) -> None:
  """The command line."""
  parser = argparse.ArgumentParser(
    prog="python -m qm_vae.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--workdir", required=True, help="folder of a finished run")
  parser.add_argument(
    "--ask-services",
    action="store_true",
    help="a run against black boxes: its config.json names functions that are called and addresses that faces are sent "
    "to; say so where you trust that file",
  )
  told = parser.parse_args(arguments)
  workdir = told.workdir
  # Not the cache_dir of the run's config.json: programs are loaded from there and run, and the run may be anybody's.
  compilation_cache.use(cache.user_cache() / "xla")
  try:
    if not told.ask_services and workdir_files.load_config(workdir).task == "black_box":
      raise ValueError(
        f"{workdir} is a run against black boxes, which would be asked as its config.json says; if you trust it, add "
        "--ask-services"
      )
    asking = " --ask-services" * told.ask_services
    evaluate(workdir, command=f"python -m qm_vae.evaluate --workdir={workdir}{asking}")
  except (ValueError, RuntimeError, OSError) as error:
    parser.exit(1, f"error: {error}\n")
  print(f"Report: {pathlib.Path(workdir) / 'report.html'}")


if __name__ == "__main__":
  main()
