"""Lists the purposes of generated texts. No other purpose is allowed, and none writes as a customer."""

from typing import Literal, get_args

Purpose = Literal["augmentation", "summary", "product_copy", "reply", "draft_for_verified_buyer"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
"""All purposes. None publishes a text as a customer's review, because 16 CFR 465 and China's e-commerce law, art. 17,
forbid it."""

PER_PRODUCT: frozenset[Purpose] = frozenset({"summary", "product_copy"})
"""Purposes that give one text for a product, from many reviews."""

PUBLISHABLE: frozenset[Purpose] = frozenset({"summary", "product_copy", "reply"})
"""Purposes whose texts may be published, always with the visible label.

Training data is never published. A draft is only for the buyer who requested it, and the buyer decides about it."""

IN_SHOPS_NAME: frozenset[Purpose] = frozenset({"product_copy", "reply"})
"""Purposes whose texts the shop publishes as its own. They must not sound like a customer."""
