// The daemon's own credentials, from Docker's config.json files and their credential helpers. Files are read again when
// they change, so that `docker login` needs no restart. Any thread; may run a helper, so it may block for seconds.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/result.h"
#include "plugin/base/secret.h"
#include "plugin/registry/credential_helper.h"
#include "plugin/registry/single_flight_cache.h"

namespace paceline::registry {

/// What is known for one registry; all empty: nothing, ask anonymously.
struct Credential {
  std::string username;
  Secret password;
  Secret identity_token;  ///< To be exchanged at the token service.
  Secret registry_token;  ///< A bearer token as it is.

  [[nodiscard]] bool empty() const { return password.empty() && identity_token.empty() && registry_token.empty(); }
  /// Tells credentials apart without being one: a digest.
  [[nodiscard]] std::string identity() const;
  bool operator==(const Credential&) const = default;
};

class CredentialStore {
 public:
  /// `files`: the first that knows the registry wins; a missing one is fine.
  CredentialStore(std::vector<std::filesystem::path> files, CredentialHelper helper, const Clock& clock);
  ~CredentialStore();

  /// For the host of an endpoint ("registry-1.docker.io" finds Docker Hub's entry).
  Result<Credential> find(const std::string& host);
  /// The registry refused what find() answered: ask the helper anew.
  void forget(const std::string& host);

 private:
  struct File;

  Result<std::shared_ptr<const nlohmann::json>> read(File& file);
  Result<Credential> find_in(const nlohmann::json& config, const std::string& host);
  Result<Credential> ask_helper(const std::string& helper, const std::string& server);

  CredentialHelper helper_;
  const Clock& clock_;
  std::mutex mutex_;  // Guards files_.
  std::vector<std::unique_ptr<File>> files_;
  SingleFlightCache<Credential> helper_answers_;
};

}  // namespace paceline::registry
