"""The kinds that requests can name: frameworks, samplers, probes, analyses, presets, sources."""
