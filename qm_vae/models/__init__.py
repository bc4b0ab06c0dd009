"""Networks in Flax Linen: arrays in, arrays out."""
