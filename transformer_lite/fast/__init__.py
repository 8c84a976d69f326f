"""Fast forms, each beside the plain form that it equals."""
