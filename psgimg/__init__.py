"""Sleep recordings as pictures, and vision-language models that stage them: for notebooks.

What is imported from here is what psgimg promises to keep; everything else may change. Nothing is
loaded before it is used. The command line does more: ``psgimg --help``.

Signals are in µV, times in seconds from the first sample, stages are ``W``, ``N1``, ``N2``, ``N3`` and
``REM``.
"""

from pkgutil import extend_path

import lazy_loader

__path__ = extend_path(__path__, __name__)  # an installed psgimg, seen from a checkout
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
