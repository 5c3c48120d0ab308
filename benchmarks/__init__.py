"""Loading measured beside other loaders: `python benchmarks/loading.py`."""
