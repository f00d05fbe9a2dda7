"""The filtered lanes of a corpus's first night, as a build draws them."""

from psgimg.builder import night
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.signals.filtering import read_signals


def first_night(source, root, recipe):
    """Return the plan of the first night and its signals, with 30 minutes around sleep."""
    recording = next(iter(source.recordings(root)))
    plan = night.plan(source, recording, PageSpec(recipe, trim_min=30.0))
    signals = read_signals(
        plan.file,
        recipe.montage,
        plan.derivations,
        filters=recipe.filters,
        mains_hz=source.mains_hz,
        sfreq_hz=recipe.sfreq_hz,
        span_s=plan.selection.span_s,
    )
    return plan, signals
