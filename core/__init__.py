"""Model Desk's core: everything the dashboard and the command line do, with no user interface in it."""

__version__ = "0.1.0"
