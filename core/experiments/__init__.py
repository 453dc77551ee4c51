"""Runs, metrics, histories and search: two readers (direct and HTTP) behind one contract."""
