#include "plugin/analyze/registry_source.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <future>

#include "plugin/net/network_thread.h"
#include "plugin/net/url.h"
#include "plugin/registry/credential_helper.h"
#include "plugin/registry/credentials.h"
#include "plugin/registry/hosts_directory.h"
#include "plugin/registry/repository.h"
#include "plugin/registry/token_service.h"

namespace paceline::analyze {
namespace {

constexpr std::size_t kRangeBytes = 4U << 20U;
constexpr std::uint64_t kStallBytes = 1024;  // A second: as fetch.stall_bytes_per_second.
/// What the stall floor lets pass at the slowest; without one a fetch has the time that a token may take.
constexpr Duration kRangeTimeout = std::chrono::seconds(2 * kRangeBytes / kStallBytes);
constexpr std::size_t kRefusalBytes = 64U << 10U;
constexpr int kMostSteps = 8;  // Redirects and renewed tokens for one range.
constexpr int kMostIndexesAsked = 3;

/// Everything a registry client is made of. The daemon has its own; this one is a command's.
class Client {
 public:
  explicit Client(const RegistrySettings& settings)
      : network(net::NetworkOptions::from_environment()),
        stall_window(settings.stall_window),
        hosts_(settings.certs_dirs, settings.own_mirror),
        credentials_(settings.docker_configs, registry::CredentialHelper(search_path()), clock),
        tokens_(network, clock),
        registries_({network, hosts_, credentials_, tokens_, clock}) {}

  std::shared_ptr<registry::Repository> open(const oci::Reference& reference) {
    return registries_.open(reference.registry, reference.repository, {});
  }

  const SystemClock clock;
  net::NetworkThread network;
  const Duration stall_window;

 private:
  static std::string search_path() {
    const char* path = std::getenv("PATH");
    return path == nullptr ? "" : path;
  }

  registry::HostsDirectory hosts_;
  registry::CredentialStore credentials_;
  registry::TokenService tokens_;
  registry::Registries registries_;
};

/// One blob by ranges, the next one fetched while the present one is read. `endpoint`: the one that answered last, to
/// all blobs of the image; it is asked first.
class RangedBlob final : public unpack::LayerSource {
 public:
  RangedBlob(Client& client, registry::Repository& repository, std::atomic<std::size_t>& endpoint, Digest digest,
             std::uint64_t size)
      : client_(client), repository_(repository), endpoint_(endpoint), digest_(digest), size_(size) {}
  ~RangedBlob() override {
    if (next_.valid()) next_.wait();
  }
  RangedBlob(const RangedBlob&) = delete;
  RangedBlob& operator=(const RangedBlob&) = delete;

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override {
    if (offset >= size_) return 0;
    while (offset >= begin_ + range_.size()) {
      begin_ += range_.size();
      auto range = next_.valid() ? next_.get() : fetch(begin_);
      if (!range) return fail(range.error());
      range_ = std::move(*range);
      const std::uint64_t following = begin_ + range_.size();
      if (following < size_) next_ = std::async(std::launch::async, [this, following] { return fetch(following); });
    }
    const std::size_t at = offset - begin_;
    const std::size_t count = std::min(buffer.size(), range_.size() - at);
    std::memcpy(buffer.data(), range_.data() + at, count);
    return count;
  }

 private:
  /// Over the endpoints, as manifests are: a mirror may be down, or lack the blob.
  Result<std::string> fetch(std::uint64_t from) {
    const std::size_t count = repository_.endpoints();
    const std::size_t first = endpoint_ < count ? endpoint_.load() : 0;
    for (std::size_t i = 0;; ++i) {
      // The one that answered last, then the others in order.
      const std::size_t index = i == 0 ? first : (i <= first ? i - 1 : i);
      const bool last = i + 1 == count;
      // The next endpoint is the retry.
      auto range = fetch_at(index, from, last ? registry::RetryPolicy() : registry::RetryPolicy().once());
      if (range) endpoint_ = index;
      if (range || last) return range;
    }
  }

  Result<std::string> fetch_at(std::size_t index, std::uint64_t from, const registry::RetryPolicy& retry) {
    const auto named = [&](const Error& error) { return fail(error.context("blob " + digest_.to_string())); };
    const std::uint64_t last = std::min(size_, from + kRangeBytes) - 1;
    auto request = repository_.blob_request(digest_, index);
    bool left_origin = false;
    for (int step = 0; step < kMostSteps; ++step) {
      if (!request) return named(request.error());
      request->headers.set("Range", "bytes=" + std::to_string(from) + "-" + std::to_string(last));
      request->total_timeout = kRangeTimeout;
      request->stall_bytes = kStallBytes;
      request->stall_window = client_.stall_window;
      // A registry that ignores Range sends all: too much for one range, unless the blob is no larger.
      auto response = registry::fetch_patiently(
          client_.network, *request, std::max<std::size_t>(last - from + 1, kRefusalBytes), retry, client_.clock);
      if (!response) return named(response.error().context(net::redact(request->url)));
      const std::string location(response->headers.get("Location"));
      if (response->status == 206 || (response->status == 200 && from == 0))
        return body(std::move(*response), from, last);
      if (response->status == 401 && left_origin) {
        // Its challenge names who is to get the registry's credentials: it is not answered.
        return named({Code::kUnauthenticated, net::redact(request->url) + " wants credentials of its own"});
      }
      if (response->status == 401) {
        const std::string sent(request->headers.get("Authorization"));
        auto renewed = repository_.reauthorize(index, std::string(response->headers.get("WWW-Authenticate")), sent);
        if (!renewed) return named(renewed.error());
        request = repository_.blob_request(digest_, index);
      } else if (response->status >= 300 && response->status < 400 && !location.empty()) {
        auto target = net::resolve_redirect(request->url, location);
        if (!target) return named(target.error());
        if (!net::same_origin(request->url, *target)) {
          // Credentials, private headers and trust settings were for the registry, not for where it sends us.
          left_origin = true;
          request->headers.clear();
          request->tls = {};
        }
        request->url = std::move(*target);
      } else {
        return named({Code::kUnavailable, net::redact(request->url) + " answered " + std::to_string(response->status)});
      }
    }
    return named({Code::kUnavailable, "its redirects lead in a circle"});
  }

  Result<std::string> body(net::HttpResponse response, std::uint64_t from, std::uint64_t last) const {
    if (response.status == 206) {
      auto range = net::parse_content_range(response.headers.get("Content-Range"));
      if (!range) return fail(range.error());
      if (range->first != from) {
        return fail(Code::kUnavailable, "blob " + digest_.to_string() + ": the registry sent another range");
      }
    }
    if (response.body.empty() || response.body.size() > last - from + 1) {
      return fail(Code::kUnavailable, "blob " + digest_.to_string() + ": the registry sent " +
                                          std::to_string(response.body.size()) + " bytes for a range of " +
                                          std::to_string(last - from + 1));
    }
    return std::move(response.body);
  }

  Client& client_;
  registry::Repository& repository_;
  std::atomic<std::size_t>& endpoint_;
  const Digest digest_;
  const std::uint64_t size_;
  std::uint64_t begin_ = 0;
  std::string range_;
  std::future<Result<std::string>> next_;
};

class RegistryImage final : public ImageSource {
 public:
  RegistryImage(std::unique_ptr<Client> client, std::shared_ptr<registry::Repository> repository, ImageInfo info)
      : client_(std::move(client)), repository_(std::move(repository)), info_(std::move(info)) {}
  [[nodiscard]] const ImageInfo& info() const override { return info_; }
  Result<std::unique_ptr<unpack::LayerSource>> open_layer(std::size_t index) override {
    const auto& layer = info_.layers[index];
    return std::make_unique<RangedBlob>(*client_, *repository_, endpoint_, layer.digest, layer.size);
  }

 private:
  const std::unique_ptr<Client> client_;
  const std::shared_ptr<registry::Repository> repository_;
  std::atomic<std::size_t> endpoint_ = 0;  // From which the last range came, of any layer.
  const ImageInfo info_;
};

Result<oci::Manifest> find_manifest(registry::Repository& repository, std::string object, const oci::Platform& platform,
                                    Digest& digest) {
  for (int depth = 0; depth <= kMostIndexesAsked; ++depth) {
    auto document = repository.document(object);
    if (!document) return fail(document.error().error);
    auto parsed = oci::parse_document(document->bytes, document->media_type);
    if (!parsed) return fail(parsed.error());
    digest = document->digest;
    if (auto* manifest = std::get_if<oci::Manifest>(&*parsed)) return std::move(*manifest);
    auto chosen = oci::choose_platform(std::get<oci::Index>(*parsed), platform);
    if (!chosen) return fail(chosen.error());
    object = chosen->digest.to_string();
  }
  return fail(Code::kInvalidArgument, "its indexes lead to further indexes only");
}

}  // namespace

Result<std::unique_ptr<ImageSource>> open_registry_image(const oci::Reference& reference, const oci::Platform& platform,
                                                         const RegistrySettings& settings) {
  auto client = std::make_unique<Client>(settings);
  auto repository = client->open(reference);
  const std::string name = reference.to_string();
  ImageInfo info;
  info.name = name;
  Digest digest;
  auto manifest = find_manifest(*repository, reference.object(), platform, digest);
  if (!manifest) return fail(manifest.error().context(name));
  info.manifest = digest;
  info.registry = reference.registry;
  for (const auto& layer : manifest->layers) {
    if (layer.foreign) {
      return fail(Code::kUnimplemented,
                  name + ": layer " + layer.digest.to_string() + " lies outside of its registry (urls)");
    }
    info.layers.push_back({layer.digest, layer.size, layer.media_type, std::nullopt, {}});
  }
  auto config = repository->small_blob(manifest->config.digest, oci::kMaxConfigBytes);
  if (!config) return fail(config.error().context(name));
  if (auto status = apply_config(*config, info); !status) return fail(status.error().context(name));
  return std::make_unique<RegistryImage>(std::move(client), std::move(repository), std::move(info));
}

}  // namespace paceline::analyze
