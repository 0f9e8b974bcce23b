// Metric families made at the moment of a scrape from what the modules tell of themselves anyway (store::Usage and the
// snapshots of pulls and paths), and from the durations of ended pulls. Nothing is counted on the way of a download,
// and no module knows of Prometheus. Thread rule: pure functions, but for the labels that they are handed.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "plugin/metrics/host_labels.h"
#include "plugin/metrics/process_usage.h"
#include "plugin/metrics/pull_durations.h"
#include "plugin/pull/snapshot.h"
#include "plugin/store/store.h"

namespace paceline::metrics {

using Families = std::vector<prometheus::MetricFamily>;

Families store_families(const store::Usage& usage);
/// Several paths that share a label are added up: a scraper takes a label set only once.
Families path_families(const std::vector<pull::PathSnapshot>& paths, HostLabels& labels);
Families pull_families(const std::vector<pull::PullSnapshot>& pulls);
Families duration_families(const PullDurations::Series& series);
Families build_families(const std::string& version);
Families process_families(const ProcessUsage& usage);
/// Prometheus' text exposition format, version 0.0.4.
std::string to_text(const Families& families);

}  // namespace paceline::metrics
