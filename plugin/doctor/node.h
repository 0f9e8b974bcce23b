// A node as it was found: facts without a judgement. Value, any thread. What could not be found out is an Error, whose
// message says why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/result.h"
#include "plugin/config/config.h"
#include "plugin/doctor/containerd_config.h"
#include "plugin/doctor/hosts_files.h"

namespace paceline::doctor {

/// What the daemon says of itself.
struct Daemon {
  std::string version;
  std::int64_t process_id = 0;
};

struct Space {
  std::filesystem::path folder;
  std::uint64_t free_bytes = 0;
};

struct Services {
  bool daemon_enabled = false;    ///< pacelined.service starts at boot.
  bool containerd_after = false;  ///< containerd.service waits for it.
};

struct Node {
  bool root = false;  ///< Whoever looks is root.
  std::string own_version;
  std::string containerd_config_file;
  Result<ContainerdVersion> version = unknown();
  Result<ContainerdConfig> containerd = unknown();
  Result<std::vector<LoadedPlugin>> plugins = unknown();  ///< Of the containerd that runs.
  std::string daemon_config_file;
  bool daemon_config_absent = false;  ///< There is no such file, and `daemon_config` holds the defaults.
  Result<config::Config> daemon_config = unknown();
  Result<Daemon> daemon = unknown();
  std::optional<std::uint64_t> daemon_open_files;  ///< Its limit.
  Result<int> mirror_status = unknown();           ///< HTTP's, of a request to the mirror.
  Result<int> metrics_status = unknown();
  std::vector<HostsFile> hosts_files;
  std::optional<Space> content_space;
  std::optional<Services> services;  ///< None: systemd does not run here.
  bool overlay = false;              ///< The kernel knows overlayfs.
  bool snapshots_on_overlay = false;

 private:
  static tl::unexpected<Error> unknown() { return fail(Code::kUnavailable, "not looked at"); }
};

}  // namespace paceline::doctor
