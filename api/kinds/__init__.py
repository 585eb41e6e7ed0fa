"""What a run can be made of: frameworks, samplers, probes, analyses, presets, sources."""
