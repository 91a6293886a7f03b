import subprocess
import sys

import pytest

from mrs.backends import BACKENDS
from mrs.backends.base import WeightFile

PRETRAINED = ("mert", "music2vec", "musicfm", "encodecmae", "mule", "jukebox", "muq", "muq_mulan")


def test_an_address_holds_the_revision_and_the_name_in_the_repository():
    file = WeightFile.on_hub(
        "owner/model", "abc", "config.json", "0" * 64, place="inner/config.json"
    )
    assert file.url == "https://huggingface.co/owner/model/resolve/abc/config.json"
    assert (file.name, file.sha256) == ("inner/config.json", "0" * 64)
    assert WeightFile.on_hub("owner/model", "abc", "config.json").name == "config.json"


def test_naming_the_backends_imports_no_model():
    code = "import sys, mrs.backends; print(*{'torch', 'transformers', 'librosa'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", PRETRAINED)
def test_weights_of_a_backend_have_names_of_their_own(name):
    names = [file.name for file in BACKENDS[name].weights]
    assert len(names) == len(set(names)) > 0
