#include "plugin/metrics/host_labels.h"

namespace paceline::metrics {

const std::string& HostLabels::label(const std::string& host) {
  static const std::string kOther = "other";
  if (const auto found = named_.find(host); found != named_.end()) return *found;
  if (named_.size() >= limit_) return kOther;
  return *named_.insert(host).first;
}

}  // namespace paceline::metrics
