"""Formulas: arrays in, plain results out. Nothing here knows of judges, models or stores."""
