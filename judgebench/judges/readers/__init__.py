"""Ways of reading a verdict out of a judge's reply: pure functions, one file a family."""
