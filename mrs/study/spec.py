"""What one run is, and the key under which its record lies in the store."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from mrs.data.dataset import Dataset
from mrs.data.digests import Digests, of_values
from mrs.errors import InputError
from mrs.published.deviations import deviations_of, recommender_of
from mrs.published.deviations.evaluation import COLD_K
from mrs.recommenders import RECOMMENDERS, make_recommender

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
    """One run evaluated in one scenario: everything that decides its digits but the data.

    `settings` are all of the recommender's hyper-parameters, `backend` is None where it reads no
    vectors, and `seed` draws the fit and, where `shuffled`, the permutation of the vectors.
    `protocol` names deviations of published code that are followed; see
    `mrs.published.deviations`.
    """

    dataset: str
    split: str
    recommender: str
    settings: tuple[tuple[str, Any], ...]
    backend: str | None
    scenario: str
    seed: int = 0
    shuffled: bool = False
    k: tuple[int, ...] = DEFAULT_K
    protocol: str = "corrected"

    @property
    def fit(self) -> "RunSpec":
        """The same for all scenarios, and recommenders of one family, that one fit serves."""
        family = RECOMMENDERS[self.recommender].family or self.recommender
        return replace(self, recommender=family, scenario="", k=())

    def command(self) -> str:
        """The command that makes the run again."""
        words = ["python -m mrs run", f"--dataset {self.dataset}", f"--split {self.split}"]
        words += [f"--backend {self.backend}"] if self.backend else []
        words += [f"--recommender {self.recommender}", f"--scenario {self.scenario}"]
        words += [f"--seed {self.seed}"] if self.seed else []
        words += ["--shuffled"] if self.shuffled else []
        words += [f"--protocol {self.protocol}"] if self.protocol != "corrected" else []
        defaults = recommender_of(self.recommender, {}, self.protocol).settings()
        words += [f"--set {n}={_plain(v)}" for n, v in self.settings if v != defaults[n]]
        words += ["--k " + ",".join(map(str, self.k))] if self.k != DEFAULT_K else []
        return " ".join(words)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def check_k(k: list[int] | tuple[int, ...]) -> tuple[int, ...]:
    """List lengths in ascending order. Raises `InputError` for none or one below 1."""
    if not k or any(value < 1 for value in k):
        raise InputError(f"k={','.join(map(str, k)) or 'none'}: list lengths must be 1 or more")
    return tuple(sorted(set(k)))


def check_names(recommender: str, scenario: str, protocol: str = "corrected") -> None:
    """Raise `InputError` for a name that is unknown or a scenario that cannot be answered."""
    make_recommender(recommender, {})
    known = (*SCENARIOS, *SLICES)
    if scenario not in known:
        raise InputError(f"scenario {scenario!r} is unknown; choose one of {', '.join(known)}")
    deviations_of(recommender, protocol)
    answers = RECOMMENDERS[recommender].scenarios
    if whole(scenario) not in answers:
        raise InputError(
            f"recommender {recommender} cannot answer the {whole(scenario)} scenario, "
            f"only {', '.join(answers)}; choose that or another recommender"
        )


def make_spec(
    dataset: Dataset,
    *,
    recommender: str,
    scenario: str,
    backend: str | None = None,
    settings: dict[str, Any] | None = None,
    split: str | None = None,
    seed: int = 0,
    shuffled: bool = False,
    k: list[int] | tuple[int, ...] = DEFAULT_K,
    protocol: str = "corrected",
) -> RunSpec:
    """Check what was asked for against the dataset and put it in its normal form.

    In it a backend that the recommender does not read is left out, and so is the seed of a run in
    which nothing is drawn; `settings` and `k` are those that the protocol uses. Raises
    `InputError`.
    """
    check_names(recommender, scenario, protocol)
    kind = RECOMMENDERS[recommender]
    full = recommender_of(recommender, settings or {}, protocol).settings()
    lengths = check_k(k)
    chosen = {deviation.name for deviation in deviations_of(recommender, protocol)}
    if whole(scenario) == "cold" and "cold_k" in chosen:
        lengths = check_k((*lengths, *COLD_K))
    if seed < 0:
        raise InputError(f"seed {seed}: must be 0 or more")
    if "vectors" in kind.needs:
        if backend is None:
            known = ", ".join(dataset.backends()) or "none"
            raise InputError(
                f"recommender {recommender} reads vectors: name a backend of {dataset.folder} "
                f"({known})"
            )
        dataset.card(backend)
    else:
        if shuffled:
            raise InputError(f"recommender {recommender} reads no vectors: nothing to shuffle")
        backend = None
    if (scenario in SLICES or "artists" in kind.needs) and not dataset.knows_artists:
        what = f"scenario {scenario}" if scenario in SLICES else f"recommender {recommender}"
        raise InputError(
            f"{what} needs each track's artist: add a column artist_id to "
            f"{dataset.folder / 'tracks.parquet'}"
        )
    if "truth" in kind.needs and dataset.truth(recommender) is None:
        raise InputError(
            f"recommender {recommender} needs a known truth, which {dataset.folder} does not hold; "
            "only the generated world has one"
        )
    return RunSpec(
        dataset=dataset.spec,
        split=dataset.split_name(split),
        recommender=recommender,
        settings=tuple(sorted(full.items())),
        backend=backend,
        scenario=scenario,
        seed=seed if kind.stochastic or shuffled else 0,
        shuffled=shuffled,
        k=lengths,
        protocol=protocol,
    )


def versions_of(spec: RunSpec) -> dict[str, Any]:
    """The versions of everything that computes a run."""
    kind = RECOMMENDERS[spec.recommender]
    values: dict[str, Any] = {"versions": [EVALUATION_VERSION, kind.version]}
    followed = deviations_of(spec.recommender, spec.protocol)
    if followed:
        values["deviations"] = {deviation.name: deviation.version for deviation in followed}
    if "backbone" in kind.needs:
        values["backbone_version"] = RECOMMENDERS[dict(spec.settings)["backbone"]].version
    return values


def run_key(spec: RunSpec, dataset: Dataset, digests: Digests) -> str:
    """The key of a run: a hash of what was asked for, the inputs' content and the versions."""
    values = asdict(spec) | {
        "dataset": dataset.name,
        "split_content": dataset.split_digest(spec.split, digests),
    }
    values |= versions_of(spec)
    if not dataset.generated:
        values["listeners"] = "rows"  # records from before kept the ids of the data
    if RECOMMENDERS[spec.recommender].stops_on_cold and dataset.validates_cold(spec.split):
        values["stopped_by"] = "cold validation"  # records from before may know hot validation
    if spec.backend:
        values["vectors"] = dataset.vector_digest(spec.backend, digests)
    if "truth" in RECOMMENDERS[spec.recommender].needs:
        values["truth"] = dataset.truth_digest(spec.recommender, digests)
    return of_values(values)[:20]
