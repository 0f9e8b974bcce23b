// An image in its registry, read without the daemon: what it needs to ask a registry, and each layer as a stream of
// byte ranges. Nothing is stored; a layer holds two ranges in memory at most.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "plugin/analyze/image_source.h"
#include "plugin/base/clock.h"
#include "plugin/oci/platform.h"
#include "plugin/oci/reference.h"

namespace paceline::analyze {

struct RegistrySettings {
  std::vector<std::filesystem::path> certs_dirs;      ///< Of hosts.toml, as the daemon's registry.certs_dirs.
  std::vector<std::filesystem::path> docker_configs;  ///< Credentials, as registry.docker_configs.
  /// host:port of the daemon's mirror, which is skipped where hosts.toml names it: it need not run, and asking it would
  /// begin a pull. Empty: none.
  std::string own_mirror;
  Duration stall_window = std::chrono::seconds(15);  ///< As fetch.stall_window: so long a range may stand still.
};

Result<std::unique_ptr<ImageSource>> open_registry_image(const oci::Reference& reference, const oci::Platform& platform,
                                                         const RegistrySettings& settings);

}  // namespace paceline::analyze
