"""How time and memory of the step and of the search grow with the codebook, the picture and the batch."""

import numpy as np

from qm_vae.bench import memory, search, timing, train_step, workload

SIZES = {
  "num_codes": (128, 512, 2048, 8192, 32768),
  "image_size": (32, 64, 96, 128, 192),
  "batch_size": (8, 16, 32, 64, 128),
}
"""What is tried of each while the others stay as they are."""
_SEARCHED = 8192  # encodings, those of 32 faces of 64 x 64 pixels
_LINEAR = 0.15  # how far an exponent may lie from 1 and be called linear


def measure(setting: workload.Setting, rounds: int, say=print) -> list[dict]:
  """One row for each size: milliseconds of the step, its temporary memory, and for codes those of the search."""
  rows = []
  for axis, values in SIZES.items():
    for value in values:
      load = workload.make(setting._replace(**{axis: value}))
      step, program, arguments = train_step.stepper(load)
      row = {"axis": axis, "value": value, "temporary_mbyte": memory.planned(program, arguments)["temporary_mbyte"]}
      row |= timing.summary(timing.in_turns({"step": step}, rounds)["step"])
      if axis == "num_codes":
        found, _, _ = search.timed(_SEARCHED, value, rounds)
        row |= {"search_ms": found["ms"], "search_mbyte": found["temporary_mbyte"]}
      rows.append(row)
      say(f"{axis} {value}: {row['ms']:.1f} ms, {row['temporary_mbyte']:.0f} MB")
  return rows


def growth(values, costs) -> tuple[float, str]:
  """(exponent, name) of the power that fits costs over values best, over the larger half of the values.

  Small sizes show what any call costs; the larger half shows what grows.
  """
  keep = len(values) // 2
  exponent = float(np.polyfit(np.log(values[keep:]), np.log(costs[keep:]), 1)[0])
  if abs(exponent - 1) <= _LINEAR:
    return exponent, "linear"
  if abs(exponent - 2) <= 2 * _LINEAR:
    return exponent, "quadratic"
  if exponent < _LINEAR:
    return exponent, "none"
  return exponent, "less than linear" if exponent < 1 else "more than linear"


def table(rows: list[dict]) -> str:
  """The rows as Markdown, one table for each axis, with the growth below it."""
  lines = []
  for axis in SIZES:
    own = [row for row in rows if row["axis"] == axis]
    columns = {"ms": "step, ms", "temporary_mbyte": "its memory, MB"}
    if axis == "num_codes":
      columns |= {"search_ms": "search, ms", "search_mbyte": "its memory, MB"}
    lines += [f"| {axis} | " + " | ".join(columns.values()) + " |", "|---" * (1 + len(columns)) + "|"]
    for row in own:
      lines.append(f"| {row['value']} | " + " | ".join(f"{row[key]:.1f}" for key in columns) + " |")
    grows = (growth([row["value"] for row in own], [row[key] for row in own]) for key in columns)
    lines += ["| growth | " + " | ".join(f"{name} (power {power:.2f})" for power, name in grows) + " |", ""]
  return "\n".join(lines)
