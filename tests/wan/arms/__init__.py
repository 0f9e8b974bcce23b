"""An experiment of three policies over an emulated wide-area link, as a node runs it, and what is said of it afterwards: by
`paceline report`, and by a Prometheus that scraped the daemon meanwhile. Finds the harness of the integration tests."""

import contention  # noqa: F401  (its first line finds the harness)
