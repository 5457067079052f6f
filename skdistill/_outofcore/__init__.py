"""Unlabelled rows that do not fit into memory: read chunk by chunk, and checked.

A source is a Parquet or CSV path or folder, a pyarrow Dataset, a Dask DataFrame, a
memory-mapped array or any iterable of chunks that starts over when it is iterated
again. Each is read as rows in X's own container and types.
"""

from ._chunks import Chunks
from ._source import is_chunked, open_chunks

__all__ = ["Chunks", "is_chunked", "open_chunks"]
