"""The pages people read: templates and thin handlers over `query`. HTML, no SQL."""
