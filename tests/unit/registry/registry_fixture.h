// A registry client whose settings lie in a temporary folder, whose clock a test moves and whose network is real.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "plugin/base/clock.h"
#include "plugin/base/digest.h"
#include "plugin/registry/base64.h"
#include "plugin/registry/credentials.h"
#include "plugin/registry/hosts_directory.h"
#include "plugin/registry/repository.h"
#include "plugin/registry/token_service.h"
#include "tests/support/fake_server.h"
#include "tests/support/temp_dir.h"

namespace paceline::registry {

class ManualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return TimePoint(Duration(nanoseconds_.load())); }
  [[nodiscard]] WallTime wall() const override { return std::chrono::system_clock::now(); }
  void advance(Duration by) { nanoseconds_ += by.count(); }

 private:
  std::atomic<std::int64_t> nanoseconds_ = 1'000'000'000'000;
};

inline constexpr const char* kRegistry = "registry.test";
inline constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";

class RegistryTest : public testing::Test {
 protected:
  static RetryPolicy quick() { return {3, std::chrono::milliseconds(1), std::chrono::seconds(5)}; }

  /// Settings of kRegistry: `mirrors` in order, then `server`.
  void set_hosts(const std::string& server, const std::vector<std::string>& mirrors = {}) {
    std::string text = "server = \"" + server + "\"\n";
    for (const auto& mirror : mirrors) text += "[host.\"" + mirror + "\"]\n";
    std::filesystem::create_directories(dir_.path() / "certs.d" / kRegistry);
    dir_.write("certs.d/" + std::string(kRegistry) + "/hosts.toml", text);
  }
  void set_login(const std::string& host, const std::string& user_and_password) {
    const nlohmann::json config = {{"auths", {{host, {{"auth", base64_encode(user_and_password)}}}}}};
    dir_.write("config.json", config.dump());
  }
  std::shared_ptr<Repository> own(const std::string& repository = "team/app") {
    return registries_.open(kRegistry, repository, Access{Access::Kind::kOwn, {}});
  }
  std::shared_ptr<Repository> caller(const std::string& authorization, const std::string& repository = "team/app") {
    return registries_.open(kRegistry, repository, Access{Access::Kind::kCaller, Secret(authorization)});
  }

  test::TempDir dir_;
  ManualClock clock_;
  net::NetworkThread network_{net::NetworkOptions{}};
  HostsDirectory hosts_{{dir_.path() / "certs.d"}};
  // Longer than a helper takes on a busy machine, shorter than what the tests' helpers sleep.
  CredentialStore credentials_{
      {dir_.path() / "config.json"}, CredentialHelper(dir_.path().string(), std::chrono::seconds(30)), clock_};
  TokenService tokens_{network_, clock_, quick()};
  Registries registries_{RegistryContext{network_, hosts_, credentials_, tokens_, clock_, quick()}};
};

}  // namespace paceline::registry
