"""The numbers that the paper prints, for standing beside measured ones.

Source: Qiu et al., Appl. Sci. 2022, 12(14), 6962, Table 2 and Sec. 5.3.
"""

LOSS_RATES = {
  "blindfold": 0.462,
  "mosaic": 0.207,
  "laplace": 0.207,
  "cartoon": 0.465,
  "ugatit": 0.465,
  "amt_gan": 0.395,
  "qm_vae": 0.14,
}
"""Loss rate (Eq. 8 averaged over the test set) by the name of our method."""

HEADLINE = LOSS_RATES["qm_vae"]
"""QM-VAE's loss rate at `ALPHA` after `EPOCHS`."""

ALPHA = 0.4
EPOCHS = 40
TRAIN, TEST = 800, 200
DATASET = "CelebA"

STAND_IN = "no checkpoint was given: the classical cartoon replaces the network"
"""What is said of U-GAT-IT where the classical filter did its work."""

METHOD_NOTES = {
  "mosaic": "8-pixel blocks hide more of a small crop than of a large face",
  "laplace": "the paper prints a scale of 1 grey level; its loss rate fits a scale near 8",
  "cartoon": "a classical filter here, a learned network in the paper",
  "ugatit": "the paper does not name the source of its pre-trained network",
  "amt_gan": "the paper does not say on which faces and against which recognisers its network was trained",
}
"""What differs for one method beyond what differs for the whole run."""


def differences(report):
  """What differs between this run and the paper's, as a list of plain sentences.

  Args:
    report: the content of `report.json`, dict; missing sections are passed over.

  Returns:
    List of str, never empty: the classifier always differs.
  """
  data = report.get("data") or {}
  training = report.get("training") or {}
  found = []
  if data.get("name"):
    train, test = ((data.get(side) or {}).get("n") for side in ("train", "test"))
    counts = f", {train} training and {test} test faces" if train is not None and test is not None else ""
    found.append(f"data: {data['name']}{counts} here; {DATASET}, {TRAIN} and {TEST} in the paper")
  if data.get("image_size"):
    found.append(
      f"face size: crops of {data['image_size']} x {data['image_size']} pixels here; "
      "the paper does not give its own (docs/reproduction.md)"
    )
  name = (report.get("service") or {}).get("architecture")
  found.append(f"classifier: {name or 'the service of this run'} here; the paper's own weights are not published")
  if training.get("alpha") is not None and training["alpha"] != ALPHA:
    found.append(f"alpha: {training['alpha']:g} here; {ALPHA} in the paper")
  if training.get("epochs") is not None and training["epochs"] != EPOCHS:
    found.append(f"epochs: {training['epochs']} here; {EPOCHS} in the paper")
  return found
