"""`python -m models`: the workshop's command line."""

from models.command_line import app

app()
