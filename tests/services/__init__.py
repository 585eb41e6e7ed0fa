"""Real servers and real processes of ours, for the tests: nothing here stands in for anything."""
