#include "plugin/registry/hosts_toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <tuple>

#include "plugin/base/log.h"
#include "plugin/base/text.h"

namespace paceline::registry {
namespace fs = std::filesystem;
namespace {

const std::vector<std::string> kHostKeys = {"capabilities",  "ca",          "client", "skip_verify", "header",
                                            "override_path", "dial_timeout"};

// One file while it is read: knows its name and folder for messages and relative paths.
class File {
 public:
  File(fs::path path, const std::string& registry) : path_(std::move(path)), registry_(registry) {}

  Result<std::vector<Endpoint>> read(const toml::table& root) const;

 private:
  using Place = std::pair<toml::source_index, toml::source_index>;

  Error error(const toml::node& at, const std::string& message) const {
    return {Code::kInvalidArgument, path_.string() + ":" + std::to_string(place(at).first) + ": " + message};
  }

  // Where a node was written. A table that only sub-tables mention has no place of its own: its first child's counts.
  static Place place(const toml::node& node) {
    const auto& begin = node.source().begin;
    if (begin.line > 0) return {begin.line, begin.column};
    Place first{0, 0};
    if (const auto* table = node.as_table()) {
      for (const auto& [key, child] : *table) {
        const Place there = place(child);
        if (there.first > 0 && (first.first == 0 || there < first)) first = there;
      }
    }
    return first;
  }

  Result<Endpoint> read_mirror(const std::string& url, const toml::node& node) const;
  Result<Endpoint> read_server(const toml::table& root) const;
  Status read_settings(const toml::table& table, bool is_root, Endpoint& out) const;
  Status read_setting(const std::string& key, const toml::node& value, Endpoint& out) const;
  Status read_capabilities(const toml::node& value, Endpoint& out) const;
  Status read_ca(const toml::node& value, Endpoint& out) const;
  Status read_client(const toml::node& value, Endpoint& out) const;
  Status read_headers(const toml::node& value, Endpoint& out) const;
  Result<bool> read_bool(const toml::table& table, const char* key) const;
  Result<std::string> read_path(const toml::node& value, const char* key) const;

  fs::path path_;
  const std::string& registry_;
};

Result<std::vector<Endpoint>> File::read(const toml::table& root) const {
  std::vector<Endpoint> out;
  if (const toml::node* host = root.get("host")) {
    const auto* table = host->as_table();
    if (table == nullptr) return fail(error(*host, "host is not a table: write [host.\"https://mirror.example\"]"));
    // The parser sorts tables by name, but the order of the file is the order of preference.
    std::vector<std::tuple<Place, std::string, const toml::node*>> hosts;
    for (const auto& [key, node] : *table) hosts.emplace_back(place(node), std::string(key.str()), &node);
    std::sort(hosts.begin(), hosts.end());
    for (const auto& [where, url, node] : hosts) {
      auto mirror = read_mirror(url, *node);
      if (!mirror) return fail(mirror.error());
      out.push_back(std::move(*mirror));
    }
  }
  auto server = read_server(root);
  if (!server) return fail(server.error());
  out.push_back(std::move(*server));
  return out;
}

Result<Endpoint> File::read_mirror(const std::string& url, const toml::node& node) const {
  const auto* table = node.as_table();
  if (table == nullptr) return fail(error(node, "host.\"" + url + "\" is not a table"));
  const auto override_path = read_bool(*table, "override_path");
  if (!override_path) return fail(override_path.error());
  auto endpoint = endpoint_of(url, *override_path);
  if (!endpoint) return fail(error(node, endpoint.error().message));
  if (auto status = read_settings(*table, false, *endpoint); !status) return fail(status.error());
  return endpoint;
}

Result<Endpoint> File::read_server(const toml::table& root) const {
  const toml::node* server = root.get("server");
  if (server != nullptr && !server->is_string()) return fail(error(*server, "server is not a string"));
  const std::string url = server == nullptr ? "" : server->ref<std::string>();
  Endpoint out = default_endpoint(registry_);
  if (!url.empty()) {
    const auto override_path = read_bool(root, "override_path");
    if (!override_path) return fail(override_path.error());
    auto named = endpoint_of(url, *override_path);
    if (!named) return fail(error(*server, named.error().message));
    out = std::move(*named);
    out.upstream = true;
  }
  if (auto status = read_settings(root, true, out); !status) return fail(status.error());
  // containerd gives the server it had to guess every capability, whatever the file says.
  if (url.empty()) out.pull = out.resolve = true;
  return out;
}

Status File::read_settings(const toml::table& table, bool is_root, Endpoint& out) const {
  for (const auto& [name, value] : table) {
    const std::string key(name.str());
    if (is_root && (key == "server" || key == "host")) continue;
    if (std::find(kHostKeys.begin(), kHostKeys.end(), key) == kHostKeys.end()) {
      const std::string near = nearest_word(key, kHostKeys);
      spdlog::warn("{}:{}: unknown key '{}' is ignored{}", path_.string(), place(value).first, key,
                   near.empty() ? "" : " (did you mean '" + near + "'?)");
      continue;
    }
    if (auto status = read_setting(key, value, out); !status) return status;
  }
  return {};
}

Status File::read_setting(const std::string& key, const toml::node& value, Endpoint& out) const {
  if (key == "capabilities") return read_capabilities(value, out);
  if (key == "ca") return read_ca(value, out);
  if (key == "client") return read_client(value, out);
  if (key == "header") return read_headers(value, out);
  if (key == "skip_verify") {
    if (!value.is_boolean()) return fail(error(value, "skip_verify is neither true nor false"));
    out.tls.skip_verify = value.ref<bool>();
  }
  if (key == "dial_timeout") {
    if (!value.is_string()) return fail(error(value, "dial_timeout is not a duration: write e.g. \"3s\""));
    const auto timeout = parse_duration(value.ref<std::string>());
    if (!timeout) return fail(error(value, "dial_timeout: " + timeout.error().message));
    if (timeout->count() > 0) out.connect_timeout = *timeout;
  }
  return {};
}

Status File::read_capabilities(const toml::node& value, Endpoint& out) const {
  const auto* list = value.as_array();
  if (list == nullptr) return fail(error(value, "capabilities is not a list: write e.g. [\"pull\", \"resolve\"]"));
  if (list->empty()) return {};
  out.pull = out.resolve = false;
  for (const auto& element : *list) {
    const std::string name = element.is_string() ? to_lower(element.ref<std::string>()) : "";
    if (name == "pull") {
      out.pull = true;
    } else if (name == "resolve") {
      out.resolve = true;
    } else if (name != "push" && name != "referrers") {
      return fail(error(element, "unknown capability '" + name + "': expected pull, resolve or push"));
    }
  }
  return {};
}

Result<std::string> File::read_path(const toml::node& value, const char* key) const {
  if (!value.is_string() || value.ref<std::string>().empty()) {
    return fail(error(value, std::string(key) + " is not the path of a file"));
  }
  return (path_.parent_path() / value.ref<std::string>()).lexically_normal().string();
}

Status File::read_ca(const toml::node& value, Endpoint& out) const {
  const auto add = [&](const toml::node& node) -> Status {
    auto path = read_path(node, "ca");
    if (!path) return fail(path.error());
    out.tls.ca_files.push_back(std::move(*path));
    return {};
  };
  const auto* list = value.as_array();
  if (list == nullptr) return add(value);
  for (const auto& element : *list) {
    if (auto status = add(element); !status) return status;
  }
  return {};
}

// "file", ["file", …] or [["cert", "key"], …]. One TLS connection offers one certificate: the first is used.
Status File::read_client(const toml::node& value, Endpoint& out) const {
  const toml::node* first = &value;
  if (const auto* list = value.as_array()) {
    if (list->empty()) return {};
    if (list->size() > 1) {
      spdlog::warn("{}:{}: several client certificates: the first is used", path_.string(), place(value).first);
    }
    first = list->get(0);
  }
  const toml::node* key = nullptr;
  if (const auto* pair = first->as_array()) {
    if (pair->size() != 2) return fail(error(*first, "a client pair is [\"certificate\", \"key\"]"));
    first = pair->get(0);
    key = pair->get(1);
  }
  auto cert_path = read_path(*first, "client");
  if (!cert_path) return fail(cert_path.error());
  out.tls.client_cert = std::move(*cert_path);
  if (key != nullptr && !(key->is_string() && key->ref<std::string>().empty())) {
    auto key_path = read_path(*key, "client");
    if (!key_path) return fail(key_path.error());
    out.tls.client_key = std::move(*key_path);
  }
  return {};
}

Status File::read_headers(const toml::node& value, Endpoint& out) const {
  const auto* table = value.as_table();
  if (table == nullptr) return fail(error(value, "header is not a table"));
  const auto add = [&](const std::string& name, const toml::node& node) -> Status {
    if (!node.is_string()) return fail(error(node, "header '" + name + "' is not a string or a list of strings"));
    const auto& text = node.ref<std::string>();
    if (name.empty() || name.find_first_of(" \t\r\n:") != std::string::npos ||
        text.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return fail(error(node, "header '" + name + "' holds a character that headers must not have"));
    }
    out.headers.add(name, text);
    return {};
  };
  for (const auto& [key, node] : *table) {
    const std::string name(key.str());
    const auto* list = node.as_array();
    if (list == nullptr) {
      if (auto status = add(name, node); !status) return status;
      continue;
    }
    for (const auto& element : *list) {
      if (auto status = add(name, element); !status) return status;
    }
  }
  return {};
}

Result<bool> File::read_bool(const toml::table& table, const char* key) const {
  const toml::node* node = table.get(key);
  if (node == nullptr) return false;
  if (!node->is_boolean()) return fail(error(*node, std::string(key) + " is neither true nor false"));
  return node->ref<bool>();
}

}  // namespace

Result<std::vector<Endpoint>> parse_hosts_toml(const std::string& text, const fs::path& file,
                                               const std::string& registry) {
  try {
    const toml::table root = toml::parse(text, file.string());
    return File(file, registry).read(root);
  } catch (const toml::parse_error& problem) {
    return fail(Code::kInvalidArgument, file.string() + ":" + std::to_string(problem.source().begin.line) + ": " +
                                            std::string(problem.description()));
  } catch (const std::exception& problem) {
    return fail(Code::kInvalidArgument, file.string() + ": " + problem.what());
  }
}

}  // namespace paceline::registry
