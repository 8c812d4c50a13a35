"""Checks of what a run needs, before anything long begins."""
