"""Generated data without a deadline: the first example pays for importing scikit-learn or scipy."""

from hypothesis import settings

settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
