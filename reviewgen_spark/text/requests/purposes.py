"""What texts are made for: a closed list. Nothing on it writes as a customer."""

from typing import Literal, get_args

Purpose = Literal["augmentation", "summary", "product_copy", "reply", "draft_for_verified_buyer"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
"""To pass a machine-written text off as a customer's review breaks 16 CFR 465 and China's e-commerce law, art. 17."""

PER_PRODUCT: frozenset[Purpose] = frozenset({"summary", "product_copy"})
"""One text for a product, from many reviews."""

PUBLISHABLE: frozenset[Purpose] = frozenset({"summary", "product_copy", "reply"})
"""May be shown, always with its visible label. Training data may not; a draft goes to the buyer who asked for it alone,
and what becomes of it is the buyer's own doing."""
IN_SHOPS_NAME: frozenset[Purpose] = frozenset({"product_copy", "reply"})
"""Speak for the shop, and so must not sound like somebody who bought there."""
