// TransferEngine: connections opened ahead of need. A pull's first ranges would otherwise wait for TCP and TLS, two to
// three round trips, after the manifest; opened beside the manifest request, the connections are there with the plan.
#include "plugin/net/url.h"
#include "plugin/pull/engine.h"

namespace paceline::pull {
namespace {

// Registries a node uses; past that, warming up is not worth the memory.
constexpr std::size_t kMaxOrigins = 256;

}  // namespace

/// A request whose answer does not matter: what stays is its connection.
class TransferEngine::WarmUp final : public net::TransferHandler {
 public:
  WarmUp(TransferEngine& engine, std::shared_ptr<bool> alive, Path& path)
      : engine_(engine), alive_(std::move(alive)), path_(path) {}
  net::Flow on_head(const net::ResponseHead& head) override {
    if (head.status == 429 || head.status == 503) {
      const auto wait = net::parse_retry_after(head.headers.get("Retry-After"), engine_.wall());
      path_.throttled(engine_.now(), wait.value_or(Duration{0}));
    }
    return net::Flow::kContinue;
  }
  net::Flow on_body(std::span<const std::byte> data) override {
    bytes_ += data.size();
    return bytes_ > (16U << 10U) ? net::Flow::kAbort : net::Flow::kContinue;
  }
  void on_done(const net::TransferEnd&) override {
    if (*alive_) engine_.warmed(path_);
  }

 private:
  TransferEngine& engine_;
  std::shared_ptr<bool> alive_;
  Path& path_;
  std::size_t bytes_ = 0;
};

void TransferEngine::remember_origin(const BlobFetch& blob) {
  const std::string& registry = blob.registry();
  if (origins_.size() >= kMaxOrigins && !origins_.contains(registry)) return;
  const std::string& url = blob.request.url;
  Origin origin{.address = url.substr(0, url.find('/', url.find("://") + 3)), .tls = blob.request.tls};
  // Special trust is hosts.toml's to give, which may have changed at the next start: then the first blob tells.
  if (origin.tls == net::TlsOptions{}) memory_.remember_origin(registry, origin.address);
  origins_[registry] = std::move(origin);
}

void TransferEngine::warm(const std::string& registry) {
  post([this, registry] {
    auto known = origins_.find(registry);
    if (known == origins_.end()) {
      const std::string address = memory_.origin(registry);
      if (address.empty()) return;
      known = origins_.emplace(registry, Origin{.address = address, .tls = {}}).first;
    }
    net::HttpRequest request;
    request.method = "HEAD";
    request.url = known->second.address + "/v2/";
    request.tls = known->second.tls;
    request.http1 = true;
    request.patient = true;
    request.connect_timeout = request.total_timeout = config_.fetch.connect_timeout;
    const auto host = net::host_key(request.url);
    if (!host) return;
    Path& path = open_path(*host, registry, 0);
    if (path.busy() || path.warming > 0 || path.silence().silent(now())) return;
    // One connection less than there may be: the manifest request, which is on its way too, must not wait. A host that
    // has throttled us counts requests or connections, and is asked for nothing that is not needed.
    if (path.throttled_before()) return;
    path.warming = std::min(path.likely_streams(wall_seconds()), path.concurrency().max_streams - 1);
    for (unsigned left = path.warming; left > 0; --left) {
      network_.start(request, std::make_unique<WarmUp>(*this, alive_, path));
    }
  });
}

void TransferEngine::warmed(Path& path) {
  --path.warming;
  schedule(path);
}

}  // namespace paceline::pull
