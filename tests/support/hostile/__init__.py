"""Files of every format that is read, ways to damage them, and what a reader may answer to that."""

from hostile import answers, converted, datasets, frozen, media, records, runs, torch_files
from hostile.verdicts import Kind, verdict

KINDS: dict[str, Kind] = {
  **converted.KINDS,
  **torch_files.KINDS,
  **datasets.KINDS,
  **media.KINDS,
  **frozen.KINDS,
  **runs.KINDS,
  **records.KINDS,
  **answers.KINDS,
}
"""Every format by name."""

__all__ = ["KINDS", "Kind", "verdict"]
