"""What a shop acts on: roll-ups of labels per product."""
