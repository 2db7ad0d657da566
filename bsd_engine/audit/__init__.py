"""The audit of a recorded run: why a sample was flagged, how certain that is, and what to do next.

Only `sealed` and `alarms` read which samples are poisoned, if they are given it. Epochs are global and 0-based in
arguments and arrays; sentences count them from 1, as the page does. Ranks count from 1.
"""
