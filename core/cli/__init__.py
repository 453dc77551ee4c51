"""The command line: one file per noun, each calling the same core functions as the dashboard."""
