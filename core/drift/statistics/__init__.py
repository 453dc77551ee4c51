"""The statistics, one per file. Each file states NAME, THRESHOLD (the default) and SOURCE."""
