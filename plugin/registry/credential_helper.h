// Runs Docker's credential helpers: `docker-credential-NAME get`, the server on stdin, a JSON answer on stdout.
// No shell; bounded in time and output; what it prints never reaches an error or a log. Any thread; blocks.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "plugin/base/clock.h"
#include "plugin/base/result.h"
#include "plugin/base/secret.h"

namespace paceline::registry {

struct HelperAnswer {
  std::string username;
  Secret secret;
};

class CredentialHelper {
 public:
  /// `search_path`: as PATH. A helper still running after `timeout` is killed with everything it started.
  explicit CredentialHelper(std::string search_path, Duration timeout = std::chrono::seconds(20))
      : search_path_(std::move(search_path)), timeout_(timeout) {}

  /// Empty: the helper knows no credentials for `server`.
  [[nodiscard]] Result<std::optional<HelperAnswer>> get(const std::string& name, const std::string& server) const;

 private:
  std::string search_path_;
  Duration timeout_;
};

}  // namespace paceline::registry
