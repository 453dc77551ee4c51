"""Reports for people who were not there: a candidate for a pull request, a week for leads, an incident."""
