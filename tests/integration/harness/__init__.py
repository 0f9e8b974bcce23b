"""What the integration tests run: real registries, real containerds, the daemon under test, and images made on the spot."""
