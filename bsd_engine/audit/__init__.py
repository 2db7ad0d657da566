"""Why a sample was flagged, how sure that is, and what follows: from a recorded run alone.

Nothing here but `sealed` and the part of `alarms` that is given it reads which samples are poisoned. Epochs are global and
0-based in arguments and arrays; sentences count them from 1, as the page does. Ranks count from 1.
"""
