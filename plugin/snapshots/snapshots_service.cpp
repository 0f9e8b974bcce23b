#include "plugin/snapshots/snapshots_service.h"

#include <google/protobuf/empty.pb.h>

#include <utility>

#include "containerd/services/snapshots/v1/snapshots.grpc.pb.h"
#include "plugin/base/log.h"
#include "plugin/base/worker_pool.h"
#include "plugin/snapshots/list_stream.h"
#include "plugin/snapshots/messages.h"

namespace paceline::snapshots {
namespace {

// What containerd awaits, often within a transaction of its own. They meet at the database; the disk may be slow.
constexpr unsigned kControlThreads = 4;
// What walks or deletes whole trees.
constexpr unsigned kBulkThreads = 2;

}  // namespace

class SnapshotsService::Impl final : public api::Snapshots::CallbackService {
 public:
  Impl(Snapshotter& snapshotter, LayerProvider* provider, Duration patience, const Clock& clock)
      : snapshotter_(snapshotter), provider_(provider), patience_(patience), clock_(clock) {}

  grpc::ServerUnaryReactor* Prepare(grpc::CallbackServerContext* context, const api::PrepareSnapshotRequest* request,
                                    api::PrepareSnapshotResponse* response) override {
    auto* reactor = context->DefaultReactor();
    control_.post([=, this] { prepare({*request, response, reactor}); });
    return reactor;
  }

  grpc::ServerUnaryReactor* View(grpc::CallbackServerContext* context, const api::ViewSnapshotRequest* request,
                                 api::ViewSnapshotResponse* response) override {
    return in_pool(control_, context, [=, this] {
      const auto mounts =
          snapshotter_.create({Kind::kView, request->key(), request->parent(), to_labels(request->labels())});
      if (!mounts) return to_grpc(mounts.error());
      set_mounts(*response->mutable_mounts(), *mounts);
      return grpc::Status::OK;
    });
  }

  grpc::ServerUnaryReactor* Mounts(grpc::CallbackServerContext* context, const api::MountsRequest* request,
                                   api::MountsResponse* response) override {
    return in_pool(control_, context, [=, this] {
      const auto mounts = snapshotter_.mounts(request->key());
      if (!mounts) return to_grpc(mounts.error());
      set_mounts(*response->mutable_mounts(), *mounts);
      return grpc::Status::OK;
    });
  }

  grpc::ServerUnaryReactor* Commit(grpc::CallbackServerContext* context, const api::CommitSnapshotRequest* request,
                                   google::protobuf::Empty* /*response*/) override {
    return in_pool(control_, context, [=, this] {
      return to_grpc(snapshotter_.commit(request->name(), request->key(), to_labels(request->labels())));
    });
  }

  grpc::ServerUnaryReactor* Remove(grpc::CallbackServerContext* context, const api::RemoveSnapshotRequest* request,
                                   google::protobuf::Empty* /*response*/) override {
    return in_pool(control_, context, [=, this] { return to_grpc(snapshotter_.remove(request->key())); });
  }

  grpc::ServerUnaryReactor* Stat(grpc::CallbackServerContext* context, const api::StatSnapshotRequest* request,
                                 api::StatSnapshotResponse* response) override {
    return in_pool(control_, context, [=, this] {
      const auto info = snapshotter_.stat(request->key());
      if (!info) return to_grpc(info.error());
      set_info(*response->mutable_info(), *info);
      return grpc::Status::OK;
    });
  }

  grpc::ServerUnaryReactor* Update(grpc::CallbackServerContext* context, const api::UpdateSnapshotRequest* request,
                                   api::UpdateSnapshotResponse* response) override {
    return in_pool(control_, context, [=, this] {
      const auto& paths = request->update_mask().paths();
      const auto info = snapshotter_.update(request->info().name(), to_labels(request->info().labels()),
                                            std::vector<std::string>(paths.begin(), paths.end()));
      if (!info) return to_grpc(info.error());
      set_info(*response->mutable_info(), *info);
      return grpc::Status::OK;
    });
  }

  grpc::ServerWriteReactor<api::ListSnapshotsResponse>* List(grpc::CallbackServerContext* /*context*/,
                                                             const api::ListSnapshotsRequest* request) override {
    return ListStream::start(snapshotter_, control_, *request);
  }

  grpc::ServerUnaryReactor* Usage(grpc::CallbackServerContext* context, const api::UsageRequest* request,
                                  api::UsageResponse* response) override {
    return in_pool(bulk_, context, [=, this] {
      const auto usage = snapshotter_.usage(request->key());
      if (!usage) return to_grpc(usage.error());
      response->set_size(usage->bytes);
      response->set_inodes(usage->inodes);
      return grpc::Status::OK;
    });
  }

  grpc::ServerUnaryReactor* Cleanup(grpc::CallbackServerContext* context, const api::CleanupRequest* /*request*/,
                                    google::protobuf::Empty* /*response*/) override {
    return in_pool(bulk_, context, [this] { return to_grpc(snapshotter_.clean_up()); });
  }

 private:
  /// Request and response live until the reactor has finished.
  struct PrepareCall {
    const api::PrepareSnapshotRequest& request;
    api::PrepareSnapshotResponse* response;
    grpc::ServerUnaryReactor* reactor;
    [[nodiscard]] Labels labels() const { return to_labels(request.labels()); }
    [[nodiscard]] std::string chain_id() const {
      const auto label = request.labels().find(kLayerLabel);
      return label == request.labels().end() ? "" : label->second;
    }
  };

  template <class Work>
  grpc::ServerUnaryReactor* in_pool(WorkerPool& pool, grpc::CallbackServerContext* context, Work work) {
    auto* reactor = context->DefaultReactor();
    pool.post([reactor, work = std::move(work)] { reactor->Finish(work()); });
    return reactor;
  }

  void prepare(const PrepareCall& call) {
    const auto chain_id = call.chain_id();
    if (chain_id.empty()) return prepare_empty(call);
    if (finish_with_layer(call)) return;
    if (provider_ == nullptr) return prepare_empty(call);
    provider_->request(chain_id, clock_.now() + patience_, [this, call](std::optional<UnpackedLayer> layer) {
      control_.post([this, call, layer = std::move(layer)] {
        if (layer) {
          const auto adopted = snapshotter_.adopt_layer(call.chain_id(), call.request.parent(), call.labels(), *layer);
          if (!adopted)
            spdlog::warn("layer {}: {}; containerd unpacks it itself", call.chain_id(), adopted.error().message);
        }
        // Somebody else may have been given the layer in the meantime.
        if (!finish_with_layer(call)) prepare_empty(call);
      });
    });
  }

  /// Whether the call has been answered: the layer is here, or to ask for it was an error.
  bool finish_with_layer(const PrepareCall& call) {
    const auto found = snapshotter_.find_layer(call.chain_id(), call.request.parent(), call.labels());
    if (found && !*found) return false;
    call.reactor->Finish(
        found ? grpc::Status(grpc::StatusCode::ALREADY_EXISTS, "layer " + call.chain_id() + " is unpacked")
              : to_grpc(found.error()));
    return true;
  }

  void prepare_empty(const PrepareCall& call) {
    const auto mounts = snapshotter_.create({Kind::kActive, call.request.key(), call.request.parent(), call.labels()});
    if (mounts) set_mounts(*call.response->mutable_mounts(), *mounts);
    call.reactor->Finish(mounts ? grpc::Status::OK : to_grpc(mounts.error()));
  }

  Snapshotter& snapshotter_;
  LayerProvider* const provider_;
  const Duration patience_;
  const Clock& clock_;
  // Last, so that their remaining tasks run while the rest is still there.
  WorkerPool control_{"snapshot-ctl", kControlThreads};
  WorkerPool bulk_{"snapshot-io", kBulkThreads};
};

SnapshotsService::SnapshotsService(Snapshotter& snapshotter, LayerProvider* provider, Duration patience,
                                   const Clock& clock)
    : impl_(std::make_unique<Impl>(snapshotter, provider, patience, clock)) {}

SnapshotsService::~SnapshotsService() = default;

void SnapshotsService::add_to(grpc::ServerBuilder& builder) { builder.RegisterService(impl_.get()); }

}  // namespace paceline::snapshots
