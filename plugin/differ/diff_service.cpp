#include "plugin/differ/diff_service.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "containerd/services/diff/v1/diff.grpc.pb.h"
#include "plugin/base/worker_pool.h"

namespace paceline::differ {
namespace {

namespace api = ::containerd::services::diff::v1;

}  // namespace

class DiffService::Impl final : public api::Diff::CallbackService {
 public:
  explicit Impl(LayerApplier& applier) : applier_(applier) {}

  grpc::ServerUnaryReactor* Apply(grpc::CallbackServerContext* /*context*/, const api::ApplyRequest* request,
                                  api::ApplyResponse* response) override {
    auto* reactor = new ApplyReactor;  // OnDone deletes it.
    LayerToApply what{request->diff(), request->mounts(), request->sync_fs()};
    pool_.post([this, what = std::move(what), response, reactor, stop = reactor->token()] {
      auto applied = applier_.apply(what, stop);
      if (applied) *response->mutable_applied() = std::move(*applied);
      reactor->Finish(applied
                          ? grpc::Status::OK
                          : grpc::Status(static_cast<grpc::StatusCode>(applied.error().code), applied.error().message));
    });
    return reactor;
  }

  grpc::ServerUnaryReactor* Diff(grpc::CallbackServerContext* context, const api::DiffRequest* /*request*/,
                                 api::DiffResponse* /*response*/) override {
    auto* reactor = context->DefaultReactor();
    reactor->Finish({grpc::StatusCode::UNIMPLEMENTED, "pacelined makes no layers: containerd's own differ does"});
    return reactor;
  }

 private:
  /// Its client's going away stops the applier. gRPC calls OnDone after both Finish and OnCancel.
  class ApplyReactor final : public grpc::ServerUnaryReactor {
   public:
    void OnCancel() override { stop_.request_stop(); }
    void OnDone() override { delete this; }
    [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

   private:
    std::stop_source stop_;
  };

  LayerApplier& applier_;
  // As many as may unpack at once: more than processors would only share them.
  WorkerPool pool_{"differ", std::clamp(std::thread::hardware_concurrency(), 2U, 8U)};
};

DiffService::DiffService(LayerApplier& applier) : impl_(std::make_unique<Impl>(applier)) {}

DiffService::~DiffService() = default;

void DiffService::add_to(grpc::ServerBuilder& builder) { builder.RegisterService(impl_.get()); }

}  // namespace paceline::differ
