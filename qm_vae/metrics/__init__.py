"""How good a picture or an answer is, and how sure the number: arrays in, numbers out."""
