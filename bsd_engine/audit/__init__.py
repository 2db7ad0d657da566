"""Why a sample was flagged, how sure that is, and what follows: from a recorded run alone.

Only `sealed` and `alarms` read which samples are poisoned, where they are given it. Epochs are global and 0-based in
arguments and arrays; sentences count them from 1, as the page does. Ranks count from 1.
"""
