// The Authorization header of each request to one repository, for one caller's rights.
//
// Two kinds, never mixed: the daemon's own (tokens and passwords from config.json, renewed as needed) and a caller's
// (exactly what the caller sent, only to the registry it was meant for, never renewed).
// Any thread but the network's; the own kind may block for network round trips.
#pragma once

#include <memory>
#include <string>

#include "plugin/registry/endpoint.h"
#include "plugin/registry/repository.h"

namespace paceline::registry {

class Authorizer {
 public:
  virtual ~Authorizer() = default;

  /// The header's value for a request to `endpoint`; empty: none is known to be needed.
  virtual Result<std::string> authorization(const Endpoint& endpoint) = 0;

  /// `endpoint` answered 401 with `challenge` to a request that carried `rejected`. Ok: authorization() now has
  /// another.
  virtual Status challenged(const Endpoint& endpoint, const std::string& challenge, const std::string& rejected) = 0;

  /// Whether a 401 of `endpoint` may be shown to the caller, who would answer it with its credentials.
  [[nodiscard]] virtual bool may_show_challenge(const Endpoint& endpoint) const = 0;

  /// How long it has waited for token services so far.
  [[nodiscard]] virtual Duration waited() const { return Duration{0}; }
};

std::unique_ptr<Authorizer> make_own_authorizer(CredentialStore& credentials, TokenService& tokens,
                                                std::string repository);
/// `upstream`: the registry's own base URL, the only origin that gets the header.
std::unique_ptr<Authorizer> make_caller_authorizer(Secret authorization, std::string upstream);

}  // namespace paceline::registry
