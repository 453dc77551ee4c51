"""Is this table fit to train on? Validation against a schema, and a policy of data quality."""
