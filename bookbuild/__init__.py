"""Machinery that turns `book/` into the site. It never imports `transformer_lite`."""
