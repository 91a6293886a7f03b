"""The idea of each recommender: a few lines, its formulas, and the flow that its figure draws.

In the formulas $H_u$ are the tracks that listener $u$ played in train, $x_u$ the same as a row of
zeros and ones, $v_t$ a track's vector and $c_t$ its principal components; norm scales to length
one.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A box of the flow: what is done, whether it is trained, and whether new tracks lack it."""

    text: str
    trained: bool = False
    warm_only: bool = False


@dataclass(frozen=True)
class Idea:
    """What a recommender does with a listener and with a track until both meet in a score.

    `shared` are steps that both go through with the same parameters, `teacher` what is read in
    training alone and pulled together with the track. A track whose steps are all `warm_only`
    cannot be placed without a play in train.
    """

    text: str
    formulas: tuple[str, ...]
    listener: tuple[Step, ...]
    track: tuple[Step, ...]
    score: str = "dot product = score"
    shared: tuple[Step, ...] = ()
    teacher: tuple[Step, ...] = ()

    @property
    def answers_cold(self) -> bool:
        """Whether a track that nobody played gets to the score."""
        return not all(step.warm_only for step in self.track)


_HISTORY = Step("tracks played in train")
_VECTOR = Step("audio vector")
_COMPONENTS = Step("audio vector, its principal components")
_CONTENT = Step("content branch, length one", trained=True)
_COLLABORATIVE = Step("collaborative branch, length one", trained=True)
_BACKBONE = Step("row in a collaborative model, frozen", warm_only=True)
_FOLD = Step("sum of their tracks' rows")

_UNIT = r"\mathrm{norm}"
_BRANCHES = (
    r"\begin{aligned}"
    rf"a_t &= {_UNIT}\big(\mathrm{{MLP}}_a(c_t)\big) \\ "
    rf"b_t &= {_UNIT}\big(\mathrm{{MLP}}_b(e_t)\big)"
    r"\end{aligned}"
)
_ADCL = (
    r"\begin{aligned} L = \frac{1}{n} \sum_t \Big[ & - 2\, a_t \cdot b_t / \tau \\ "
    r"& + \log \sum_{j \ne t} e^{a_t \cdot b_j / \tau} \\ "
    r"& + \log \sum_{j \ne t} e^{a_j \cdot b_t / \tau} \Big] \end{aligned}"
)
_REBUILT = r"\hat x_u = x_u A A^\top - x_u"
_NMSE = (
    r"L = \sum_u \left\lVert \frac{x_u}{\lVert x_u \rVert} - "
    r"\frac{\hat x_u}{\lVert \hat x_u \rVert} \right\rVert^2"
)
_HINGE = r"L = \sum_{(u, t)} \sum_{u^-} w_{ut} \, \max\big(0,\; m - s(u, t) + s(u^-, t)\big)"
_LAYER = rf"f(x) = {_UNIT}\big(\mathrm{{ReLU}}(W x + b)\big)"
_ENCODED = r"h_u = \mathrm{Encoder}\big(q_{i_1}, \dots, q_{i_n}, \mathrm{mask}\big)_{n + 1}"
_MASKED = r"L = - \sum_{t \text{ hidden}} \log \frac{e^{h \cdot q_t}}{\sum_j e^{h \cdot q_j}}"

_MEAN = r"m_t = \frac{1}{|A_t|} \sum_{i \in A_t} e_i"
_SQUARED = r"L = \sum_t \lVert f_t - e_t \rVert^2"

_BIMODAL = (
    "Each train track has two views: its audio vector, and its row $e_t$ in a collaborative model "
    "that was fitted before and stays as it is. A branch for each, two layers with a ReLU between, "
    "takes both into one space, where a contrastive loss (here ADCL) brings the two views of a "
    "track together and keeps different tracks apart. "
)


def _bimodal(
    space: str, text: str, item: str, track: tuple[Step, ...], teacher: tuple[Step, ...] = ()
) -> Idea:
    return Idea(
        text=_BIMODAL + text,
        formulas=(
            _BRANCHES,
            _ADCL,
            rf"s(u, t) = {_UNIT}\Big(\sum_{{i \in H_u}} {item}_i\Big) \cdot {item}_t",
        ),
        listener=(_HISTORY, Step(f"mean in the {space} space, length one")),
        track=track,
        teacher=teacher,
    )


IDEAS: dict[str, Idea] = {
    "knn": Idea(
        text="Nothing is trained. A listener is the mean of the vectors of what they played, and "
        "the nearest tracks by cosine are recommended. What an audio model hears must already "
        "lie in the directions of its vectors. With `center=true` the mean vector $\\bar v$ of "
        "all train tracks is subtracted first, without it $\\bar v = 0$: an offset that all "
        "tracks share makes every cosine alike.",
        formulas=(
            r"s(u, t) = \cos\Big(\frac{1}{|H_u|} \sum_{i \in H_u} (v_i - \bar v),\; "
            r"v_t - \bar v\Big)",
        ),
        listener=(_HISTORY, Step("mean of their vectors"), Step("length one")),
        track=(_VECTOR, Step("length one")),
        score="dot product = cosine",
    ),
    "shallow": Idea(
        text="One linear layer between the vectors and the cosine, the same for listeners and "
        "tracks. A listener starts at the mean of what they played and has a row of their own, "
        "which is trained with the layer; a track's row is its audio vector and stays. The loss "
        "asks that a listener of a track be nearer to it than one who never played it, by a "
        "margin $m$; $u^-$ are drawn among these.",
        formulas=(r"s(u, t) = f(p_u) \cdot f(c_t)", _LAYER, _HINGE),
        listener=(
            Step("mean of the vectors of tracks played"),
            Step("the listener's row starts there", trained=True),
        ),
        track=(_COMPONENTS,),
        shared=(Step("one layer for both: linear, ReLU; length one", trained=True),),
        score="dot product = cosine",
    ),
    "shallow_ids": Idea(
        text="The Shallow Net without audio: both tables start at random and both are trained, so "
        "that what it reaches comes from the plays alone. The difference of Shallow Net to it is "
        "what the audio vectors add to the same layer and loss.",
        formulas=(r"s(u, t) = f(p_u) \cdot f(q_t)", _LAYER, _HINGE),
        listener=(Step("the listener's row, random at first", trained=True),),
        track=(Step("the track's row, random at first", trained=True, warm_only=True),),
        shared=(Step("one layer for both: linear, ReLU; length one", trained=True),),
        score="dot product = cosine",
    ),
    "bimodal_content": _bimodal(
        "content",
        "Here listeners and tracks are read in the content space, so that a new track needs "
        "nothing but its audio.",
        "a",
        track=(_COMPONENTS, _CONTENT),
        teacher=(_BACKBONE, _COLLABORATIVE),
    ),
    "bimodal_collaborative": _bimodal(
        "collaborative",
        "Here they are read in the collaborative space: audio takes part in the training alone, "
        "and a new track has no place.",
        "b",
        track=(_BACKBONE, Step(_COLLABORATIVE.text, trained=True, warm_only=True)),
        teacher=(_COMPONENTS, _CONTENT),
    ),
    "bimodal_average": _bimodal(
        "average",
        "Here they are read at the normalised sum of both branches, "
        "$g_t = \\mathrm{norm}(a_t + b_t)$; a new track lacks one of them and has no place.",
        "g",
        track=(
            Step("audio vector, and row in a frozen collaborative model", warm_only=True),
            Step("content branch, and collaborative branch", trained=True, warm_only=True),
            Step("their sum, length one", warm_only=True),
        ),
    ),
    "hybrid": Idea(
        text="ELSA, the linear autoencoder of listening, with rows of tracks that are not a table "
        "but computed from audio by two layers. What listeners played together thus teaches the "
        "layers which sounds go together, and a new track gets a row like any other.",
        formulas=(
            rf"s(u, t) = x_u A \cdot a_t, \qquad a_t = {_UNIT}\big(\mathrm{{MLP}}(c_t)\big)",
            _REBUILT,
            _NMSE,
        ),
        listener=(_HISTORY, _FOLD),
        track=(_COMPONENTS, Step("two layers, length one", trained=True)),
    ),
    "bert4rec": Idea(
        text="A transformer reads the tracks that a listener played, in the order of their first "
        "plays, with a mask at the end, and what it puts out there is compared with every track. "
        "It is trained to fill in tracks that are hidden from it, from the output $h$ there. A "
        "track is a projection of its audio vector; a train track also has an offset $r_t$ of its "
        "own, which a new track lacks.",
        formulas=(r"s(u, t) = h_u \cdot q_t, \qquad q_t = P\, c_t + r_t", _ENCODED, _MASKED),
        listener=(
            Step("the most recent tracks in order, then a mask"),
            Step("transformer encoder", trained=True),
            Step("output at the mask"),
        ),
        track=(
            _COMPONENTS,
            Step("projection", trained=True),
            Step("+ offset of its own", trained=True, warm_only=True),
        ),
    ),
    "bert4rec_ids": Idea(
        text="The same transformer over a table of tracks that starts at random and hears nothing. "
        "The difference of BERT4Rec to it is what the audio vectors add.",
        formulas=(r"s(u, t) = h_u \cdot q_t", _ENCODED, _MASKED),
        listener=(
            Step("the most recent tracks in order, then a mask"),
            Step("transformer encoder", trained=True),
            Step("output at the mask"),
        ),
        track=(Step("the track's row, random at first", trained=True, warm_only=True),),
    ),
    "elsa": Idea(
        text="A linear autoencoder of listening: a listener is the sum of the rows of what they "
        "played, and every track is scored by its own row. The rows are trained so that the "
        "history is rebuilt; subtracting $x_u$ keeps a track from explaining itself. It hears "
        "nothing, is the strongest simple bar for known tracks, and lends its rows to Bimodal.",
        formulas=(r"s(u, t) = x_u A \cdot a_t, \qquad \lVert a_t \rVert = 1", _REBUILT, _NMSE),
        listener=(_HISTORY, _FOLD),
        track=(Step("the track's row, length one", trained=True, warm_only=True),),
    ),
    "als": Idea(
        text="Matrix factorisation: a row for each listener and each track, whose products are to "
        "be 1 for what was played and 0 for the rest; what was played weighs $\\alpha$ times as "
        "much (1 by default: all pairs alike). Rows of one side are solved for while those of the "
        "other stay, in turn.",
        formulas=(
            r"s(u, t) = p_u \cdot q_t",
            r"\begin{aligned} L = & \sum_{u, t} c_{ut} \big(x_{ut} - p_u \cdot q_t\big)^2 \\ & + "
            r"\lambda \Big(\sum_u \lVert p_u \rVert^2 + \sum_t \lVert q_t \rVert^2\Big)"
            r"\end{aligned}",
            r"c_{ut} = \begin{cases} \alpha & x_{ut} = 1 \\ 1 & x_{ut} = 0 \end{cases}",
        ),
        listener=(Step("the listener's row", trained=True),),
        track=(Step("the track's row", trained=True, warm_only=True),),
    ),
    "bpr": Idea(
        text="Matrix factorisation trained by pairs: a track that a listener played is to stand "
        "above a drawn one that they did not play. A track also has a bias, whatever the listener.",
        formulas=(
            r"s(u, t) = p_u \cdot q_t + \beta_t",
            r"\begin{aligned} L = \sum_{(u, t)} & - \log \sigma\big(s(u, t) - s(u, t^-)\big) \\ "
            r"& + \lambda (\lVert p_u \rVert^2 + \lVert q_t \rVert^2 + \lVert q_{t^-} \rVert^2)"
            r"\end{aligned}",
        ),
        listener=(Step("the listener's row", trained=True),),
        track=(Step("the track's row and bias", trained=True, warm_only=True),),
    ),
    "artist_mean": Idea(
        text="A new track is the mean of what is known: the rows $e_i$, in a collaborative model, "
        "of the tracks $A_t$ that its artist has in train. Nothing is heard, nothing trained; all "
        "new tracks of an artist tie, and one by a new artist stands at the mean of all tracks.",
        formulas=(r"s(u, t) = p_u \cdot m_t", _MEAN),
        listener=(Step("the listener's row in a collaborative model"),),
        track=(Step("the artist's train tracks"), Step("mean of their rows")),
    ),
    "deepmusic": Idea(
        text="Two layers learn to tell a track's row $e_t$ in a collaborative model from its audio "
        "vector. The listeners' rows stay as they are and score new tracks by what the layers say. "
        "With `use_artist` the mean row of the artist's other tracks stands beside the audio.",
        formulas=(r"s(u, t) = p_u \cdot f_t, \qquad f_t = \mathrm{MLP}(c_t)", _SQUARED),
        listener=(Step("the listener's row in a collaborative model"),),
        track=(_COMPONENTS, Step("two layers", trained=True)),
        teacher=(Step("the track's row in the same model"),),
    ),
    "clcrec": Idea(
        text="Rows for listeners and tracks, and two layers $f$ on audio, are trained by two "
        "contrasts with a softmax over drawn tracks: a track's row $q_t$ with its own audio, and a "
        "listener with what they played, where a track is its row or, at random, its audio. A new "
        "track is its audio.",
        formulas=(
            r"s(u, t) = p_u \cdot f(c_t)",
            r"L = \lambda\, L_{\text{track, audio}} + (1 - \lambda)\, L_{\text{listener, track}}",
        ),
        listener=(Step("the listener's row", trained=True),),
        track=(_COMPONENTS, Step("two layers", trained=True)),
        teacher=(Step("the track's own row", trained=True),),
    ),
    "heater": Idea(
        text="Experts, weighed by gates, learn a track's row $e_t$ in a collaborative model "
        "from its audio, and in training each row is replaced by theirs at random ($b_t$ is 0 or "
        "1), so that the tower behind learns to work with either. A new track has theirs alone.",
        formulas=(
            r"s(u, t) = \mathrm{tower}_p(p_u) \cdot \mathrm{tower}_q(x_t)",
            r"x_t = b_t\, f(c_t) + (1 - b_t)\, e_t",
            r"L = \sum_{(u, t)} \big(y_{ut} - s(u, t)\big)^2 "
            r"+ \alpha \sum_t \lVert f(c_t) - e_t \rVert^2",
        ),
        listener=(
            Step("the listener's row in a collaborative model"),
            Step("tower", trained=True),
        ),
        track=(_COMPONENTS, Step("experts and gates", trained=True), Step("tower", trained=True)),
        teacher=(Step("the track's row in the same model"),),
    ),
    "gar": Idea(
        text="A generator makes a track's row from its audio. A discriminator, which also scores, "
        "learns to put the real row $e_t$ of what a listener played above the generated $g_t$; the "
        "generator learns to be near the real row and to be put above it. The form is that of "
        "arXiv 2604.07090's baseline, with linear maps $D$; Chen et al. have networks there.",
        formulas=(
            r"s(u, t) = D_p(p_u) \cdot D_q(g_t)",
            r"L_D = - (1 - \beta) \log \sigma\big(s(u, e_t) - s(u, g_t)\big) "
            r"- \beta \log \sigma\big(s(u, e_t) - s(u, e_{t^-})\big)",
            r"L_g = - (1 - \alpha) \log \sigma\big(s(u, g_t) - s(u, e_t)\big) "
            r"+ \alpha \lVert g_t - e_t \rVert^2",
        ),
        listener=(
            Step("the listener's row in a collaborative model"),
            Step("linear map", trained=True),
        ),
        track=(_COMPONENTS, Step("generator", trained=True), Step("linear map", trained=True)),
        teacher=(Step("the track's row in the same model"),),
    ),
    "acarec": Idea(
        text="A new track asks its artist's catalogue. Each track of that is its audio and "
        "its row $e_i$ in a collaborative model; they are compared among themselves, then the new "
        "track's audio weighs their rows by attention, and a gate decides how far that moves the "
        "artist's mean $m_t$. Train tracks are learned from as if each were new to its artist.",
        formulas=(
            r"s(u, t) = p_u \cdot f_t, \qquad f_t = \mathrm{GRU}\big([a_t; c_t],\, m_t\big)",
            r"a_t = \mathrm{attention}\big(c_t,\; \{(c_i, e_i)\}_{i \in A_t},\; "
            r"\{e_i\}_{i \in A_t}\big)",
            _SQUARED,
        ),
        listener=(Step("the listener's row in a collaborative model"),),
        track=(
            Step("audio vector, and the artist's tracks"),
            Step("self-attention over the catalogue", trained=True),
            Step("attention of the new track to it", trained=True),
            Step("GRU cell from the artist's mean", trained=True),
        ),
        teacher=(Step("the track's row in the same model"),),
    ),
    "popularity": Idea(
        text="The tracks that most listeners played in train, the same list for everybody, without "
        "what one played already. Hard to beat for known tracks; new ones have no listeners.",
        formulas=(r"s(u, t) = \big|\{u' : t \in H_{u'}\}\big|",),
        listener=(Step("nothing is read of the listener"),),
        track=(Step("number of train listeners", warm_only=True),),
        score="the number = score",
    ),
    "artist_popularity": Idea(
        text="New tracks by how many listeners played their artist in train, the same list for "
        "everybody. What a new track owes to its artist's name alone; tracks of artists whom "
        "nobody played come last.",
        formulas=(
            r"s(u, t) = \big|\{u' : H_{u'} \cap C_{a(t)} \neq \emptyset\}\big|, \qquad "
            r"C_a \text{ the train tracks of artist } a",
        ),
        listener=(Step("nothing is read of the listener"),),
        track=(Step("number of train listeners of the track's artist"),),
        score="the number = score",
    ),
    "random": Idea(
        text="Random rows for listeners and tracks: another random order for each listener. It "
        "must lie at chance, and its distance from there shows how far one draw strays.",
        formulas=(r"s(u, t) = p_u \cdot q_t, \qquad p_u, q_t \sim \mathcal{N}(0, I)",),
        listener=(Step("random row"),),
        track=(Step("random row"),),
    ),
    "oracle": Idea(
        text="The probabilities from which the generated plays were drawn. No recommender can know "
        "them, and none can do better: the ceiling of every table of a generated world. Real "
        "listening has no such row.",
        formulas=(r"s(u, t) = \Pr(\text{listener } u \text{ plays track } t)",),
        listener=(Step("the listener's true tastes (generated)"),),
        track=(Step("the track's true traits, audible and not (generated)"),),
        score="true probability = score",
    ),
    "oracle_content": Idea(
        text="The same for somebody who knows every taste, but of a track only what can be heard, "
        "neither its scene nor its fame. In cold it is the ceiling of models that read content "
        "and no plays of the track. In hot it is no ceiling: content and plays together can exceed "
        "it.",
        formulas=(
            r"s(u, t) \propto \Pr(\text{listener } u \text{ plays a track with the audible traits"
            r" of } t)",
        ),
        listener=(Step("the listener's true tastes (generated)"),),
        track=(Step("the track's true audible traits (generated)"),),
        score="true preference = score",
    ),
}
