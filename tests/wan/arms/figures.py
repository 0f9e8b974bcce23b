"""What is said of the arms: by the records themselves, by `paceline report`, and by Prometheus; and whether they agree."""

import dataclasses
import statistics

FAMILY = "paceline_cold_start_duration_seconds"
PULL = '{phase="pull"}'


@dataclasses.dataclass(frozen=True)
class Figures:
    """Of one arm. Milliseconds."""
    policy: str
    pulls: int
    mean_ms: float
    median_ms: float
    middle_ms: float  # The lower of the two in the middle, which is where a histogram looks for the median.
    median_low_ms: float
    median_high_ms: float
    p90_ms: float


@dataclasses.dataclass(frozen=True)
class Scraped:
    """The same, as Prometheus has it. Of a median a histogram knows the bucket; it interpolates within."""
    policy: str
    pulls: int
    mean_ms: float
    median_ms: float
    bucket_low_ms: float
    bucket_high_ms: float


def reported(rows, pulls):
    """`rows`: of `paceline report --output json`; `pulls`: of `--pulls`."""
    out = {}
    for row in rows:
        own = [pull["pull_ms"] for pull in pulls if pull["policy"] == row["group"]]
        said = row["pull"]
        out[row["group"]] = Figures(row["group"], said["count"], statistics.fmean(own), said["median_ms"],
                                    statistics.median_low(own), said["median_low_ms"],
                                    said["median_high_ms"], said["p90_ms"])
    return out


def scraped(prometheus):
    by_policy = lambda expression: {labels["policy"]: value for labels, value in prometheus.query(expression)}
    counts = by_policy(f"sum by (policy) ({FAMILY}_count{PULL})")
    means = by_policy(f"sum by (policy) ({FAMILY}_sum{PULL}) / sum by (policy) ({FAMILY}_count{PULL})")
    medians = by_policy(f"histogram_quantile(0.5, sum by (policy, le) ({FAMILY}_bucket{PULL}))")
    bounds = sorted({float(labels["le"]) for labels, _ in prometheus.query(f"sum by (le) ({FAMILY}_bucket{PULL})")})
    out = {}
    for policy, count in counts.items():
        high = next(bound for bound in bounds if bound >= medians[policy])
        low = max((bound for bound in bounds if bound < medians[policy]), default=0.0)
        out[policy] = Scraped(policy, round(count), 1000 * means[policy], 1000 * medians[policy], 1000 * low, 1000 * high)
    return out


def disagreements(report, prometheus):
    """Lines; none: they agree. Counts and means have to be the same; medians within the histogram's bucket."""
    out = []
    if report.keys() != prometheus.keys():
        return [f"the report knows {sorted(report)}, Prometheus {sorted(prometheus)}"]
    for policy, own in report.items():
        other = prometheus[policy]
        if own.pulls != other.pulls:
            out.append(f"{policy}: {own.pulls} pulls on record, {other.pulls} in Prometheus")
        if abs(own.mean_ms - other.mean_ms) > 0.001 * own.mean_ms:
            out.append(f"{policy}: mean {own.mean_ms:.1f} ms on record, {other.mean_ms:.1f} in Prometheus")
        if not other.bucket_low_ms - 0.1 <= own.middle_ms <= other.bucket_high_ms + 0.1:
            out.append(f"{policy}: median {own.middle_ms:.1f} ms on record, {other.bucket_low_ms:.0f} to "
                       f"{other.bucket_high_ms:.0f} in Prometheus")
    return out
