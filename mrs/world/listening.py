"""The generated listeners: tastes, sessions, plays, and the probabilities that they follow.

A listener has one to three tastes, each around an artist. P(track | taste) is a softmax over the
catalogue of audible fit + scene fit + what all listeners share; the fits are standardised over the
catalogue, so that the kappas of `Params` read as a budget of variance. A session has one taste and
an anchor track; a play that stays with the anchor's artist or genre is a draw from the same
distribution inside that slice, so that plays follow P(track | taste) exactly and `probability`
gives the truth in closed form.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mrs.world.catalogue import CONTINUOUS, DAYS, TEST_DAYS, TRAIN_DAYS, Catalogue, fifths
from mrs.world.params import Params

# How much listeners care about each continuous trait, about mode and about key. A surrogate's
# profile is drawn without regard to these.
_CARE = dict.fromkeys(CONTINUOUS, 1.0) | {
    "hollow": 0.7,
    "drum_density": 1.2,
    "drum_level": 0.8,
    "register": 0.6,
    "roughness": 1.2,
    "bass": 0.7,
    "arp_rate": 0.8,
    "vibrato": 0.4,
    "bell": 0.7,
    "space": 0.5,
}
_CARE_VECTOR = np.array([_CARE[name] for name in CONTINUOUS])
_MODE_CARE, _KEY_CARE = 0.5, 0.15

_TASTES = ([1, 2, 3], [0.35, 0.40, 0.25])  # number of tastes, its probability
_FAME_DRAW = 0.6  # how much fame helps an artist to become the centre of a taste
_JOINS_LATE, _LEAVES_EARLY = 0.2, 0.2  # shares of listeners with part of the window only
_SHORTEST_STAY = 60  # days
_PLAY_MINUTES = 4
_RECENCY = 0.7  # below 1: a replay tends to a recent play
_USERS_A_BLOCK = 256  # bounds memory: tastes x tracks x a few arrays at a time

_MICROSECONDS = 86_400_000_000


@dataclass(frozen=True)
class Listeners:
    """Listeners [U] and their tastes [K]; `owner[k]` is the listener of taste k, ascending."""

    owner: np.ndarray  # int [K]
    continuous: np.ndarray  # float [K, 13], the centre among the continuous traits
    minor: np.ndarray  # float [K], preferred share of minor keys
    home: np.ndarray  # int [K], preferred key
    scene: np.ndarray  # float [K, n_scenes]
    weight_start: np.ndarray  # float [K], sums to 1 over a listener's tastes
    weight_end: np.ndarray  # float [K], the same at the end of the window
    late: np.ndarray  # bool [U], never touches a track in its first month

    @property
    def first(self) -> np.ndarray:
        """Position of each listener's first taste, and the number of tastes at the end; [U + 1]."""
        return np.searchsorted(self.owner, np.arange(len(self.late) + 1))


def draw_listeners(params: Params, catalogue: Catalogue, rng: np.random.Generator) -> Listeners:
    """Draw listeners and their tastes."""
    counts, shares = _TASTES
    owner = np.repeat(np.arange(params.n_users), rng.choice(counts, params.n_users, p=shares))
    n = len(owner)
    pull = np.exp(_FAME_DRAW * catalogue.artist_fame)
    centre = rng.choice(len(pull), n, p=pull / pull.sum())
    jitter = params.taste_jitter
    log_weight = np.log(rng.gamma(1.5, 1, n) + 1e-3)

    def normalised(log_weights: np.ndarray) -> np.ndarray:
        weight = np.exp(log_weights)
        return weight / np.bincount(owner, weight)[owner]

    return Listeners(
        owner=owner,
        continuous=catalogue.artist_mean[centre] + rng.normal(0, jitter, (n, len(CONTINUOUS))),
        minor=np.clip(catalogue.artist_minor[centre] + rng.normal(0, 0.2, n), 0, 1),
        home=catalogue.artist_home[centre],
        scene=catalogue.artist_scene[centre] + rng.normal(0, jitter, (n, params.n_scenes)),
        weight_start=normalised(log_weight),
        weight_end=normalised(log_weight + rng.normal(0, params.drift, n)),
        late=rng.random(params.n_users) < params.late,
    )


def probability(params: Params, catalogue: Catalogue, listeners: Listeners) -> np.ndarray:
    """What listeners play in the test month: P(track | listener); float32 [U, T], rows sum to 1.

    Exact in the middle of the month but for replays, which repeat what was played before: it knows
    tastes, scene, fame and popularity, on how many days of the month a new track is out, and
    who leaves new tracks alone.
    """
    out_share = np.where(catalogue.new, (DAYS - catalogue.release) / TEST_DAYS, 1.0)
    shared = _softmax(_test_logit(params, catalogue, catalogue.popularity))
    result = np.empty((params.n_users, params.n_tracks), np.float32)
    for users, tastes, logit, _ in _blocks(params, catalogue, listeners):
        mixed = _mix(_softmax(_test_logit(params, catalogue, logit)), listeners, users, tastes)
        mixed = ((1 - params.explore) * mixed + params.explore * shared) * out_share
        mixed[np.ix_(listeners.late[users], catalogue.new)] = 0
        result[users] = mixed / mixed.sum(1, keepdims=True)
    return result


def content_probability(params: Params, catalogue: Catalogue, listeners: Listeners) -> np.ndarray:
    """What sound alone tells of `probability`; float32 [U, T], rows sum to 1.

    Tastes are known, but of a track only its audible fit. Scene goes along with sound to some
    degree, so the audible fit counts as much as the regression of the whole logit on it says.
    """
    products, n = 0.0, 0
    for _, _, logit, audible in _blocks(params, catalogue, listeners):
        products, n = products + float((logit * audible).sum()), n + logit.size
    slope = products / n
    result = np.empty((params.n_users, params.n_tracks), np.float32)
    for users, tastes, _, audible in _blocks(params, catalogue, listeners):
        mixed = _mix(_softmax(slope * audible), listeners, users, tastes)
        result[users] = (1 - params.explore) * mixed + params.explore / params.n_tracks
    return result


def draw_plays(
    params: Params, catalogue: Catalogue, listeners: Listeners, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw all plays: listener int32, track int32, microseconds from the window's start int64.

    Sorted by listener and time. Nobody plays a track before the day of its release.
    """
    user, day, anchor_taste = _sessions(params, listeners, rng)
    length = rng.geometric(1 / params.session_mean, len(user))
    session = np.repeat(np.arange(len(user)), length)
    position = np.arange(len(session)) - np.repeat(np.cumsum(length) - length, length)
    time = day[session] + position * _PLAY_MINUTES / 1440
    track = _tracks(params, catalogue, listeners, (user, day, anchor_taste), session, rng)
    user = user[session]

    late = listeners.late[user] & catalogue.new[track]
    keep = (time >= catalogue.release[track]) & (time < DAYS) & ~catalogue.unheard[track] & ~late
    user, track, time = user[keep], track[keep], time[keep]
    order = np.lexsort((time, user))  # sessions of a listener may overlap
    user, track, time = user[order], track[order], time[order]
    track = track[_replayed(user, params.repeat, rng)]
    stamp = (time * _MICROSECONDS).astype(np.int64)
    return user.astype(np.int32), track.astype(np.int32), stamp


def _sessions(
    params: Params, listeners: Listeners, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Listener, start (in days, by listener) and taste of each session."""
    n = params.n_users
    plays = params.plays_median * np.exp(rng.normal(0, params.plays_sigma, n))
    join = np.where(rng.random(n) < _JOINS_LATE, rng.uniform(0, 250, n), 0.0)
    stay_until = rng.uniform(join + _SHORTEST_STAY, DAYS)
    leave = np.where(rng.random(n) < _LEAVES_EARLY, stay_until, DAYS)
    count = rng.poisson(plays / params.session_mean / 365 * (leave - join)) + 1
    user = np.repeat(np.arange(n), count)
    hour = rng.normal(19, 4, len(user)) % 24
    day = np.floor(rng.uniform(join[user], leave[user])) + hour / 24

    # The weights of tastes drift over the window; draw by inverting their running sum.
    first, share = listeners.first, day / DAYS
    target, total = rng.random(len(user)), np.zeros(len(user))
    taste = first[user]
    for step in range(max(_TASTES[0]) - 1):
        at = np.minimum(first[user] + step, first[user + 1] - 1)
        total += (1 - share) * listeners.weight_start[at] + share * listeners.weight_end[at]
        taste += (total < target) & (first[user] + step + 1 < first[user + 1])
    return user, day, taste


def _tracks(
    params: Params,
    catalogue: Catalogue,
    listeners: Listeners,
    sessions: tuple[np.ndarray, np.ndarray, np.ndarray],
    session: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the track of each play; `session` is the session of each play, ascending."""
    user, day, taste = sessions
    n_tracks = params.n_tracks
    # Ordered by genre and artist, a slice of one cumulative distribution is an artist or a genre.
    order = np.lexsort((catalogue.artist, catalogue.genre))
    artist, genre = catalogue.artist[order], catalogue.genre[order]
    artist_start, artist_stop = _slices(artist, params.n_artists)
    genre_start, genre_stop = _slices(genre, params.n_genres)
    test = day >= TRAIN_DAYS
    anchor_at, at = rng.random(len(user)), rng.random(len(session))
    kind, explores = rng.random(len(session)), rng.random(len(session)) < params.explore
    result = np.empty(len(session), np.int64)

    def cumulative(logit: np.ndarray) -> np.ndarray:
        """Of each row in the train year, then of each row in the test month; [2 rows, T + 1]."""
        train = np.where(catalogue.cold, -np.inf, logit)
        both = [train, _test_logit(params, catalogue, logit)]
        probabilities = _softmax(np.concatenate(both)[:, order])
        return np.pad(np.cumsum(probabilities, 1), ((0, 0), (1, 0)))

    for users, tastes, logit, _ in _blocks(params, catalogue, listeners):
        table = cumulative(logit)
        s = slice(*np.searchsorted(user, [users.start, users.stop]))
        row = taste[s] - tastes.start + test[s] * len(logit)
        anchor = _invert(table, row, anchor_at[s])
        p = slice(*np.searchsorted(session, [s.start, s.stop]))
        row, anchor = row[session[p] - s.start], anchor[session[p] - s.start]
        stays = kind[p] < params.same_artist
        near = ~stays & (kind[p] < params.same_artist + params.same_genre)
        a, g = artist[anchor], genre[anchor]
        start = np.where(stays, artist_start[a], np.where(near, genre_start[g], 0))
        stop = np.where(stays, artist_stop[a], np.where(near, genre_stop[g], n_tracks))
        low, high = table[row, start], table[row, stop]
        drawn = _invert(table, row, low + at[p] * (high - low))
        result[p] = np.clip(drawn, start, stop - 1)

    shared = cumulative(catalogue.popularity[None])
    result[explores] = _invert(shared, test[session[explores]].astype(np.int64), at[explores])
    return order[result]


def _replayed(user: np.ndarray, repeat: float, rng: np.random.Generator) -> np.ndarray:
    """Index of the play whose track each play has: itself, or an earlier one of its listener."""
    n = len(user)
    itself = np.arange(n)
    start = np.searchsorted(user, user)
    before = itself - start
    replays = (rng.random(n) < repeat) & (before > 0)
    earlier = start + (rng.random(n) ** _RECENCY * before).astype(np.int64)
    source = np.where(replays, earlier, itself)
    while not np.array_equal(further := source[source], source):
        source = further
    return source


def _blocks(
    params: Params, catalogue: Catalogue, listeners: Listeners
) -> Iterator[tuple[slice, slice, np.ndarray, np.ndarray]]:
    """Blocks of listeners: their slice, that of their tastes, logits and audible fits [tastes, T].

    The logits are those of a month in which no track is new.
    """
    first = listeners.first
    for start in range(0, params.n_users, _USERS_A_BLOCK):
        users = slice(start, min(start + _USERS_A_BLOCK, params.n_users))
        tastes = slice(int(first[users.start]), int(first[users.stop]))
        audible, scene = _fits(catalogue, listeners, tastes)
        logit = params.kappa_audible * audible + params.kappa_scene * scene
        yield users, tastes, logit + catalogue.popularity, audible


def _fits(
    catalogue: Catalogue, listeners: Listeners, tastes: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Audible fit and scene fit of every track to some tastes; two float arrays [tastes, T].

    Each is minus a distance, standardised over the catalogue.
    """
    centre, tracks = listeners.continuous[tastes], catalogue.continuous
    distance = _squared_distance(centre * _CARE_VECTOR**0.5, tracks * _CARE_VECTOR**0.5)
    distance += 4 * _MODE_CARE * (1 - catalogue.mode - listeners.minor[tastes, None]) ** 2
    apart = fifths(listeners.home[tastes, None]) - fifths(catalogue.key)
    distance += 4 * _KEY_CARE * (1 - np.cos(apart))
    audible = _standardised(-np.sqrt(distance))
    scene = _standardised(
        -np.sqrt(_squared_distance(listeners.scene[tastes], catalogue.artist_scene))
    )
    return audible, scene[:, catalogue.artist]


def _mix(given_taste: np.ndarray, listeners: Listeners, users: slice, tastes: slice) -> np.ndarray:
    """Average the tastes of each listener by their weights in the middle of the test month."""
    share = (TRAIN_DAYS + TEST_DAYS / 2) / DAYS
    weight = (1 - share) * listeners.weight_start[tastes] + share * listeners.weight_end[tastes]
    starts = listeners.first[users] - tastes.start
    return np.add.reduceat(given_taste * weight[:, None], starts, axis=0)


def _test_logit(params: Params, catalogue: Catalogue, logit: np.ndarray) -> np.ndarray:
    return np.where(catalogue.unheard, -np.inf, logit + catalogue.new * np.log(params.new_boost))


def _slices(codes: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and stop of each of `n` codes, which lie together in `codes`."""
    present, first, count = np.unique(codes, return_index=True, return_counts=True)
    start = np.zeros(n, np.int64)
    start[present] = first
    return start, start + np.bincount(present, count, n).astype(np.int64)


def _invert(table: np.ndarray, row: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Column of `table` (rows: cumulative distributions with a leading 0) in which a value falls.

    Adding its number to each row makes the flattened table ascend, so one search serves all rows.
    """
    flat = (table + np.arange(len(table))[:, None]).ravel()
    column = np.searchsorted(flat, value + row, "right") - 1 - row * table.shape[1]
    return np.clip(column, 0, table.shape[1] - 2)


def _squared_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    distance = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.maximum(distance, 0)


def _standardised(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(1, keepdims=True)) / (x.std(1, keepdims=True) + 1e-9)


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
