import subprocess
import sys

import pytest

from mrs.backends import BACKENDS

PRETRAINED = ("mert", "music2vec", "musicfm", "encodecmae", "mule", "jukebox", "muq", "muq_mulan")


@pytest.mark.parametrize("name", PRETRAINED)
def test_an_address_holds_the_revision_and_the_name_in_the_repository(name):
    facts = BACKENDS[name].card
    for file in BACKENDS[name].weights:
        *_, held, last = file.url.split("/")
        assert last == file.name.removeprefix("muq/")
        if not file.name.startswith("muq/"):  # of MuQ's own repository
            assert held == facts.revision
            assert facts.source.split(",")[0].removeprefix("https://") in file.url


def test_naming_the_backends_imports_no_model():
    code = "import sys, mrs.backends; print(*{'torch', 'transformers', 'librosa'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", PRETRAINED)
def test_weights_of_a_backend_have_names_of_their_own(name):
    names = [file.name for file in BACKENDS[name].weights]
    assert len(names) == len(set(names)) > 0
