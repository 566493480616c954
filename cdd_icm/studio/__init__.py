"""The studio: a page on which anybody draws by conversation, and a server for programs (`cdd-icm studio`)."""
