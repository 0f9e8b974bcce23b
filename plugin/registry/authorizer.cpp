#include "plugin/registry/authorizer.h"

#include <atomic>

#include "plugin/net/url.h"
#include "plugin/registry/base64.h"
#include "plugin/registry/challenge.h"
#include "plugin/registry/credentials.h"
#include "plugin/registry/token_service.h"

namespace paceline::registry {
namespace {

constexpr std::string_view kBearer = "Bearer ";

// Whether both ask for the same token; an error parameter may differ.
bool same_grant(const Challenge& a, const Challenge& b) {
  return a.scheme == b.scheme && a.parameter("realm") == b.parameter("realm") &&
         a.parameter("service") == b.parameter("service") && a.parameter("scope") == b.parameter("scope");
}

class OwnAuthorizer final : public Authorizer {
 public:
  OwnAuthorizer(CredentialStore& credentials, TokenService& tokens, std::string repository)
      : credentials_(credentials), tokens_(tokens), repository_(std::move(repository)) {}

  Result<std::string> authorization(const Endpoint& endpoint) override {
    const auto challenge = tokens_.remembered(endpoint.base, repository_);
    if (!challenge) return std::string();
    auto credential = credentials_.find(endpoint.host);
    if (!credential) return fail(credential.error());
    if (challenge->scheme == "basic") {
      if (credential->password.empty()) return std::string();
      return "Basic " + base64_encode(credential->username + ":" + credential->password.reveal());
    }
    const TimePoint before = tokens_.clock().now();
    auto token = tokens_.token(*challenge, repository_, *credential, endpoint);
    waited_ += (tokens_.clock().now() - before).count();
    if (!token) return fail(token.error());
    return std::string(kBearer) + token->reveal();
  }

  Status challenged(const Endpoint& endpoint, const std::string& challenge, const std::string& rejected) override {
    const auto chosen = choose_challenge(parse_challenges(challenge));
    if (!chosen) {
      return fail(Code::kUnauthenticated,
                  endpoint.host + " asks for an authentication that is neither Bearer nor Basic");
    }
    const auto before = tokens_.remembered(endpoint.base, repository_);
    tokens_.remember(endpoint.base, repository_, *chosen);
    if (rejected.starts_with(kBearer)) {
      const auto verdict = tokens_.refuse(rejected.substr(kBearer.size()));
      if (verdict == TokenService::Refused::kFresh && before && same_grant(*before, *chosen)) return refused(endpoint);
    } else if (!rejected.empty()) {
      credentials_.forget(endpoint.host);
    }
    auto renewed = authorization(endpoint);
    if (!renewed) return fail(renewed.error());
    if (renewed->empty()) {
      return fail(Code::kUnauthenticated, endpoint.host + "/" + repository_ +
                                              " needs credentials and config.json has none for " + endpoint.host +
                                              ": log in, or name a credential helper");
    }
    if (*renewed == rejected) return refused(endpoint);
    return {};
  }

  [[nodiscard]] bool may_show_challenge(const Endpoint&) const override { return true; }

  [[nodiscard]] Duration waited() const override { return Duration(waited_.load()); }

 private:
  [[nodiscard]] Status refused(const Endpoint& endpoint) const {
    return fail(Code::kUnauthenticated, endpoint.host + " refuses the credentials in config.json for " + repository_ +
                                            ": they are wrong, or do not allow pulling it");
  }

  CredentialStore& credentials_;
  TokenService& tokens_;
  const std::string repository_;
  std::atomic<Duration::rep> waited_{0};
};

class CallerAuthorizer final : public Authorizer {
 public:
  CallerAuthorizer(Secret authorization, std::string upstream)
      : authorization_(std::move(authorization)), upstream_(std::move(upstream)) {}

  Result<std::string> authorization(const Endpoint& endpoint) override {
    return may_show_challenge(endpoint) ? authorization_.reveal() : std::string();
  }

  Status challenged(const Endpoint& endpoint, const std::string&, const std::string&) override {
    return fail(Code::kUnauthenticated,
                endpoint.host + (authorization_.empty() ? " needs credentials" : " refuses the caller's credentials"));
  }

  // Its credentials are for the registry, so only the registry's challenges are its to answer.
  [[nodiscard]] bool may_show_challenge(const Endpoint& endpoint) const override {
    return endpoint.upstream || net::same_origin(endpoint.base, upstream_);
  }

 private:
  const Secret authorization_;
  const std::string upstream_;
};

}  // namespace

std::unique_ptr<Authorizer> make_own_authorizer(CredentialStore& credentials, TokenService& tokens,
                                                std::string repository) {
  return std::make_unique<OwnAuthorizer>(credentials, tokens, std::move(repository));
}

std::unique_ptr<Authorizer> make_caller_authorizer(Secret authorization, std::string upstream) {
  return std::make_unique<CallerAuthorizer>(std::move(authorization), std::move(upstream));
}

}  // namespace paceline::registry
