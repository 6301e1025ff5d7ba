"""The former names of `isocompute.fits` work for one release, and say what each is called now."""

from __future__ import annotations

import pytest

from isocompute import fits
from isocompute.fits.former_names import FORMER_NAMES


@pytest.mark.parametrize("former", FORMER_NAMES)
def test_a_former_name_is_that_of_today_with_a_warning(former):
    with pytest.warns(DeprecationWarning, match=rf"isocompute\.fits\.{former} is now called {FORMER_NAMES[former]};"):
        assert getattr(fits, former) is getattr(fits, FORMER_NAMES[former])
    assert former not in fits.__all__


def test_what_never_was_a_name_is_none_of_them():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fits.nothing
