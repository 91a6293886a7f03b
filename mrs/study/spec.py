"""What one run is, and the key under which its record lies in the store."""

from dataclasses import dataclass
from typing import Any

from mrs.data.dataset import Dataset
from mrs.errors import InputError
from mrs.files import Digests, values_digest
from mrs.published.deviations import backbone_of
from mrs.published.deviations.evaluation import COLD_K
from mrs.recommenders import Recommender

SCENARIOS = ("hot", "cold")
# Parts of the cold truth by what is known of the track's artist, on the same candidates.
SLICES = ("cold/discovery", "cold/exploit", "cold/unknown_artist")
METRICS = ("hitrate", "recall", "ndcg", "precision", "mrr", "map")
PRIMARY = {"hot": "ndcg@50", "cold": "ndcg@20"}
DEFAULT_K = (10, 20, 50)
EVALUATION_VERSION = 1  # raised when ranking, metrics or candidates change


def whole(scenario: str) -> str:
    """The scenario that a slice is a part of; "hot" and "cold" are wholes."""
    return scenario.split("/")[0]


def file_name(scenario: str) -> str:
    """The scenario in the names of files, which hold no slash."""
    return scenario.replace("/", "-")


@dataclass(frozen=True)
class RunSpec:
    """One run evaluated in one scenario: everything that decides its digits except the data.

    `backend` is None for a recommender that reads no vectors. `seed` seeds the fit and, where
    `shuffled`, the permutation of the vectors. `k` are the list lengths of the metrics.
    """

    dataset: str
    split: str
    recommender: Recommender
    backend: str | None
    scenario: str
    seed: int = 0
    shuffled: bool = False
    k: tuple[int, ...] = DEFAULT_K

    @property
    def settings(self) -> dict[str, Any]:
        """All hyper-parameters by name, in alphabetical order."""
        return dict(sorted(self.recommender.settings().items()))

    def identity(self) -> dict[str, Any]:
        """The plain values that identify the run: its key and its name in archives hash them."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "recommender": self.recommender.name,
            "settings": tuple(self.settings.items()),
            "backend": self.backend,
            "scenario": self.scenario,
            "seed": self.seed,
            "shuffled": self.shuffled,
            "k": self.k,
            "protocol": self.recommender.protocol,
        }

    @property
    def fit(self) -> tuple:
        """The values that identify the fit, equal for all runs that share it.

        One fit serves all scenarios, list lengths and recommenders of one family.
        """
        family = self.recommender.family or self.recommender.name
        shared = self.identity() | {"recommender": family, "scenario": "", "k": ()}
        return tuple(shared.values())

    def command(self) -> str:
        """The command that repeats the run."""
        recommender = self.recommender
        words = ["python -m mrs run", f"--dataset {self.dataset}", f"--split {self.split}"]
        words += [f"--backend {self.backend}"] if self.backend else []
        words += [f"--recommender {recommender.name}", f"--scenario {self.scenario}"]
        words += [f"--seed {self.seed}"] if self.seed else []
        words += ["--shuffled"] if self.shuffled else []
        if recommender.deviations:
            words.append(f"--protocol {recommender.protocol}")
        defaults = type(recommender)().settings()
        words += [f"--set {n}={_plain(v)}" for n, v in self.settings.items() if v != defaults[n]]
        words += ["--k " + ",".join(map(str, self.k))] if self.k != DEFAULT_K else []
        return " ".join(words)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def check_k(k: list[int] | tuple[int, ...]) -> tuple[int, ...]:
    """List lengths in ascending order. Raises `InputError` for none or one below 1."""
    if not k or any(value < 1 for value in k):
        raise InputError(f"k={','.join(map(str, k)) or 'none'}: list lengths must be 1 or more")
    return tuple(sorted(set(k)))


def check_scenario(recommender: Recommender, scenario: str) -> None:
    """Raise `InputError` for an unknown scenario or one that the recommender cannot answer."""
    known = (*SCENARIOS, *SLICES)
    if scenario not in known:
        raise InputError(f"scenario {scenario!r} is unknown; choose one of {', '.join(known)}")
    if whole(scenario) not in recommender.scenarios:
        raise InputError(
            f"recommender {recommender.name} cannot answer the {whole(scenario)} scenario, "
            f"only {', '.join(recommender.scenarios)}; choose that or another recommender"
        )


def make_spec(
    dataset: Dataset,
    *,
    recommender: Recommender,
    scenario: str,
    backend: str | None = None,
    split: str | None = None,
    seed: int = 0,
    shuffled: bool = False,
    k: list[int] | tuple[int, ...] = DEFAULT_K,
) -> RunSpec:
    """Check a request against the dataset and put it in its normal form.

    The normal form has no backend for a recommender that reads no vectors and seed 0 for a run
    that draws nothing. Its `k` are those that the protocol reports. Raises `InputError`.
    """
    check_scenario(recommender, scenario)
    lengths = check_k(k)
    if whole(scenario) == "cold" and "cold_k" in recommender.deviations:
        lengths = check_k((*lengths, *COLD_K))
    if seed < 0:
        raise InputError(f"seed {seed}: must be 0 or more")
    name, needs = recommender.name, recommender.needs
    if "vectors" in needs:
        if backend is None:
            known = ", ".join(dataset.backends()) or "none"
            raise InputError(
                f"recommender {name} reads vectors: name a backend of {dataset.folder} ({known})"
            )
        dataset.card(backend)
    else:
        if shuffled:
            raise InputError(f"recommender {name} reads no vectors: nothing to shuffle")
        backend = None
    if (scenario in SLICES or "artists" in needs) and not dataset.knows_artists:
        what = f"scenario {scenario}" if scenario in SLICES else f"recommender {name}"
        raise InputError(
            f"{what} needs each track's artist: add a column artist_id to "
            f"{dataset.folder / 'tracks.parquet'}"
        )
    if "truth" in needs and dataset.truth(name) is None:
        raise InputError(
            f"recommender {name} needs a known truth, which {dataset.folder} does not hold; "
            "only the generated world has one"
        )
    return RunSpec(
        dataset=dataset.spec,
        split=dataset.split_name(split),
        recommender=recommender,
        backend=backend,
        scenario=scenario,
        seed=seed if recommender.stochastic or shuffled else 0,
        shuffled=shuffled,
        k=lengths,
    )


def versions_of(recommender: Recommender) -> dict[str, Any]:
    """The versions of everything that computes a recommender's runs."""
    values: dict[str, Any] = {"versions": [EVALUATION_VERSION, recommender.version]}
    if recommender.deviations:
        from mrs.published.deviations.registry import DEVIATIONS  # imports every recommender

        values["deviations"] = {name: DEVIATIONS[name].version for name in recommender.deviations}
    if "backbone" in recommender.needs:
        values["backbone_version"] = backbone_of(recommender).version
    return values


def run_key(spec: RunSpec, dataset: Dataset, digests: Digests) -> str:
    """The key of a run: a hash of its identity, its inputs' content and all versions."""
    recommender = spec.recommender
    values = spec.identity() | {
        "dataset": dataset.name,
        "split_content": dataset.split_digest(spec.split, digests),
    }
    values |= versions_of(recommender)
    if not dataset.generated:
        values["listeners"] = "rows"  # records from before kept the ids of the data
    if recommender.stops_on_cold and dataset.validates_cold(spec.split):
        values["stopped_by"] = "cold validation"  # records from before may know hot validation
    if spec.backend:
        values["vectors"] = dataset.vector_digest(spec.backend, digests)
    if "truth" in recommender.needs:
        values["truth"] = dataset.truth_digest(recommender.name, digests)
    return values_digest(values)[:20]
