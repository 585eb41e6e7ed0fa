"""Backbones from elsewhere: their files, and how they fit ours."""
