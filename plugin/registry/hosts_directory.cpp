#include "plugin/registry/hosts_directory.h"

#include <algorithm>
#include <set>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/net/url.h"
#include "plugin/oci/reference.h"
#include "plugin/registry/file_stamp.h"
#include "plugin/registry/hosts_toml.h"

namespace paceline::registry {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMaxFileBytes = 1U << 20U;
// A client of the mirror may name any registry: the cache must not grow with what it thinks of.
constexpr std::size_t kMaxCached = 1000;

// "host:5000" is also looked for as "host_5000_", for file systems that have no colons (containerd, hostDirectory).
std::string without_colon(const std::string& registry) {
  const auto colon = registry.rfind(':');
  if (colon == std::string::npos || colon == 0) return registry;
  return registry.substr(0, colon) + "_" + registry.substr(colon + 1) + "_";
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// Docker's layout, for a folder without hosts.toml: *.crt are trusted, *.cert with its *.key is shown to the server.
Result<std::vector<Endpoint>> load_certificates(const fs::path& folder, const std::string& registry) {
  std::error_code error;
  std::set<fs::path> files;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    files.insert(it->path());
  if (error) return fail(errno_error(error.value(), "read " + folder.string()));

  Endpoint out = default_endpoint(registry);
  for (const auto& file : files) {
    if (file.extension() == ".crt") out.tls.ca_files.push_back(file.string());
    if (file.extension() == ".cert" && out.tls.client_cert.empty()) {
      out.tls.client_cert = file.string();
      fs::path key = file;
      key.replace_extension(".key");
      if (is_there(key)) out.tls.client_key = key.string();
    }
  }
  return std::vector<Endpoint>{std::move(out)};
}

Result<std::vector<Endpoint>> load(const fs::path& folder, const std::string& registry) {
  if (folder.empty()) return std::vector<Endpoint>{default_endpoint(registry)};
  const fs::path file = folder / "hosts.toml";
  auto text = read_file(file, kMaxFileBytes);
  if (!text && text.error().code != Code::kNotFound) return fail(text.error());
  if (!text || trim(*text).empty()) return load_certificates(folder, registry);
  return parse_hosts_toml(*text, file, registry);
}

bool is_same_mirror(const Endpoint& endpoint, const std::string& mirror) {
  if (mirror.empty()) return false;
  const auto own = net::host_key("http://" + mirror + "/");
  const auto theirs = net::host_key(endpoint.base);
  if (!own || !theirs) return false;
  if (*own == *theirs) return true;
  // localhost, 127.0.0.1 and [::1] are the same mirror.
  return is_loopback(*own) && is_loopback(*theirs) &&
         own->substr(own->rfind(':')) == theirs->substr(theirs->rfind(':'));
}

}  // namespace

HostsDirectory::HostsDirectory(std::vector<fs::path> roots, std::string own_mirror)
    : roots_(std::move(roots)), own_mirror_(std::move(own_mirror)) {}

Result<std::vector<Endpoint>> HostsDirectory::endpoints(const std::string& registry) {
  // Part of a path below: the check keeps "../.." out.
  if (auto valid = oci::Reference::check_registry(registry); !valid) return fail(valid.error());
  const fs::path folder = find_folder(registry);
  std::string stamp = folder.string();
  if (!folder.empty()) stamp += "|" + file_stamp(folder) + "|" + file_stamp(folder / "hosts.toml");
  std::string own_mirror;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = cache_.find(registry); found != cache_.end() && found->second.stamp == stamp) {
      return found->second.endpoints;
    }
    own_mirror = own_mirror_;
  }
  auto loaded = load(folder, registry);
  if (loaded) std::erase_if(*loaded, [&](const Endpoint& endpoint) { return is_same_mirror(endpoint, own_mirror); });
  const std::lock_guard lock(mutex_);
  if (cache_.size() >= kMaxCached) cache_.clear();
  cache_.insert_or_assign(registry, Cached{std::move(stamp), loaded});
  return loaded;
}

void HostsDirectory::set_own_mirror(std::string own_mirror) {
  const std::lock_guard lock(mutex_);
  own_mirror_ = std::move(own_mirror);
  cache_.clear();
}

fs::path HostsDirectory::find_folder(const std::string& registry) const {
  for (const std::string& name : {without_colon(registry), registry, std::string("_default")}) {
    for (const auto& root : roots_) {
      if (is_there(root / name)) return root / name;
    }
  }
  return {};
}

}  // namespace paceline::registry
