"""Where answers come from: local models, and files of answers that exist."""
