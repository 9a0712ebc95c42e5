"""Writes docs/commands.md from the parser: `python -m reviewgen_spark.cli.reference FILE`. A test compares the two.

The text is built from the actions of the parser. The help of argparse is not used, because it depends on the width of
the terminal and on the Python version.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from reviewgen_spark.cli.command import RUN_EXIT_CODES
from reviewgen_spark.cli.parser import build_parser
from reviewgen_spark.orchestration.job import add_config_options
from reviewgen_spark.pipelines import PIPELINES, purpose_of, stages_of

_HEAD = """# Commands

Generated from `reviewgen_spark/cli/` by `make docs`; do not edit. `reviewgen COMMAND --help` prints the same facts.
In a checkout the command is `.venv/bin/reviewgen`.
"""
_SCRIPTS = """
Each pipeline is also a script for `spark-submit`, and so is each stage:

```sh
spark-submit pipelines/nightly.py --env cluster
spark-submit jobs/clean.py --env cluster --set paths.root=/mnt/reviews
```

`pipelines/<pipeline>.py` takes the options of `reviewgen run`. `jobs/<stage>.py` takes all of them but `--until`.
The exit codes are the same.
"""


def render_commands() -> str:
    """Returns every command with its purpose, arguments, example and exit codes, as Markdown."""
    commands = list(walk(build_parser()))
    overview = "".join(
        f"| [{command.prog}](#{command.prog.replace(' ', '-')}) | {_sentence(command.description)} |\n"
        for command in commands
        if not is_group(command)
    )
    codes = "".join(f"| {code} | {meaning} |\n" for code, meaning in _split_codes(RUN_EXIT_CODES))
    pipelines = "".join(
        f"| `{name}` | {purpose_of(name)} | {', '.join(f'`{stage.name}`' for stage in stages_of(name))} |\n"
        for name in PIPELINES
    )
    return (
        f"{_HEAD}\n| command | purpose |\n|---|---|\n{overview}"
        f"\n## Options of every command\n\n{_table(common_options())}"
        f"\n## Exit codes\n\n| code | meaning |\n|---|---|\n{codes}| 130 | interrupted |\n"
        f"\nThe [runbook](runbook.md) has what to do after each code.\n"
        f"\n## Pipelines\n\n| pipeline | purpose | stages, in order |\n|---|---|---|\n{pipelines}{_SCRIPTS}"
        + "".join(_section(command) for command in commands)
    )


def walk(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yields the parsers below a parser, each group before its sub-commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield command
                yield from walk(command)


def is_group(command: argparse.ArgumentParser) -> bool:
    """Returns whether a command only has sub-commands."""
    return next(walk(command), None) is not None


def common_options() -> list[argparse.Action]:
    """Returns the options that every command has."""
    parser = argparse.ArgumentParser(add_help=False)
    add_config_options(parser)
    return parser._actions


def arguments_of(command: argparse.ArgumentParser) -> list[argparse.Action]:
    """Returns the arguments and options of one command, without the common options; positional ones come first."""
    common = {option for action in common_options() for option in action.option_strings} | {"--help"}
    arguments = [action for action in command._actions if not common & set(action.option_strings)]
    return sorted(arguments, key=lambda action: bool(action.option_strings))


def _section(command: argparse.ArgumentParser) -> str:
    level = "#" * len(command.prog.split())
    heading = f"\n{level} {command.prog}\n\n{_sentence(command.description)}\n"
    if is_group(command):
        return heading
    arguments = arguments_of(command)
    return (
        f"{heading}\n```sh\n{command.get_default('example')}\n```\n"
        + (f"\n{_table(arguments)}" if arguments else "")
        + f"\nExit codes: {command.get_default('exit_codes')}.\n"
    )


def _table(arguments: list[argparse.Action]) -> str:
    rows = "".join(f"| `{_form(action)}` | {_meaning(action)} |\n" for action in arguments)
    return f"| argument | meaning |\n|---|---|\n{rows}"


def _form(action: argparse.Action) -> str:
    """Returns an argument as it is typed: `--rows ROWS`, `--strip`, `FILE`."""
    value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
    return " ".join(part for part in (", ".join(action.option_strings), value) if part)


def _meaning(action: argparse.Action) -> str:
    choices = ": " + ", ".join(f"`{choice}`" for choice in action.choices) if action.choices else ""
    required = "; required" if action.option_strings and action.required else ""
    return f"{action.help}{choices}{required}".replace("|", "\\|")


def _sentence(text: str | None) -> str:
    text = text or ""
    return f"{text[:1].upper()}{text[1:]}."


def _split_codes(codes: str) -> list[tuple[str, str]]:
    """Splits exit codes into codes and meanings.

    >>> _split_codes("0 done, 3 late, or too little, 5 else")
    [('0', 'done'), ('3', 'late, or too little'), ('5', 'else')]
    """
    return re.findall(r"(\d+) (.+?)(?:, (?=\d)|$)", codes)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_commands(), encoding="utf-8")
