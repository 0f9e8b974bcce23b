// Bearer tokens from a registry's token service (distribution spec "Token Authentication", OAuth2 variant), for the
// daemon's own rights only. A token is kept until shortly before it expires and fetched once however many ask for it.
//
// Any thread but the network's; may block for network round trips. Borrowed by every repository.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "plugin/base/clock.h"
#include "plugin/base/secret.h"
#include "plugin/net/network_thread.h"
#include "plugin/registry/challenge.h"
#include "plugin/registry/credentials.h"
#include "plugin/registry/endpoint.h"
#include "plugin/registry/patient_fetch.h"
#include "plugin/registry/single_flight_cache.h"

namespace paceline::registry {

class TokenService {
 public:
  TokenService(net::NetworkThread& network, const Clock& clock, RetryPolicy retry = {});

  /// A token that lets `credential`'s owner pull `repository`, as `challenge` of `endpoint` describes.
  Result<Secret> token(const Challenge& challenge, const std::string& repository, const Credential& credential,
                       const Endpoint& endpoint);

  [[nodiscard]] const Clock& clock() const { return clock_; }

  enum class Refused { kStale, kFresh };
  /// The registry refused `token`: it is not handed out again. kFresh: it had only just been issued, so that another
  /// one would fare no better.
  Refused refuse(const std::string& token);

  /// What an endpoint asked for last, so that the next pull brings its token along with the first request.
  void remember(const std::string& endpoint, const std::string& repository, const Challenge& challenge);
  std::optional<Challenge> remembered(const std::string& endpoint, const std::string& repository);

 private:
  struct Issued {
    Secret token;
    TimePoint at;
  };
  using Tokens = SingleFlightCache<Issued>;

  Result<Tokens::Made> fetch(const std::string& realm, const std::string& service,
                             const std::vector<std::string>& scopes, const Credential& credential,
                             const Endpoint& endpoint);

  net::NetworkThread& network_;
  const Clock& clock_;
  const RetryPolicy retry_;
  Tokens tokens_;
  std::mutex mutex_;  // Guards challenges_.
  std::map<std::pair<std::string, std::string>, Challenge> challenges_;
};

}  // namespace paceline::registry
