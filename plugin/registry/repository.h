// One repository of one registry, seen with one caller's rights: manifests, and authorised requests for blobs.
//
// Thread rule: any thread but the network thread; every call may block for network round trips. Shared by the pulls and
// blob fetches that use it. What a token was granted for (registry, repository, caller) never leaves this object, so no
// other caller or repository can be served with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/digest.h"
#include "plugin/base/secret.h"
#include "plugin/net/http.h"
#include "plugin/net/network_thread.h"
#include "plugin/oci/manifest.h"
#include "plugin/registry/patient_fetch.h"

namespace paceline::registry {

class HostsDirectory;
class CredentialStore;
class TokenService;

/// Whose rights a request uses.
struct Access {
  enum class Kind {
    kOwn,     ///< The daemon's: config.json, credential helpers, anonymous tokens. Prefetch only.
    kCaller,  ///< Exactly the Authorization header the caller sent, or none. Never mixed with the daemon's.
  };
  Kind kind = Kind::kOwn;
  Secret authorization;  ///< kCaller: the header's value; empty: the caller sent none.

  bool operator==(const Access&) const = default;
};

/// A manifest or index, its digest already checked against its bytes (and against the digest asked for, if any).
struct Document {
  std::string bytes;
  std::string media_type;
  Digest digest;
};

/// An upstream answer to hand back to a mirror's client unchanged: what it said when it did not answer 200.
struct Refusal {
  int status = 0;        ///< 401, 403, 404, 429, 5xx …; 0: no endpoint answered.
  net::Headers headers;  ///< All of them but those that frame the body or belong to the connection.
  std::string body;      ///< At most 64 KiB.
  Error error;           ///< The same in words.
};

/// What the factory hands to each repository; borrowed, outlives all repositories.
struct RegistryContext {
  net::NetworkThread& network;
  HostsDirectory& hosts;
  CredentialStore& credentials;
  TokenService& tokens;
  const Clock& clock;
  RetryPolicy retry = {};
};

class Repository {
 public:
  virtual ~Repository() = default;

  [[nodiscard]] virtual const std::string& registry() const = 0;    ///< "docker.io"
  [[nodiscard]] virtual const std::string& repository() const = 0;  ///< "library/redis"
  [[nodiscard]] virtual const Access& access() const = 0;

  /// GET manifests/<object>, over the endpoints in order; size-bounded and digest-checked.
  virtual tl::expected<Document, Refusal> document(const std::string& object) = 0;

  /// GET blobs/<digest>, whole, for small blobs (the config) of at most `limit` bytes; follows redirects.
  virtual Result<std::string> small_blob(const Digest& digest, std::size_t limit) = 0;

  /// How many endpoints (mirrors, then the registry) may be asked for blobs. Never 0: where the settings are broken or
  /// leave none, blob_request(…, 0) says so.
  virtual std::size_t endpoints() = 0;

  /// The request for a blob at endpoint `index`, Authorization included (may fetch a token); no Range header yet.
  virtual Result<net::HttpRequest> blob_request(const Digest& digest, std::size_t index) = 0;

  /// A blob request was refused with 401: `challenge` is its WWW-Authenticate, `rejected` the Authorization it carried.
  /// Ok: ask blob_request() again. kCaller access cannot renew and answers kUnauthenticated.
  virtual Status reauthorize(std::size_t index, const std::string& challenge, const std::string& rejected) = 0;

  /// Any other request under /v2/<repository>/ (tags/list, a blob's HEAD, a referrers list) as the mirror's client sent
  /// it: the authorised request for endpoint `index`. `path` starts after the repository and the slash; "..", "//" and
  /// methods other than GET and HEAD are refused.
  virtual Result<net::HttpRequest> request(const std::string& method, const std::string& path, std::size_t index) = 0;

  /// How long it has waited for token services so far; 0 with a caller's rights, who asks them itself.
  [[nodiscard]] virtual Duration token_time() const { return Duration{0}; }
};

/// Makes repositories. `registry` is the name in the reference ("docker.io" is mapped to registry-1.docker.io inside).
class Registries {
 public:
  explicit Registries(RegistryContext context) : context_(context) {}
  [[nodiscard]] std::shared_ptr<Repository> open(const std::string& registry, const std::string& repository,
                                                 Access access);

 private:
  RegistryContext context_;
};

}  // namespace paceline::registry
