#include "plugin/daemon/daemon.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/config/folders.h"
#include "plugin/daemon/socket_claim.h"
#include "plugin/status/state_json.h"

namespace paceline::daemon {
namespace {

using namespace std::chrono_literals;

// containerd sends at most 1 MiB of content in a message; its own server accepts 16 MiB.
constexpr int kMaxMessageBytes = 16 << 20;
// A bound on what peers can make gRPC buffer: only root can connect, so this is against accidents.
constexpr std::size_t kGrpcMemory = 256U << 20U;

// How long containerd may wait for a layer that is being unpacked. Its garbage collection, and behind that every start
// of a container, may stand behind the one that waits.
constexpr Duration kLayerPatience = 2s;

// Together with the rest of the stop about five seconds; systemd's own limit is far above it.
constexpr Duration kMirrorGrace = 500ms;
constexpr Duration kMetricsGrace = 100ms;
constexpr auto kServerGrace = 2s;

// As many as a screen has room for.
constexpr std::size_t kRecentStarts = 20;

Result<std::unique_ptr<records::RecordStore>> open_records(const config::Config& config) {
  const auto folder = config::records_folder(config);
  if (auto made = make_directories(folder); !made) return fail(made.error());
  return records::RecordStore::open(folder / "records.db",
                                    {.records = config.records.max_records, .age = config.records.max_age});
}

/// Null when none are kept: a damaged database is no reason to pull no images.
std::unique_ptr<records::RecordStore> records_if_any(const config::Config& config) {
  if (!config.records.enabled) return nullptr;
  auto opened = open_records(config);
  if (opened) return std::move(*opened);
  spdlog::error("no cold-start records are kept until the next start: {}", opened.error().message);
  return nullptr;
}

std::unique_ptr<records::Recorder> make_recorder(const config::Config& config, records::RecordStore* store,
                                                 const Clock& clock,
                                                 std::initializer_list<records::Listener*> listeners) {
  if (store == nullptr) return nullptr;
  auto file = std::make_unique<records::RecordFile>(config::records_folder(config) / "records.jsonl",
                                                    config.records.max_file_bytes);
  auto recorder = std::make_unique<records::Recorder>(store, std::move(file), clock);
  for (auto* listener : listeners) recorder->listen(*listener);
  return recorder;
}

unsigned unpacking_threads() { return std::clamp(std::thread::hardware_concurrency(), 2U, 8U); }

net::NetworkOptions network_options(const config::Config& config) {
  auto options = net::NetworkOptions::from_environment();
  options.host_connections = config.concurrency.max_streams;
  options.user_agent = std::string("paceline/") + PACELINE_VERSION;
  return options;
}

std::string helper_path() {
  const char* path = std::getenv("PATH");
  return path != nullptr ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

mirror::ForwardLimits forward_limits(const config::Config& config) {
  return {.stall_bytes = config.fetch.stall_bytes_per_second, .stall_window = config.fetch.stall_window};
}

content::ReadTimed read_timer(const config::Config& config, metrics::CallTimes& calls) {
  if (!config.metrics.enabled) return {};
  return [&calls, method = std::string(content::kReadMethod)](std::chrono::nanoseconds took) {
    calls.observe(method, std::chrono::duration<double>(took).count());
  };
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(const config::Config& config) {
  auto lock = claim_socket(config.address);
  if (!lock) return fail(lock.error());
  for (const auto& folder : {config.root, config.root / "state", config::content_folder(config)}) {
    if (auto made = make_directories(folder); !made) return fail(made.error());
  }
  auto clock = std::make_unique<SystemClock>();
  auto store = store::Store::open(
      {.content = config::content_folder(config), .quota = config.store.quota, .free_floor = config.store.free_floor},
      *clock);
  if (!store) return fail(store.error());

  std::unique_ptr<snapshots::Snapshotter> snapshotter;
  std::unique_ptr<layers::LayerFolders> layer_folders;
  std::unique_ptr<layers::KeptLayers> kept_layers;
  if (config.snapshotter.enabled) {
    auto opened = snapshots::Snapshotter::open(config::snapshotter_folder(config), *clock);
    if (!opened) return fail(opened.error());
    snapshotter = std::move(*opened);
    auto folders = layers::LayerFolders::open(config::snapshotter_folder(config) / "layers", config.store.free_floor);
    if (!folders) return fail(folders.error());
    layer_folders = std::move(*folders);
    auto kept = layers::KeptLayers::open(config::snapshotter_folder(config) / "prefetched", **store, *clock);
    if (!kept) return fail(kept.error());
    kept_layers = std::move(*kept);
  }

  std::unique_ptr<Daemon> daemon(new Daemon(config, std::move(*lock), std::move(clock), std::move(*store),
                                            std::move(snapshotter), std::move(layer_folders), std::move(kept_layers),
                                            records_if_any(config)));
  if (auto started = daemon->start_mirror(); !started) return fail(started.error());
  daemon->start_metrics();
  // Before containerd is answered: its retried Writes must find the flights of the pulls that a stop interrupted.
  daemon->pulls_->resume();
  if (auto started = daemon->start_server(); !started) return fail(started.error());
  if (daemon->metrics_) daemon->metrics_->set_ready(true);
  return daemon;
}

Daemon::Daemon(const config::Config& config, UniqueFd lock, std::unique_ptr<SystemClock> clock,
               std::unique_ptr<store::Store> store, std::unique_ptr<snapshots::Snapshotter> snapshotter,
               std::unique_ptr<layers::LayerFolders> layer_folders, std::unique_ptr<layers::KeptLayers> kept_layers,
               std::unique_ptr<records::RecordStore> record_store)
    : config_(config),
      lock_(std::move(lock)),
      clock_(std::move(clock)),
      store_(std::move(store)),
      network_(network_options(config_)),
      hosts_(config.registry.certs_dirs),
      credentials_(config.registry.docker_configs, registry::CredentialHelper(helper_path()), *clock_),
      tokens_(network_, *clock_),
      registries_(
          {.network = network_, .hosts = hosts_, .credentials = credentials_, .tokens = tokens_, .clock = *clock_}),
      recent_starts_(kRecentStarts),
      record_store_(std::move(record_store)),
      recorder_(make_recorder(config, record_store_.get(), *clock_, {&cold_starts_, &recent_starts_})),
      events_(recorder_ && !config.containerd.address.empty()
                  ? std::make_unique<events::ContainerEvents>(config.containerd.address, *recorder_)
                  : nullptr),
      snapshotter_(std::move(snapshotter)),
      layer_folders_(std::move(layer_folders)),
      kept_layers_(std::move(kept_layers)),
      unpacker_(layer_folders_
                    ? std::make_unique<layers::LayerUnpacker>(
                          layers::UnpackerServices{.store = *store_,
                                                   .flights = flights_,
                                                   .snapshotter = *snapshotter_,
                                                   .folders = *layer_folders_,
                                                   .kept = *kept_layers_,
                                                   .clock = *clock_,
                                                   .records = recorder_.get()},
                          layers::UnpackerOptions{.cores = unpacking_threads(),
                                                  .ahead = config.snapshotter.unpack_ahead,
                                                  .discard_blobs = config.snapshotter.discard_unpacked_blobs})
                    : nullptr),
      pulls_(std::make_unique<pull::PullManager>(pull::PullServices{.config = config_,
                                                                    .clock = *clock_,
                                                                    .network = network_,
                                                                    .registries = registries_,
                                                                    .store = *store_,
                                                                    .flights = flights_,
                                                                    .state = config.root / "state",
                                                                    .listener = unpacker_.get(),
                                                                    .ends = &ended_,
                                                                    .records = recorder_.get()})),
      scrape_({.store = *store_,
               .network = network_,
               .pulls = *pulls_,
               .ended = ended_,
               .cold_starts = cold_starts_,
               .calls = calls_,
               .recorder = recorder_.get(),
               .version = PACELINE_VERSION}),
      pages_(mirror::Callers(config_.metrics.status_uids), [this] { return status_json(); }),
      upstream_(registries_, *pulls_),
      content_(*store_, flights_, *clock_, unpacker_.get(), read_timer(config_, calls_)),
      control_(*pulls_),
      api_(control_, *store_, record_store_.get(), *clock_, PACELINE_VERSION, kept_layers_.get()) {
  if (record_store_) recent_starts_.recall(*record_store_);
  if (!snapshotter_) return;
  snapshots_ = std::make_unique<snapshots::SnapshotsService>(*snapshotter_, unpacker_.get(), kLayerPatience, *clock_);
  applier_ = std::make_unique<layers::StoreLayerApplier>(*store_, flights_, unpacking_threads(), unpacker_.get());
  differ_ = std::make_unique<differ::DiffService>(*applier_);
}

Daemon::~Daemon() { stop(); }

Status Daemon::start_mirror() {
  if (!config_.mirror.enabled) return {};
  const auto address = config::parse_loopback(config_.mirror.address);
  if (!address) return fail(address.error());
  auto mirror = mirror::Mirror::start(*address, upstream_, network_, *clock_,
                                      mirror::Callers(config_.mirror.allowed_uids), forward_limits(config_));
  if (!mirror) return fail(mirror.error().code, "mirror: " + mirror.error().message);
  mirror_ = std::move(*mirror);
  // containerd's hosts.toml names the mirror: the daemon reads the same files and must not ask itself.
  hosts_.set_own_mirror(mirror_address());
  return {};
}

// Without metrics a node pulls as well as with them: what keeps them from being served is no reason not to start.
void Daemon::start_metrics() {
  if (!config_.metrics.enabled) return;
  const auto address = config::parse_loopback(config_.metrics.address);
  auto endpoint = address ? metrics::Endpoint::start(
                                *address, {.scrape = [this] { return scrape_.text(); },
                                           .status = [this](const auto& request) { return pages_.answer(request); }})
                          : Result<std::unique_ptr<metrics::Endpoint>>(fail(address.error()));
  if (endpoint) {
    metrics_ = std::move(*endpoint);
  } else {
    spdlog::warn("metrics are not served: {}", endpoint.error().message);
  }
}

std::string Daemon::status_json() const {
  return status::to_json({.version = PACELINE_VERSION,
                          .now = clock_->wall(),
                          .pulls = pulls_->pulls(),
                          .paths = pulls_->paths(),
                          .starts = recent_starts_.newest()});
}

Status Daemon::start_server() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + config_.address, grpc::InsecureServerCredentials());
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.SetResourceQuota(grpc::ResourceQuota("pacelined").Resize(kGrpcMemory));
  // A client may ping as often as it likes: on a local socket it costs nothing, and the default answers with
  // GOAWAY too_many_pings, which ends containerd's connection.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  if (config_.metrics.enabled) {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
    interceptors.push_back(calls_.interceptor(content::kReadMethod));
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
  }
  content_.add_to(builder);
  builder.RegisterService(&api_);
  if (snapshots_) snapshots_->add_to(builder);
  if (differ_) differ_->add_to(builder);
  server_ = builder.BuildAndStart();
  if (!server_) {
    return fail(Code::kUnavailable, "cannot serve on " + config_.address +
                                        ": see gRPC's message above; the folder must "
                                        "be writable");
  }
  // The umask made it 0700: there is no moment at which anybody else could connect.
  if (::chmod(config_.address.c_str(), 0660) != 0) return fail(errno_error(errno, "chmod " + config_.address));
  return {};
}

void Daemon::reload(const config::Config& config) {
  const auto changes = config::differences(config_, config);
  if (changes.empty()) spdlog::info("reload: nothing changed");
  for (const auto& change : changes) {
    spdlog::info("reload: {}: {} → {}{}", change.key, change.before, change.after,
                 change.live ? "" : " (takes effect after a restart)");
  }
  config_ = config;
  spdlog::default_logger_raw()->set_level(spdlog::level::from_str(config.log.level));
  pulls_->reconfigure(config);
  if (mirror_) mirror_->reconfigure(forward_limits(config));
}

void Daemon::stop() {
  if (std::exchange(stopped_, true)) return;
  // No new work …
  if (metrics_) metrics_->set_ready(false);
  if (server_) {
    if (auto* health = server_->GetHealthCheckService(); health != nullptr) health->Shutdown();
  }
  api_.stop();
  if (unpacker_) unpacker_->stop();  // containerd goes on by itself with the layers that it waits for.
  if (mirror_ && !mirror_->drain(kMirrorGrace)) spdlog::debug("stop: the mirror still has requests upstream");
  if (metrics_) (void)metrics_->drain(kMetricsGrace);
  // … then an end to the calls under way; a held Write is cancelled, and containerd resumes it after the restart …
  if (server_) server_->Shutdown(std::chrono::system_clock::now() + kServerGrace);
  // … then to the downloads, which also brings back whoever waits for a registry. What is on disk stays.
  network_.shut_down();
  mirror_.reset();
  server_.reset();
  metrics_.reset();  // A scrape asks the pulls.
  pulls_.reset();
}

}  // namespace paceline::daemon
