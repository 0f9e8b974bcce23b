// Metric families made at the moment of a scrape from what the modules tell of themselves anyway (store::Usage, the
// snapshots of pulls and paths, the network's tally of requests), and from what was counted at the end of pulls,
// records and calls. No module knows of Prometheus. Thread rule: pure functions, but for the labels that they are
// handed.
#pragma once

#include <string>
#include <vector>

#include "plugin/metrics/call_times.h"
#include "plugin/metrics/cold_starts.h"
#include "plugin/metrics/ended_pulls.h"
#include "plugin/metrics/family.h"
#include "plugin/metrics/host_labels.h"
#include "plugin/metrics/process_usage.h"
#include "plugin/net/request_tally.h"
#include "plugin/pull/snapshot.h"
#include "plugin/store/store.h"

namespace paceline::metrics {

Families store_families(const store::Usage& usage);
/// Several paths that share a label are added up: a scraper takes a label set only once.
Families path_families(const std::vector<pull::PathSnapshot>& paths, HostLabels& labels);
Families request_families(const std::vector<net::RequestCount>& requests, HostLabels& labels);
Families pull_families(const std::vector<pull::PullSnapshot>& pulls);
Families ended_pull_families(const EndedPulls::Snapshot& ended);
/// `dropped`: told to the recorder and lost.
Families record_families(const ColdStarts::Snapshot& starts, std::uint64_t dropped);
Families call_families(const CallTimes::Series& calls);
Families build_families(const std::string& version);
Families process_families(const ProcessUsage& usage);

}  // namespace paceline::metrics
