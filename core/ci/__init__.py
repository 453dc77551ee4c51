"""What a team copies into its repository: pipelines that use the command line, and comments that replace themselves."""
