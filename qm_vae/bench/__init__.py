"""How fast this machine does what QM-VAE needs, and how far that is from what the machine could do."""
