"""What the hostile tests share: letters by our grammar."""

from __future__ import annotations

import pytest

from imr.data.letter import Letter


@pytest.fixture(scope="session")
def made_letters() -> list[Letter]:
    """Decided letters of the grammar, the same every time."""
    from imr.data.synthetic import synthesize

    return [made.letter for made in synthesize(40, seed=20161013)]
