#include "plugin/net/connection_limits.h"

#include <algorithm>

namespace paceline::net {

void ConnectionLimits::set(const std::string& host, unsigned most) {
  if (most == 0) {
    limits_.erase(host);
  } else {
    limits_[host] = most;
  }
}

bool ConnectionLimits::enter(const std::string& host) {
  const unsigned most = limit(host);
  unsigned& running = running_[host];
  if (most > 0 && running >= most) return false;
  ++running;
  return true;
}

void ConnectionLimits::leave(const std::string& host) {
  const auto it = running_.find(host);
  if (it != running_.end() && --it->second == 0) running_.erase(it);
}

unsigned ConnectionLimits::highest() const {
  if (usual_ == 0) return 0;
  unsigned most = usual_;
  for (const auto& [host, limit] : limits_) most = std::max(most, limit);
  return most;
}

unsigned ConnectionLimits::limit(const std::string& host) const {
  const auto it = limits_.find(host);
  return it == limits_.end() ? usual_ : it->second;
}

}  // namespace paceline::net
