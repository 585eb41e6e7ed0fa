"""HTTP plumbing that no noun owns: errors, limits, headers, downloads, the OpenAPI document."""
