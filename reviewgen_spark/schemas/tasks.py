"""Names of tasks of gold labels."""

ASPECT_TASK = "aspect:"  # and the aspect behind it: a gold label of what a review says of that aspect
