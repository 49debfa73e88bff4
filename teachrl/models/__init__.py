"""Mathematics that teachers share; nothing here knows of teaching."""
