// All objects of the daemon, in the order in which they need each other, and the order of its stop.
//
// Thread rule: start, reload, stop and destruction from the main thread. Signals are to be blocked and the umask set
// before start(), because threads inherit them.
#pragma once

#include <grpcpp/server.h>

#include <memory>
#include <optional>

#include "plugin/api/paceline_service.h"
#include "plugin/api/pull_control.h"
#include "plugin/base/clock.h"
#include "plugin/base/fd.h"
#include "plugin/config/config.h"
#include "plugin/content/content_service.h"
#include "plugin/differ/diff_service.h"
#include "plugin/events/container_events.h"
#include "plugin/layers/layer_unpacker.h"
#include "plugin/layers/store_layer_applier.h"
#include "plugin/metrics/call_times.h"
#include "plugin/metrics/cold_starts.h"
#include "plugin/metrics/ended_pulls.h"
#include "plugin/metrics/endpoint.h"
#include "plugin/metrics/scrape.h"
#include "plugin/mirror/mirror.h"
#include "plugin/net/network_thread.h"
#include "plugin/pull/pull_manager.h"
#include "plugin/records/recorder.h"
#include "plugin/registry/credentials.h"
#include "plugin/registry/hosts_directory.h"
#include "plugin/registry/repository.h"
#include "plugin/registry/token_service.h"
#include "plugin/snapshots/snapshots_service.h"
#include "plugin/status/pages.h"
#include "plugin/status/recent_starts.h"
#include "plugin/store/store.h"

namespace paceline::daemon {

class Daemon {
 public:
  /// Serving when it returns.
  static Result<std::unique_ptr<Daemon>> start(const config::Config& config);
  ~Daemon();  ///< Stops first.
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Logs each difference to the present settings and applies those that take effect at once.
  void reload(const config::Config& config);
  /// In order and within about five seconds; partial downloads are kept. The second call does nothing.
  void stop();

  [[nodiscard]] std::size_t blobs() const { return store_->list(std::nullopt).size(); }
  /// Where the mirror listens; empty when it is switched off.
  [[nodiscard]] std::string mirror_address() const { return mirror_ ? mirror_->address().to_string() : ""; }
  /// Where the metrics are; empty when they are switched off or their port is taken.
  [[nodiscard]] std::string metrics_address() const { return metrics_ ? metrics_->address().to_string() : ""; }

 private:
  Daemon(const config::Config& config, UniqueFd lock, std::unique_ptr<SystemClock> clock,
         std::unique_ptr<store::Store> store, std::unique_ptr<snapshots::Snapshotter> snapshotter,
         std::unique_ptr<layers::LayerFolders> layer_folders, std::unique_ptr<layers::KeptLayers> kept_layers,
         std::unique_ptr<records::RecordStore> record_store);
  Status start_mirror();
  void start_metrics();
  [[nodiscard]] std::string status_json() const;
  Status start_server();

  config::Config config_;
  UniqueFd lock_;
  std::unique_ptr<SystemClock> clock_;
  std::unique_ptr<store::Store> store_;
  net::NetworkThread network_;
  registry::HostsDirectory hosts_;
  registry::CredentialStore credentials_;
  registry::TokenService tokens_;
  registry::Registries registries_;
  pull::FlightTable flights_;
  // What is counted for the metrics outlives whoever counts.
  metrics::EndedPulls ended_;
  metrics::ColdStarts cold_starts_;
  metrics::CallTimes calls_;
  status::RecentStarts recent_starts_;
  // Null when no records are kept; the events also when containerd is not to be asked.
  std::unique_ptr<records::RecordStore> record_store_;
  std::unique_ptr<records::Recorder> recorder_;
  std::unique_ptr<events::ContainerEvents> events_;
  // Null when the snapshotter is switched off.
  std::unique_ptr<snapshots::Snapshotter> snapshotter_;
  std::unique_ptr<layers::LayerFolders> layer_folders_;
  std::unique_ptr<layers::KeptLayers> kept_layers_;
  std::unique_ptr<layers::LayerUnpacker> unpacker_;
  std::unique_ptr<pull::PullManager> pulls_;
  metrics::Scrape scrape_;
  status::Pages pages_;
  mirror::ManagedUpstream upstream_;
  content::ContentService content_;
  api::ManagedPulls control_;
  api::PacelineService api_;
  std::unique_ptr<snapshots::SnapshotsService> snapshots_;  ///< With the differ: null without a snapshotter.
  std::unique_ptr<layers::StoreLayerApplier> applier_;
  std::unique_ptr<differ::DiffService> differ_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<mirror::Mirror> mirror_;
  std::unique_ptr<metrics::Endpoint> metrics_;
  bool stopped_ = false;
};

}  // namespace paceline::daemon
