"""Ways of reading a reply: pure functions of a reply, which they take for data."""
