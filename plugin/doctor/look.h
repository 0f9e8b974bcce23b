// Looks at this node: runs containerd, ctr and systemctl, reads files, asks the daemon's ports. Changes nothing.
// Thread rule: one thread; blocks, each program ten seconds at most.
#pragma once

#include "plugin/doctor/node.h"

namespace paceline::doctor {

struct Places {
  std::string search_path;  ///< As PATH.
  std::string containerd_config = "/etc/containerd/config.toml";
  std::string daemon_config = "/etc/paceline/config.toml";
};

/// All but what only the daemon's API tells (`Node::daemon`, `Node::own_version`).
Node look(const Places& places);

/// The limit of open files of a process; none if it cannot be read.
std::optional<std::uint64_t> open_files_limit(std::int64_t process_id);

}  // namespace paceline::doctor
