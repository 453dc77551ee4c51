"""What an auditor gets of one model version: its model card, its bill of materials, and the evidence pack."""
