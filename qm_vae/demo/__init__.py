"""A page that hides the faces of one picture by several methods, side by side, on this machine alone."""
