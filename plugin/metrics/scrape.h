// The answer to one scrape: every family, from the daemon's modules, as text.
// Thread rule: any thread. Everything handed to the constructor is borrowed and outlives it.
#pragma once

#include <mutex>
#include <string>

#include "plugin/metrics/host_labels.h"
#include "plugin/metrics/pull_durations.h"
#include "plugin/pull/pull_manager.h"
#include "plugin/store/store.h"

namespace paceline::metrics {

class Scrape {
 public:
  Scrape(const store::Store& store, const pull::PullManager& pulls, const PullDurations& durations,
         std::string version);
  std::string text();

 private:
  const store::Store& store_;
  const pull::PullManager& pulls_;
  const PullDurations& durations_;
  const std::string version_;
  std::mutex mutex_;  // Guards labels_.
  HostLabels labels_;
};

}  // namespace paceline::metrics
