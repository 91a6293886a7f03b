"""Pretrained audio representations in music recommendation: data, recommenders, evaluation.

The public interface is what `__init__.pyi` lists; the book's API reference documents it. A name is
loaded when it is first used, so that `import mrs` is quick.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
