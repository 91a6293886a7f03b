from dataclasses import replace

import numpy as np
from recommenders.conformance import checkerboard

from mrs.published.deviations import recommender_of


def test_library_defaults_train_ten_epochs_in_order_and_keep_the_last() -> None:
    split = checkerboard()
    split = replace(split, val=split.hot_test)
    recommender = recommender_of("elsa", {"embedding_size": 4}, "published:library_defaults")
    assert recommender.learning_rate == 0.1
    module = recommender.module(split.matrix, 0)
    batches = replace(recommender, batch_size=5).module(split.matrix, 0).batches(0)
    assert [batch.tolist() for batch in batches] == [[*range(5)], [*range(5, 10)], [10, 11]]
    fitted = recommender.fit(split, seed=0)
    assert [row["epochs trained"] for row in fitted.curve] == [*range(1, 11)]
    optimiser = module.optimiser()
    for epoch in range(10):
        for batch in module.batches(epoch):
            optimiser.zero_grad()
            module.loss(batch).backward()
            optimiser.step()
    np.testing.assert_allclose(fitted.items(), module.items().detach().numpy(), atol=1e-5)
