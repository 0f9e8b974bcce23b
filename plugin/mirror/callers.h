// Which users of this machine the mirror answers. What it asks upstream may carry the node's client certificates and
// headers (hosts.toml): those are for who runs containerd and its clients, not for everybody who can reach loopback.
// A value; any thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

namespace paceline::mirror {

class Callers {
 public:
  /// Root, this process' own user, and `more`.
  explicit Callers(const std::vector<unsigned>& more = {});
  /// Nobody known (empty) is nobody allowed.
  [[nodiscard]] bool allowed(std::optional<uid_t> user) const;

 private:
  std::vector<uid_t> users_;
};

}  // namespace paceline::mirror
