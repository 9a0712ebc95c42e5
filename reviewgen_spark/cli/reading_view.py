"""Draws what is read of a text in colour, for people at a terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reviewgen_spark.config.messages import escape_controls

if TYPE_CHECKING:
    from rich.text import Text

    from reviewgen_spark.operations.text_reading import TextReading

_COLOURS = {"positive": "green", "negative": "red", None: "dim"}


def draw_reading(number: int, reading: "TextReading") -> "Text":
    """Returns the lines of one reading.

    Args:
        number: Number of the input line.
        reading: What was read.
    """
    from rich.text import Text

    label = reading.sentiment_label
    lines = Text()
    lines.append(f"{number}  ", style="bold")
    lines.append(f"{label or 'no opinion'} {reading.sentiment_score:+.2f}", style=_COLOURS[label])
    lines.append(f"  {reading.lang_code}\n", style="dim")
    for sentence in reading.sentences:
        lines.append(f"   {escape_controls(sentence)}\n")
    for code, aspect in reading.aspects.items():
        lines.append(f"   {code} {aspect.score:+.2f}\n", style=_COLOURS[aspect.label])
    if reading.content_words:
        lines.append(f"   words   {escape_controls(' '.join(reading.content_words))}\n", style="dim")
    for name, counts in (("masked", reading.pii_counts), ("rules", reading.rules)):
        if counts:
            lines.append(f"   {name:<8}{_counts(counts)}\n", style="yellow")
    if reading.is_injection:
        lines.append("   looks like an instruction to a model\n", style="bold red")
    if reading.text_clean is None:
        lines.append("   nothing is left of the text\n", style="dim")
    return lines


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
