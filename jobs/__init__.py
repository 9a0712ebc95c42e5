"""One spark-submit entry point a stage: `spark-submit jobs/<stage>.py --env local --set a.b=c`."""
