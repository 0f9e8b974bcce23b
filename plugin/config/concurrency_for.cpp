// Finds the [concurrency.registry."HOST"] that a user meant: a registry has more than one spelling.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/config/config.h"

namespace paceline::config {
namespace {

constexpr std::array<std::string_view, 3> kDockerHub = {"docker.io", "index.docker.io", "registry-1.docker.io"};
constexpr std::string_view kHttpsPort = ":443";

// The exact name first, then the host whatever its port, then the host with the port that need not be written.
std::vector<std::string> spellings(const std::string& name) {
  const auto colon = name.rfind(':');
  const bool has_port = colon != std::string::npos && !name.ends_with(']');
  const std::string host = has_port ? name.substr(0, colon) : name;
  std::vector<std::string> out = {name, host};
  if (!has_port) out.push_back(host + std::string(kHttpsPort));
  if (std::ranges::find(kDockerHub, host) == kDockerHub.end()) return out;
  for (const auto alias : kDockerHub) {
    out.emplace_back(alias);
    out.push_back(std::string(alias) + std::string(kHttpsPort));
  }
  return out;
}

}  // namespace

const Concurrency& concurrency_for(const Config& config, const std::string& host, const std::string& registry) {
  for (const std::string& asked : {host, registry}) {
    for (const std::string& name : spellings(asked)) {
      const auto own = config.concurrency_by_registry.find(name);
      if (own != config.concurrency_by_registry.end()) return own->second;
    }
  }
  return config.concurrency;
}

}  // namespace paceline::config
