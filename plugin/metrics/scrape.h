// The answer to one scrape: every family, from the daemon's modules, as text.
// Thread rule: any thread. Everything handed to the constructor is borrowed and outlives it.
#pragma once

#include <mutex>
#include <string>

#include "plugin/metrics/call_times.h"
#include "plugin/metrics/cold_starts.h"
#include "plugin/metrics/ended_pulls.h"
#include "plugin/metrics/host_labels.h"
#include "plugin/net/network_thread.h"
#include "plugin/pull/pull_manager.h"
#include "plugin/records/recorder.h"
#include "plugin/store/store.h"

namespace paceline::metrics {

struct ScrapeSources {
  const store::Store& store;
  const net::NetworkThread& network;
  const pull::PullManager& pulls;
  const EndedPulls& ended;
  const ColdStarts& cold_starts;
  const CallTimes& calls;
  const records::Recorder* recorder;  ///< Null when no records are kept: their families are left out.
  std::string version;
};

class Scrape {
 public:
  explicit Scrape(ScrapeSources sources);
  std::string text();

 private:
  const ScrapeSources sources_;
  std::mutex mutex_;  // Guards labels_.
  HostLabels labels_;
};

}  // namespace paceline::metrics
