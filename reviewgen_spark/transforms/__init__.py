"""DataFrame in, DataFrame out: the Spark side of each stage; no torch, no reading or writing of tables."""
