"""Tests the votes of each labelling function."""

import pytest

from reviewgen_spark.config import WeakLabelsSection
from reviewgen_spark.errors import MissingExtraError
from reviewgen_spark.text.opinions import labelling_functions as module
from reviewgen_spark.text.opinions.labelling_functions import Ballot, Voters, check_voters
from reviewgen_spark.transforms.dictionaries import driver_dictionaries

ALL = WeakLabelsSection(voters=("lexicon", "rating", "vader", "textblob", "snownlp"))


@pytest.fixture(scope="module")
def voters() -> Voters:
    return Voters(ALL, driver_dictionaries())


@pytest.mark.parametrize(
    ("ballot", "votes"),
    [
        (Ballot("", [], "other", 5), {"rating": "positive"}),
        (Ballot(None, [], None, 3), {}),
        (Ballot(None, [], None, None), {}),
        (Ballot("A table.", ["A", "table", "."], "en", 2), {"rating": "negative"}),
        (
            Ballot("I love it, great quality!", ["I", "love", "it", ",", "great", "quality", "!"], "en", 1),
            {"lexicon": "positive", "vader": "positive", "textblob": "positive", "rating": "negative"},
        ),
    ],
)
def test_each_voter_votes_or_abstains(voters: Voters, ballot: Ballot, votes: dict[str, str]) -> None:
    assert voters.votes(ballot) == votes


def test_snownlp_votes_on_chinese_only(voters: Voters) -> None:
    votes = voters.votes(
        Ballot("东西很差，非常失望，再也不买了", ["东西", "很差", "，", "非常", "失望"], "zh-hans", None)
    )
    assert votes == {"lexicon": "negative", "snownlp": "negative"}


def test_the_lexicon_abstains_below_its_minimum_score() -> None:
    strict = Voters(WeakLabelsSection(voters=("lexicon",), lexicon_min_score=1.0), driver_dictionaries())
    assert strict.votes(Ballot("很好", ["很好"], "zh-hans", None)) == {}


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module._MODULES, "vader", "no_such_module")
    with pytest.raises(MissingExtraError, match=r"weak_labels.voters: vader: not installed; run pip install"):
        check_voters(ALL)
    check_voters(WeakLabelsSection(voters=("lexicon",)))
