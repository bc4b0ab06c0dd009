"""The report of a run: figures and one self-contained page, made from `report.json` and `evaluation.npz` alone."""
