"""Names the tasks of gold labels."""

ASPECT_TASK = "aspect:"  # a prefix; the aspect follows, and the gold label is the polarity of that aspect
