"""Who answers questions: one door to the outside world, and the wrappers stacked around it.

A module here that has a ``make`` is a provider, and its name is the provider's name.
"""
