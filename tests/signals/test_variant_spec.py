"""Variants of training pages: what the values of the option mean."""

import pytest
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.signals import variant_spec
from psgimg.builder.signals.corruption_spec import parse


def test_each_value_is_a_variant_of_one_corruption_or_several_in_order():
    found = variant_spec.parse(["scale:factor=0.7..1.4 noise", "labs"])
    assert found[0] == (parse("scale:factor=0.7..1.4"), parse("noise"))
    assert [one.kind for one in found[1]] == ["inverted", "scale", "hum", "noise", "shift"]
    assert variant_spec.from_dict(variant_spec.to_dict(found)) == found
    assert variant_spec.from_dict(None) == ()
    again = variant_spec.parse([one["spec"] for one in variant_spec.to_dict(found)])
    assert again == found, "the command on the card draws the same"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([" "], "--variants ' ': give labs, or corruptions such as scale"),
        (["lab"], "--variants 'lab': no corruption 'lab'"),
        (["noise scale:factor=9..1"], "--variants 'scale:factor=9..1': factor can't be"),
        (["noise:seed=x"], "--variants 'noise:seed=x': seed can't be 'x'"),
        (["noise"] * 9, "--variants is given 9 times; give it at most 8 times"),
        (["noise:lanes=F9"], "--variants 'noise:snr_db=0,lanes=F9': montage aasm has no lane 'F9'"),
    ],
)
def test_an_invalid_value_is_refused_in_one_line(values, said):
    with pytest.raises(BuildError) as caught:
        variant_spec.check_lanes(variant_spec.parse(values), MONTAGES["aasm"])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
