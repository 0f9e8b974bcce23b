#include "plugin/api/pull_control.h"

namespace paceline::api {

std::string ManagedPulls::start_prefetch(const pull::PrefetchRequest& request) {
  return manager_.start_prefetch(request);
}

std::vector<pull::PullSnapshot> ManagedPulls::pulls() const { return manager_.pulls(); }

std::optional<pull::PullSnapshot> ManagedPulls::find(const std::string& id) const { return manager_.find(id); }

Status ManagedPulls::cancel(const std::string& id) { return manager_.cancel(id); }

std::vector<pull::PathSnapshot> ManagedPulls::paths() const { return manager_.paths(); }

}  // namespace paceline::api
