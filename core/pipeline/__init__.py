"""DVC pipelines: stages, data files, lock, params, metrics, plots, status, history and reproduction.

The files are read directly and leniently; ``dvc.repo.Repo`` is never opened, so reading takes no locks
and writes nothing. Start at :func:`core.pipeline.read.read_pipeline`.
"""
