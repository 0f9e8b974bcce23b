#include "plugin/net/request_tally.h"

namespace paceline::net {

void RequestTally::count(const std::string& host, int status) {
  const std::lock_guard lock(mutex_);
  const auto known = counts_.find({host, status});
  if (known != counts_.end()) {
    ++known->second;
  } else {
    ++counts_[{counts_.size() < most_ ? host : std::string(), status}];
  }
}

std::vector<RequestCount> RequestTally::counts() const {
  const std::lock_guard lock(mutex_);
  std::vector<RequestCount> out;
  out.reserve(counts_.size());
  for (const auto& [key, count] : counts_) out.push_back({key.first, key.second, count});
  return out;
}

}  // namespace paceline::net
