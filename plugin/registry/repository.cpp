#include "plugin/registry/repository.h"

#include <algorithm>
#include <atomic>

#include "plugin/base/text.h"
#include "plugin/net/url.h"
#include "plugin/oci/reference.h"
#include "plugin/registry/authorizer.h"
#include "plugin/registry/hosts_directory.h"
#include "plugin/registry/refusal.h"

namespace paceline::registry {
namespace {

using std::chrono::seconds;

constexpr Duration kManifestTimeout = seconds(60);
constexpr Duration kSmallBlobTimeout = seconds(120);
constexpr Duration kProbeTimeout = seconds(5);

using Answer = tl::expected<net::HttpResponse, Refusal>;

/// An endpoint and what use taught about it.
struct Target {
  explicit Target(Endpoint from) : endpoint(std::move(from)), scheme_known(!endpoint.try_http) {}

  const Endpoint endpoint;
  std::atomic<bool> scheme_known;
  std::atomic<bool> speaks_http = false;
};

class RegistryRepository final : public Repository {
 public:
  RegistryRepository(const RegistryContext& context, std::string registry, std::string repository, Access access)
      : context_(context),
        registry_(std::move(registry)),
        repository_(std::move(repository)),
        access_(std::move(access)) {
    ready_ = set_up();
  }

  [[nodiscard]] const std::string& registry() const override { return registry_; }
  [[nodiscard]] const std::string& repository() const override { return repository_; }
  [[nodiscard]] const Access& access() const override { return access_; }

  tl::expected<Document, Refusal> document(const std::string& object) override;
  Result<std::string> small_blob(const Digest& digest, std::size_t limit) override;
  std::size_t endpoints() override { return std::max<std::size_t>(1, blob_targets_.size()); }
  Result<net::HttpRequest> blob_request(const Digest& digest, std::size_t index) override;
  Status reauthorize(std::size_t index, const std::string& challenge, const std::string& rejected) override;
  Result<net::HttpRequest> request(const std::string& method, const std::string& path, std::size_t index) override;
  [[nodiscard]] Duration token_time() const override { return authorizer_ ? authorizer_->waited() : Duration{0}; }

 private:
  /// One request tried at every suitable endpoint.
  struct Question {
    std::string path;  ///< After the repository and the slash.
    std::string accept;
    std::size_t limit = 0;
    Duration timeout{0};
    /// Of a 200: whether its content is what was asked for. The next endpoint is asked otherwise.
    std::function<Status(const net::HttpResponse&)> check;
  };

  Status set_up();
  Result<Target*> blob_target(std::size_t index);
  Endpoint current(Target& target);
  Result<net::HttpRequest> make_request(const Endpoint& endpoint, const std::string& path);
  Answer ask_all(const std::vector<Target*>& targets, const Question& question);
  Answer ask(Target& target, const Question& question, const RetryPolicy& retry);

  const RegistryContext context_;
  const std::string registry_;
  const std::string repository_;
  const Access access_;
  Status ready_;
  std::vector<std::unique_ptr<Target>> targets_;  // Fixed after construction.
  std::vector<Target*> blob_targets_;
  std::vector<Target*> tag_targets_;
  std::unique_ptr<Authorizer> authorizer_;
};

Status RegistryRepository::set_up() {
  if (auto valid = oci::Reference::check_registry(registry_); !valid) return valid;
  if (auto valid = oci::Reference::check_repository(repository_); !valid) return valid;
  const auto& header = access_.authorization.reveal();
  if (std::any_of(header.begin(), header.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; })) {
    return fail(Code::kInvalidArgument, "the caller's Authorization header holds control characters");
  }
  auto endpoints = context_.hosts.endpoints(registry_);
  if (!endpoints) return fail(endpoints.error());
  std::string upstream = default_endpoint(registry_).base;
  for (auto& endpoint : *endpoints) {
    if (endpoint.upstream) upstream = endpoint.base;
    targets_.push_back(std::make_unique<Target>(std::move(endpoint)));
    Target* target = targets_.back().get();
    if (target->endpoint.pull) blob_targets_.push_back(target);
    if (target->endpoint.resolve) tag_targets_.push_back(target);
  }
  authorizer_ = access_.kind == Access::Kind::kOwn
                    ? make_own_authorizer(context_.credentials, context_.tokens, repository_)
                    : make_caller_authorizer(access_.authorization, std::move(upstream));
  return {};
}

Result<Target*> RegistryRepository::blob_target(std::size_t index) {
  if (!ready_) return fail(ready_.error());
  if (blob_targets_.empty()) {
    return fail(Code::kFailedPrecondition,
                "hosts.toml leaves no endpoint with the capability \"pull\" for " + registry_);
  }
  if (index >= blob_targets_.size()) return fail(Code::kNotFound, registry_ + " has no further endpoint");
  return blob_targets_[index];
}

// The endpoint with its scheme found out. Several threads may probe at once: they find the same.
Endpoint RegistryRepository::current(Target& target) {
  Endpoint out = target.endpoint;
  if (!target.scheme_known) {
    net::HttpRequest probe;
    probe.url = out.base + "/";
    probe.tls = out.tls;
    probe.connect_timeout = out.connect_timeout;
    probe.total_timeout = kProbeTimeout;
    const auto answer = context_.network.fetch(probe, kMaxRefusalBytes);
    // Too large an answer is an answer too.
    target.speaks_http = !answer && answer.error().code != Code::kResourceExhausted;
    target.scheme_known = true;
  }
  if (target.speaks_http) out.base.replace(0, std::string_view("https").size(), "http");
  return out;
}

Result<net::HttpRequest> RegistryRepository::make_request(const Endpoint& endpoint, const std::string& path) {
  net::HttpRequest out;
  out.url = endpoint.base + "/" + repository_ + "/" + path;
  if (is_proxy_for(endpoint, registry_)) {
    out.url += (path.find('?') == std::string::npos ? "?ns=" : "&ns=") + net::encode(registry_);
  }
  out.headers = endpoint.headers;
  out.tls = endpoint.tls;
  out.connect_timeout = endpoint.connect_timeout;
  auto authorization = authorizer_->authorization(endpoint);
  if (!authorization) return fail(authorization.error());
  // hosts.toml may give a header of that name, which is the daemon's right and not the caller's.
  if (access_.kind == Access::Kind::kCaller) out.headers.remove("Authorization");
  if (!authorization->empty()) out.headers.set("Authorization", std::move(*authorization));
  return out;
}

Answer RegistryRepository::ask_all(const std::vector<Target*>& targets, const Question& question) {
  if (!ready_) return tl::unexpected(refusal_of(ready_.error()));
  Refusal worst = refusal_of(Error{Code::kFailedPrecondition, "hosts.toml leaves no endpoint to ask for " + registry_});
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const bool last = i + 1 == targets.size();
    // A mirror that is down must not cost the retries: the next endpoint is the retry.
    auto answer = ask(*targets[i], question, last ? context_.retry : context_.retry.once());
    if (answer) return answer;
    if (i == 0 || weight(answer.error()) >= weight(worst)) worst = std::move(answer.error());
  }
  return tl::unexpected(std::move(worst));
}

Answer RegistryRepository::ask(Target& target, const Question& question, const RetryPolicy& retry) {
  const Endpoint endpoint = current(target);
  for (int round = 0;; ++round) {
    auto request = make_request(endpoint, question.path);
    if (!request) return tl::unexpected(refusal_of(request.error()));
    if (!question.accept.empty()) request->headers.set("Accept", question.accept);
    request->total_timeout = question.timeout;
    const std::string sent(request->headers.get("Authorization"));
    const std::string name = net::redact(request->url);
    auto followed = fetch_following(context_.network, std::move(*request), question.limit, retry, context_.clock);
    if (!followed) return tl::unexpected(refusal_of(followed.error().context(name)));
    net::HttpResponse& response = followed->response;

    if (response.status == 200) {
      if (auto good = question.check(response); !good) return tl::unexpected(refusal_of(good.error().context(name)));
      return std::move(response);
    }
    // Where another host answered, or a mirror to which the credentials do not belong, its challenge is nobody's to
    // answer.
    const bool hide = followed->left_origin || !authorizer_->may_show_challenge(endpoint);
    if (response.status == 401 && !hide) {
      auto renewed = authorizer_->challenged(endpoint, join_challenges(response.headers), sent);
      if (renewed && round == 0) continue;
      Refusal refusal = refusal_of(std::move(response), name);
      if (!renewed) refusal.error = renewed.error();
      return tl::unexpected(std::move(refusal));
    }
    if (response.status == 401) {
      return tl::unexpected(refusal_of(Error{Code::kUnauthenticated, name + " wants credentials of its own"}));
    }
    return tl::unexpected(refusal_of(std::move(response), name));
  }
}

tl::expected<Document, Refusal> RegistryRepository::document(const std::string& object) {
  const bool by_digest = object.find(':') != std::string::npos;
  std::optional<Digest> wanted;
  if (by_digest) {
    auto digest = Digest::parse(object);
    if (!digest) return tl::unexpected(refusal_of(digest.error()));
    wanted = *digest;
  } else if (auto valid = oci::Reference::check_tag(object); !valid) {
    return tl::unexpected(refusal_of(valid.error()));
  }

  Document out;
  Question question;
  question.path = "manifests/" + object;
  question.accept = std::string(oci::kAcceptManifests);
  question.limit = oci::kMaxManifestBytes;
  question.timeout = kManifestTimeout;
  question.check = [&](const net::HttpResponse& response) -> Status {
    if (trim(std::string_view(response.body).substr(0, 64)).starts_with('<')) {
      return fail(
          Code::kFailedPrecondition,
          "answered with HTML where a manifest was expected: a login or error page, or a host that is no registry");
    }
    out.digest = sha256(response.body);
    if (wanted && out.digest != *wanted) {
      return fail(Code::kFailedPrecondition, "the manifest's bytes have digest " + out.digest.to_string() +
                                                 ", asked for was " + wanted->to_string());
    }
    // Another algorithm's digest is as good, but not ours to check.
    const auto announced = response.headers.get("Docker-Content-Digest");
    if (announced.starts_with("sha256:") && trim(announced) != out.digest.to_string()) {
      return fail(Code::kFailedPrecondition, "the manifest's bytes have digest " + out.digest.to_string() +
                                                 ", announced was " + printable(announced));
    }
    return {};
  };
  auto answer = ask_all(wanted ? blob_targets_ : tag_targets_, question);
  if (!answer) return tl::unexpected(std::move(answer.error()));
  out.media_type = std::string(answer->headers.get("Content-Type"));
  out.bytes = std::move(answer->body);
  return out;
}

Result<std::string> RegistryRepository::small_blob(const Digest& digest, std::size_t limit) {
  Question question;
  question.path = "blobs/" + digest.to_string();
  question.limit = limit;
  question.timeout = kSmallBlobTimeout;
  question.check = [&](const net::HttpResponse& response) -> Status {
    const Digest found = sha256(response.body);
    if (found == digest) return {};
    return fail(Code::kFailedPrecondition,
                "the blob's bytes have digest " + found.to_string() + ", asked for was " + digest.to_string());
  };
  auto answer = ask_all(blob_targets_, question);
  if (!answer) return fail(std::move(answer.error().error));
  return std::move(answer->body);
}

Result<net::HttpRequest> RegistryRepository::blob_request(const Digest& digest, std::size_t index) {
  auto target = blob_target(index);
  if (!target) return fail(target.error());
  auto out = make_request(current(**target), "blobs/" + digest.to_string());
  if (out) out->http1 = true;
  return out;
}

Status RegistryRepository::reauthorize(std::size_t index, const std::string& challenge, const std::string& rejected) {
  auto target = blob_target(index);
  if (!target) return fail(target.error());
  return authorizer_->challenged(current(**target), challenge, rejected);
}

Result<net::HttpRequest> RegistryRepository::request(const std::string& method, const std::string& path,
                                                     std::size_t index) {
  if (method != "GET" && method != "HEAD") {
    return fail(Code::kUnimplemented, "only GET and HEAD are passed on to a registry");
  }
  if (auto valid = check_path(path); !valid) return fail(valid.error());
  auto target = blob_target(index);
  if (!target) return fail(target.error());
  auto out = make_request(current(**target), path);
  if (out) out->method = method;
  return out;
}

}  // namespace

std::shared_ptr<Repository> Registries::open(const std::string& registry, const std::string& repository,
                                             Access access) {
  return std::make_shared<RegistryRepository>(context_, registry, repository, std::move(access));
}

}  // namespace paceline::registry
