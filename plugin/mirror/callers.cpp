#include "plugin/mirror/callers.h"

#include <unistd.h>

#include <algorithm>

namespace paceline::mirror {

Callers::Callers(const std::vector<unsigned>& more) : users_(more.begin(), more.end()) {
  users_.push_back(0);
  users_.push_back(::geteuid());
}

bool Callers::allowed(std::optional<uid_t> user) const {
  return user && std::find(users_.begin(), users_.end(), *user) != users_.end();
}

}  // namespace paceline::mirror
