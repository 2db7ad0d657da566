"""Bi-perspective Splitting Defense: a clean classifier from poisoned data, without clean seeds."""

import os

# Threads that wait for each other spin briefly, then sleep. Read when torch is loaded. While a browser draws on the same
# two cores, an altruistic warm-up epoch of the demo takes 2-3 s so and 6-8 s otherwise; on an idle machine it is the same.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
