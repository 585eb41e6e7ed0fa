"""HTTP code that all nouns share: errors, limits, headers, downloads, the OpenAPI document."""
