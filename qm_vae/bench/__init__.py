"""How fast this machine does what QM-VAE needs, and how far that is from what the machine could do."""

MEASURES = ("step", "inference", "search", "data", "memory", "startup")
"""What can be measured; program.MEASURES has the code of each."""

MODES = ("published", "one_code")
"""The paper's step, and that of configs/one_code.py."""

PEERS = ("torch", "torch-compile")
"""Twins in another framework; `torch-compile` compiles the twin's networks."""
