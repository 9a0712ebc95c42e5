"""Defines the purposes of generated texts, a closed list. No purpose writes as a customer."""

from typing import Literal, get_args

Purpose = Literal["augmentation", "summary", "product_copy", "reply", "draft_for_verified_buyer"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
"""A generated text presented as a customer's review violates 16 CFR 465 and China's e-commerce law, art. 17."""

PER_PRODUCT: frozenset[Purpose] = frozenset({"summary", "product_copy"})
"""Purposes with one text for a product, from many reviews."""

PUBLISHABLE: frozenset[Purpose] = frozenset({"summary", "product_copy", "reply"})
"""Purposes that may be published, always with the visible label. Training data is never published. A draft goes only to
the buyer who requested it, and the buyer decides what to do with it."""
IN_SHOPS_NAME: frozenset[Purpose] = frozenset({"product_copy", "reply"})
"""Purposes that write for the shop. Their texts must not sound like a customer."""
