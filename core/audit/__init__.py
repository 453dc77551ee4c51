"""What an auditor asks of the desk itself: what is recorded and what is not, and who may do what."""
