"""NSRR common: terms, references and channels that corpora of the National Sleep Research Resource share."""

from __future__ import annotations

from psgimg.builder.citing.reference import Reference
from psgimg.builder.recordings.recording import Policy, Terms

_ACCESS = (
    "Personal data use agreement with NSRR for a named project, which takes about two weeks: "
    "https://sleepdata.org/datasets/{name}. Then `psgimg fetch --source {name}` or `nsrr download {name}`, with your token."
)
_NSRR = Reference(
    "zhang2018",
    ("Zhang GQ",),
    "The National Sleep Research Resource: towards a sleep data commons",
    2018,
    "J Am Med Inform Assoc",
    "25",
    "10",
    "1351-1358",
    et_al=True,
)


def nsrr_terms(name: str, reference: Reference) -> Terms:
    """Return the terms of a corpus, given its name at the NSRR and its own publication."""
    # The agreement is personal and tied to a project. No source known to us settles whether
    # pictures made from the signals may be shared, so they are restricted.
    return Terms(
        policy=Policy.RESTRICTED,
        licence="NSRR data access and use agreement",
        licence_url=f"https://sleepdata.org/datasets/{name}",
        access=_ACCESS.format(name=name),
        references=(reference, _NSRR),
    )


ONE_SCORER = (
    "One scorer; the NSRR and Profusion files are two exports of the same scoring (the NSRR format "
    "is preferred, Profusion is used where it is absent or legacy)."
)
R_AND_K = "Stages 3 and 4 of the files are mapped to N3."

# For labels with an electrode alone, nsrr/*-documentation states Fpz as reference.
AGAINST_FPZ: dict[str, str] = {
    "C3": "C3-Fpz",
    "C4": "C4-Fpz",
    "A1": "M1-Fpz",
    "A2": "M2-Fpz",
    "M1": "M1-Fpz",
    "M2": "M2-Fpz",
    "LOC": "E1-Fpz",
    "ROC": "E2-Fpz",
    "E1": "E1-Fpz",
    "E2": "E2-Fpz",
}
