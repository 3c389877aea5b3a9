"""Every loader keeps the rules of ``fuzz`` on some mutated files; ``python -m fuzz`` makes as many as one likes.

The inputs that once broke a rule come first.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.choices import Choices
from fuzz.loaders import LOADERS
from fuzz.rules import held

FOUND = {
    "evidence-json": ["ff504bb4ac4bf4"],
    "journal": [
        "a9a5a37b0c119f3c3da731f0ada9434e4ad8b4a9481d3b3b719782581df882aa4cff79cb47970451fd22b7352f30b8968519ed4f5a3e3156",
        "6c31e0568a7e5f41876e97d5b28ef3ec5ba895073bffbb806242d3df87ddb6ff439cae2e716069ed21f9aae80b2fc472d2af608c2aa43f1f",
    ],
    "network-certificate": [
        "43865b739b0011e234758676a10c853a579e9ecda22220691a92429ba77d5a72dc88510ee1c172c554576927aca536388d02eba6c9287fb0",
    ],
    "property": [
        "36bc74a57ccf107584c72531cc372d267f970141345638588aab135c1b05b984b6565c4c992598a622bd7c9ea3d008897dc10ba49bf913f2",
    ],
    "checkpoint": [
        "7cff777353e27e6903807684a3829a36c0ec8ef830f28fbaa9ed7ab758e5c08b9f2f6293e6bf7888535c84a928196ba0edc9b3abddf4f5d2",
        "f4527f5fb7945a504719bde34b5fdfdeea8c2f354d368822208f9d2bbbbff05c1b39ab8094c894728e01dc9295df9aff2bf897b1b183e3bb",
        "88843ea7594a61f1dc1953f205db8b74146f58cec57dc3450509cbbc6bc3792a28587efae9a19ec1d6f1632f01e647b8ddd315d48c7f7750",
    ],
    "gymnasium-table": [
        "628d203c229b82ce47d46dd11e220b45f0727f3afa94d0631a1ecfbc4735b12d09f161bc9b8d1039cd1334a64b029f954514c3337df308e7",
        "3142b9bd72688cc77a3692f1402415583bc22a6df861bbb63e03c2c2873f8a8320c90073790feac878bbd578f3cbe4ac537df74bebd3b5bc",
        "adf1038e78151bd9a9da5ab8a39815ea8210cb466cb47881fca954e04ec5bbae5f3a30a85ee582e861066333173d548095437f135eaf1176",
    ],
    "imitation-trajectories": [
        "8be2bc4e05c96a56f33a5d8e427348e246c2fc0f2d59c07033879e13de9d67c2ac709e3433f346e8f47cef9daf982c7c50ec51c4dff81edc",
        "91c90e51bbd47ac2aab56af1ff3aa1c682027c1c9b40912623d96fe7f045d6133f750409d5cbf07a27679b741882ec881bb48d0ee45ab6a7",
    ],
    "study-results": [
        "bc5d96bfad72e6888c1ae458cd04d1244dc66d1815f93ee4091a0d7bd945e7abd96e60552a69d8e80ea63f4e6a3d1309f0b3c8ccb2147fdc",
    ],
}


@pytest.mark.parametrize("name", list(LOADERS))
def test_what_broke_a_rule_once_does_not_again(name):
    for data in FOUND.get(name, []):
        held(LOADERS[name](), Choices(bytes.fromhex(data)))


@pytest.mark.parametrize("name", list(LOADERS))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(min_size=48, max_size=48))
def test_loaders_keep_the_rules(name, data):
    held(LOADERS[name](), Choices(data))
