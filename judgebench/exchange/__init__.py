"""Files of others in and out: rows to judgments and answers, and back."""
