from dataclasses import replace

import numpy as np
import pytest
import torch
from recommenders.conformance import checkerboard, colours

from mrs.published.deviations import recommender_of


def test_held_out_rows_are_reconstructed_from_themselves_by_hand() -> None:
    split = checkerboard()
    split = replace(split, val=split.hot_test)
    recommender = recommender_of(
        "hybrid", {"hidden_size": 4, "batch_size": 5}, "published:self_validation"
    )
    inputs = colours(split.warm, split)
    module = recommender.module(split.matrix, inputs, 0)
    with torch.no_grad():
        ((name, value),) = module.validate(split).items()
        items = module.projection(torch.from_numpy(inputs)).numpy()
    assert name == "minus validation loss"
    users = np.unique(split.val.user)
    distances = []
    for user in users:
        x = np.zeros(len(split.warm))
        x[split.column[split.val.track[split.val.user == user]]] = 1
        output = x @ items @ items.T - x
        unit = output / np.linalg.norm(output)
        distances.append(((unit - x / np.linalg.norm(x)) ** 2).sum())
    parts = [np.mean(distances[start : start + 5]) for start in range(0, len(users), 5)]
    assert value == pytest.approx(-np.mean(parts), abs=1e-5)
    assert module.validate(checkerboard()) == {}
