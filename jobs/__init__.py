"""Declares one stage in each module. `spark-submit jobs/<stage>.py --env local --set a.b=c` runs it."""
