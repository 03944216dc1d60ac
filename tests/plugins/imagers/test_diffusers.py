"""The diffusers imager with the embedded pipeline: loads without a word about what is deprecated, and draws."""

import warnings

from mossgen.plugins.imagers.diffusers import Options, build
from mossgen.plugins.protocols import Drawing


def test_the_embedded_pipeline_loads_without_deprecated_arguments() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        imager = build(Options(steps=1))
    assert [str(w.message) for w in caught if issubclass(w.category, FutureWarning)] == []
    (picture,) = imager.draw([Drawing("a red apple in a kitchen", "", 1)])
    assert picture is not None
    assert (picture.size, picture.mode) == ((256, 256), "RGB")
