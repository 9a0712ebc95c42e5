"""Resolves the folders of word lists, with hashes of their content."""

from reviewgen_spark.config import Config
from reviewgen_spark.orchestration.stage import Resources, hash_files
from reviewgen_spark.transforms.dictionaries import driver_dictionaries, driver_safety_lists


def dictionaries(config: Config) -> Resources:
    """Resolves the folder of word lists, with the hash of its content."""
    folder = driver_dictionaries()
    return Resources({"dictionaries": hash_files(folder)}, folder)


def safety_lists(config: Config) -> Resources:
    """Resolves the folder of safety lists for generated texts, with the hash of its content."""
    folder = driver_safety_lists()
    return Resources({"safety": hash_files(folder)}, folder)


def word_and_safety_lists(config: Config) -> Resources:
    """Resolves both folders: word lists and safety lists."""
    words, safety = dictionaries(config), safety_lists(config)
    return Resources({**words.hashes, **safety.hashes}, (words.value, safety.value))
