#include "plugin/registry/token_service.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "plugin/base/text.h"
#include "plugin/net/url.h"
#include "plugin/oci/json.h"
#include "plugin/oci/reference.h"
#include "plugin/registry/base64.h"

namespace paceline::registry {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMaxAnswerBytes = 256U << 10U;  // Tokens with many grants reach some 10 KB.
constexpr std::size_t kMaxTokenBytes = 64U << 10U;
constexpr seconds kDefaultLife{60};  // Token specification: "If omitted, this defaults to 60 seconds".
constexpr seconds kLongestLife{24 * 3600};
constexpr seconds kRenewBefore{10};
// A token that is refused this soon after it was issued is not expired but insufficient.
constexpr seconds kFreshFor{5};
constexpr std::size_t kMaxChallenges = 2000;
constexpr std::size_t kMaxScopes = 4;

// The scopes to ask for. The registry may know the repository by another name than its URL says (a proxy cache's
// prefix), so its own names count; but pulling is all that is asked for, whatever it says.
std::vector<std::string> pull_scopes(const std::string& wanted, const std::string& repository) {
  std::vector<std::string> out;
  for (const auto scope : split(wanted, ' ')) {
    const auto first = scope.find(':');
    const auto last = scope.rfind(':');
    if (scope.substr(0, first) != "repository" || first == last || out.size() == kMaxScopes) continue;
    const auto name = scope.substr(first + 1, last - first - 1);
    if (oci::Reference::check_repository(name)) out.push_back("repository:" + std::string(name) + ":pull");
  }
  if (out.empty()) out.push_back("repository:" + repository + ":pull");
  return out;
}

// A bearer token goes into a header line: RFC 6750 §2.1 allows no more than this.
bool is_header_safe(const std::string& token) {
  return !token.empty() && token.size() <= kMaxTokenBytes &&
         std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::string form(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) out += (out.empty() ? "" : "&") + name + "=" + net::encode(value);
  return out;
}

// How long the token is good for from now on, less a margin for the requests it will be sent with.
seconds usable_life(const nlohmann::json& answer, WallTime now) {
  auto life = kDefaultLife;
  if (const auto expires = answer.find("expires_in"); expires != answer.end() && expires->is_number_integer()) {
    const auto value = expires->get<std::int64_t>();
    if (value > 0) life = std::min(seconds(value), kLongestLife);
  }
  // A service may hand out a token it made a while ago. A clock that is off must not make every token expired: an age
  // beyond the token's life is not believed.
  if (const auto issued = parse_rfc3339(oci::string_member(answer, "issued_at"))) {
    const auto age = std::chrono::duration_cast<seconds>(now - *issued);
    if (age > seconds(0) && age < life) life -= age;
  }
  return life - std::min(kRenewBefore, life / 5);
}

// Never the credentials over an open line, unless the registry itself is spoken to over one.
Status check_realm(const std::string& realm, const Credential& credential, const Endpoint& endpoint) {
  const auto host = net::host_key(realm);
  if (!host) {
    return fail(Code::kUnauthenticated,
                endpoint.host + " names a token service that is no http(s) URL (" + host.error().message + ")");
  }
  const bool open_line = to_lower(realm.substr(0, 5)) == "http:";
  if (open_line && !credential.empty() && !endpoint.plain_http() && !is_loopback(*host)) {
    return fail(Code::kUnauthenticated, "the token service of " + endpoint.host + " (" + *host +
                                            ") is not on https: credentials are not sent to it");
  }
  return {};
}

}  // namespace

TokenService::TokenService(net::NetworkThread& network, const Clock& clock, RetryPolicy retry)
    : network_(network), clock_(clock), retry_(retry), tokens_(clock) {}

Result<Secret> TokenService::token(const Challenge& challenge, const std::string& repository,
                                   const Credential& credential, const Endpoint& endpoint) {
  if (!credential.registry_token.empty()) return credential.registry_token;
  const std::string realm = challenge.parameter("realm");
  const std::string service = challenge.parameter("service");
  if (auto status = check_realm(realm, credential, endpoint); !status) return fail(status.error());
  const auto scopes = pull_scopes(challenge.parameter("scope"), repository);
  std::string key = realm + "\n" + service + "\n" + credential.identity();
  for (const auto& scope : scopes) key += "\n" + scope;
  auto issued = tokens_.get(key, [&] { return fetch(realm, service, scopes, credential, endpoint); });
  if (!issued) return fail(issued.error());
  return issued->token;
}

Result<TokenService::Tokens::Made> TokenService::fetch(const std::string& realm, const std::string& service,
                                                       const std::vector<std::string>& scopes,
                                                       const Credential& credential, const Endpoint& endpoint) {
  net::HttpRequest request;
  request.url = realm.substr(0, realm.find('#'));
  request.tls =
      endpoint.tls;  // A private registry's token service is trusted as the registry is; containerd does so too.
  request.connect_timeout = endpoint.connect_timeout;
  request.total_timeout = seconds(30);
  std::vector<std::pair<std::string, std::string>> fields;
  if (!service.empty()) fields.emplace_back("service", service);
  if (credential.identity_token.empty()) {
    for (const auto& scope : scopes) fields.emplace_back("scope", scope);
    request.url += (request.url.find('?') == std::string::npos ? "?" : "&") + form(fields);
    if (!credential.password.empty()) {
      request.headers.add("Authorization",
                          "Basic " + base64_encode(credential.username + ":" + credential.password.reveal()));
    }
  } else {
    std::string all;
    for (const auto& scope : scopes) all += (all.empty() ? "" : " ") + scope;
    fields.emplace_back("scope", all);
    fields.emplace_back("client_id", "paceline");
    fields.emplace_back("grant_type", "refresh_token");
    fields.emplace_back("refresh_token", credential.identity_token.reveal());
    request.method = "POST";
    request.headers.add("Content-Type", "application/x-www-form-urlencoded");
    request.body = form(fields);
  }
  request.headers.add("Accept", "application/json");

  const std::string name = "token service " + net::redact(realm);
  auto answer = fetch_patiently(network_, request, kMaxAnswerBytes, retry_, clock_);
  if (!answer) return fail(answer.error().context(name));
  const int status = answer->status;
  if (status != 200) {
    const bool refused = status == 400 || status == 401 || status == 403;
    return fail(refused         ? Code::kUnauthenticated
                : status == 429 ? Code::kResourceExhausted
                                : Code::kUnavailable,
                name + " answered " + std::to_string(status) + " for " + endpoint.host +
                    (refused ? credential.empty() ? ": it gives no anonymous token; add credentials to config.json"
                                                  : ": the credentials in config.json are wrong or do not suffice"
                             : ""));
  }
  auto parsed = oci::parse_json_object(answer->body, "the answer of " + name);
  if (!parsed) {
    return fail(Code::kUnavailable, parsed.error().message);
  }
  std::string token = oci::string_member(*parsed, "token");
  if (token.empty()) token = oci::string_member(*parsed, "access_token");
  if (!is_header_safe(token)) return fail(Code::kUnavailable, name + " answered without a usable token");
  const TimePoint now = clock_.now();
  return Tokens::Made{Issued{Secret(std::move(token)), now}, now + usable_life(*parsed, clock_.wall())};
}

TokenService::Refused TokenService::refuse(const std::string& token) {
  Refused out = Refused::kStale;
  tokens_.drop([&](const std::string&, const Issued& issued) {
    if (issued.token.reveal() != token) return false;
    if (clock_.now() - issued.at < kFreshFor) out = Refused::kFresh;
    return true;
  });
  return out;
}

void TokenService::remember(const std::string& endpoint, const std::string& repository, const Challenge& challenge) {
  const std::lock_guard lock(mutex_);
  if (challenges_.size() >= kMaxChallenges) challenges_.clear();
  challenges_.insert_or_assign({endpoint, repository}, challenge);
}

std::optional<Challenge> TokenService::remembered(const std::string& endpoint, const std::string& repository) {
  const std::lock_guard lock(mutex_);
  const auto found = challenges_.find({endpoint, repository});
  if (found == challenges_.end()) return std::nullopt;
  return found->second;
}

}  // namespace paceline::registry
