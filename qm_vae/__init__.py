"""QM-VAE: hide who a face is, keep what a service reads from it, and measure both."""

__version__ = "0.1.0"
