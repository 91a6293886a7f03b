"""The example of a recommender in CONTRIBUTING.md is code that works."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from recommenders.conformance import checkerboard

from mrs.recommenders.cards import Card

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
IMPORTS = """
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from mrs import FittedFactors, History, Recommender
from mrs.settings import InnerShare
"""


def test_the_example_of_a_recommender_has_a_card_and_fits() -> None:
    code = IMPORTS + re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[0]
    names: dict = {}
    exec(code, names)
    card = Card.model_validate(yaml.safe_load(re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0]))
    recommender = names["ArtistFans"](power="0.5")
    split = checkerboard()
    split = replace(split, artists=np.arange(len(split.tracks)) // 2)
    fitted = recommender.fit(split, seed=0)
    # Tracks of one artist score alike: the root of how many of them the user played.
    scores = fitted.users() @ fitted.items().T
    artist = split.artists[split.warm]
    played = split.matrix.toarray()
    expected = [[np.sqrt(row[artist == one].sum()) for one in artist] for row in played]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert set(card.hyperparameters) == set(card.search) == set(recommender.settings())
