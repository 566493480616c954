"""From a modification text to entities with attributes and relations."""
