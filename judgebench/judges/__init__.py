"""Ways of judging. A module is one way; its ``make`` builds the judge from a suite's words."""
