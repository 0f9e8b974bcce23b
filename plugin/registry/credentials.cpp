#include "plugin/registry/credentials.h"

#include <nlohmann/json.hpp>

#include "plugin/base/digest.h"
#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/oci/json.h"
#include "plugin/registry/base64.h"
#include "plugin/registry/file_stamp.h"

namespace paceline::registry {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr std::string_view kDockerHubKey = "https://index.docker.io/v1/";  // Since Docker 0.x, and still.
constexpr std::string_view kTokenUser = "<token>";  // A helper says: the secret is an identity token.
constexpr std::size_t kMaxFileBytes = 4U << 20U;
// A helper's answers live for hours (ECR: 12 h); this spares a process per request and follows a change soon.
constexpr auto kHelperAnswerLife = std::chrono::minutes(2);

bool is_docker_hub(std::string_view host) {
  return host == "docker.io" || host == "registry-1.docker.io" || host == "index.docker.io";
}

// "https://ghcr.io/v2/" and "ghcr.io" are the same entry.
std::string key_host(std::string_view key) {
  if (const auto scheme = key.find("://"); scheme != std::string_view::npos) key.remove_prefix(scheme + 3);
  return to_lower(key.substr(0, key.find('/')));
}

const json* object_member(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? &*found : nullptr;
}

// The entry for a host in "auths" or "credHelpers": by the exact key, else by any key that means the same host.
const json* entry_for(const json* table, const std::string& host, std::string* key = nullptr) {
  if (table == nullptr) return nullptr;
  const std::string exact = is_docker_hub(host) ? std::string(kDockerHubKey) : host;
  const auto found = table->find(exact);
  if (found != table->end()) {
    if (key != nullptr) *key = exact;
    return &*found;
  }
  for (const auto& [name, value] : table->items()) {
    const std::string named = key_host(name);
    if (named == to_lower(host) || (is_docker_hub(host) && is_docker_hub(named))) {
      if (key != nullptr) *key = name;
      return &value;
    }
  }
  return nullptr;
}

Result<Credential> read_auth(const json& entry, const std::string& host) {
  Credential out;
  out.username = oci::string_member(entry, "username");
  out.password = Secret(oci::string_member(entry, "password"));
  out.identity_token = Secret(oci::string_member(entry, "identitytoken"));
  out.registry_token = Secret(oci::string_member(entry, "registrytoken"));
  const std::string packed = oci::string_member(entry, "auth");
  if (packed.empty()) return out;
  const auto plain = base64_decode(trim(packed));
  const auto colon = plain ? plain->find(':') : std::string::npos;
  if (colon == std::string::npos) {
    return fail(Code::kInvalidArgument,
                "auths entry for " + host + ": auth is not base64 of user:password: log in again");
  }
  out.username = plain->substr(0, colon);
  std::string password = plain->substr(colon + 1);
  while (!password.empty() && password.back() == '\0') password.pop_back();  // Old Docker clients padded with NULs.
  out.password = Secret(std::move(password));
  return out;
}

}  // namespace

struct CredentialStore::File {
  fs::path path;
  std::string stamp;
  std::shared_ptr<const json> content;
};

std::string Credential::identity() const {
  if (empty()) return "anonymous";
  std::string all;
  for (const std::string* part : {&username, &password.reveal(), &identity_token.reveal(), &registry_token.reveal()}) {
    all += std::to_string(part->size()) + ":" + *part;
  }
  return sha256(all).hex();
}

CredentialStore::CredentialStore(std::vector<fs::path> files, CredentialHelper helper, const Clock& clock)
    : helper_(std::move(helper)), clock_(clock), helper_answers_(clock) {
  for (auto& path : files) files_.push_back(std::make_unique<File>(File{std::move(path), {}, {}}));
}

CredentialStore::~CredentialStore() = default;

Result<Credential> CredentialStore::find(const std::string& host) {
  std::vector<std::shared_ptr<const json>> configs;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& file : files_) {
      auto config = read(*file);
      if (!config) return fail(config.error());
      if (*config) configs.push_back(std::move(*config));
    }
  }
  for (const auto& config : configs) {
    auto credential = find_in(*config, host);
    if (!credential || !credential->empty()) return credential;
  }
  return Credential{};
}

Result<std::shared_ptr<const json>> CredentialStore::read(File& file) {
  const std::string stamp = file_stamp(file.path);
  if (stamp == file.stamp) return file.content;
  auto text = read_file(file.path, kMaxFileBytes);
  if (!text) {
    const bool unreadable = text.error().code == Code::kPermissionDenied;
    if (!unreadable && text.error().code != Code::kNotFound) return fail(text.error());
    // A default path may be closed to a daemon that does not run as root: said once, then asked anonymously.
    if (unreadable) spdlog::warn("credentials are not used: {}", text.error().message);
    file.stamp = stamp;
    file.content = nullptr;
    return file.content;
  }
  auto parsed = oci::parse_json_object(*text, file.path.string());
  if (!parsed) return fail(parsed.error());
  file.stamp = stamp;
  file.content = std::make_shared<const json>(std::move(*parsed));
  return file.content;
}

Result<Credential> CredentialStore::find_in(const json& config, const std::string& host) {
  const json* auths = object_member(config, "auths");
  std::string auth_key = is_docker_hub(host) ? std::string(kDockerHubKey) : host;
  const json* auth = entry_for(auths, host, &auth_key);

  std::string helper = oci::string_member(config, "credsStore");
  std::string server = auth_key;
  if (const json* named = entry_for(object_member(config, "credHelpers"), host, &server)) {
    helper = named->is_string() ? named->get<std::string>() : "";
  }
  if (!helper.empty()) {
    auto answer = ask_helper(helper, server);
    if (!answer || !answer->empty()) return answer;
  }
  if (auth == nullptr) return Credential{};
  return read_auth(*auth, host);
}

Result<Credential> CredentialStore::ask_helper(const std::string& helper, const std::string& server) {
  return helper_answers_.get(helper + " " + server, [&]() -> Result<SingleFlightCache<Credential>::Made> {
    auto answer = helper_.get(helper, server);
    if (!answer) return fail(answer.error());
    Credential out;
    if (*answer && (*answer)->username == kTokenUser) {
      out.identity_token = (*answer)->secret;
    } else if (*answer) {
      out.username = (*answer)->username;
      out.password = (*answer)->secret;
    }
    return SingleFlightCache<Credential>::Made{std::move(out), clock_.now() + kHelperAnswerLife};
  });
}

void CredentialStore::forget(const std::string& host) {
  helper_answers_.drop([&](const std::string& key, const Credential&) {
    const std::string server = key_host(key.substr(key.find(' ') + 1));
    return server == to_lower(host) || (is_docker_hub(host) && is_docker_hub(server));
  });
}

}  // namespace paceline::registry
