"""Pretrained audio representations in music recommendation: data, recommenders, evaluation.

The public interface is what `__init__.pyi` lists; the book's API reference documents it. A name is
loaded when it is first used, so that `import mrs` is quick.
"""

import os

import lazy_loader

# torch then asks for huge pages where it allocates 2 MB or more (Linux). Tables of a full catalogue
# are allocated anew at each training step, and faults of small pages took half of a step's time.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
