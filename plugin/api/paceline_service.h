// The gRPC service paceline.v1.Paceline over the pull manager and the store.
//
// Thread rule: gRPC's threads call it; nothing here blocks them: what may block runs on a small pool. Borrows what it
// is made from. Before the server is shut down call stop(), so that streams end at once; destroy it after the server.
#pragma once

#include <memory>
#include <string>

#include "paceline/v1/paceline.grpc.pb.h"
#include "plugin/api/progress.h"
#include "plugin/api/pull_control.h"
#include "plugin/api/verification.h"
#include "plugin/base/clock.h"
#include "plugin/base/worker_pool.h"
#include "plugin/layers/kept_layers.h"
#include "plugin/records/record_store.h"
#include "plugin/store/store.h"

namespace paceline::api {

class PacelineService final : public v1::Paceline::CallbackService {
 public:
  /// `records` is null when none are kept; `kept`, when no layers are unpacked ahead.
  PacelineService(PullControl& pulls, store::Store& store, records::RecordStore* records, const Clock& clock,
                  std::string version, layers::KeptLayers* kept = nullptr);

  /// Ends all streams; new ones are refused. Any thread.
  void stop();

 private:
  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  grpc::ServerWriteReactor<v1::PullEvent>* Prefetch(Context*, const v1::PrefetchRequest*) override;
  Unary* ListPulls(Context*, const v1::ListPullsRequest*, v1::ListPullsResponse*) override;
  Unary* GetPull(Context*, const v1::GetPullRequest*, v1::Pull*) override;
  grpc::ServerWriteReactor<v1::PullEvent>* WatchPull(Context*, const v1::WatchPullRequest*) override;
  Unary* CancelPull(Context*, const v1::CancelPullRequest*, v1::Pull*) override;
  grpc::ServerWriteReactor<v1::ListBlobsResponse>* ListBlobs(Context*, const v1::ListBlobsRequest*) override;
  Unary* GetUsage(Context*, const v1::GetUsageRequest*, v1::Usage*) override;
  grpc::ServerWriteReactor<v1::VerifyBlobsEvent>* VerifyBlobs(Context*, const v1::VerifyBlobsRequest*) override;
  Unary* Pin(Context*, const v1::PinRequest*, v1::PinResponse*) override;
  Unary* Unpin(Context*, const v1::UnpinRequest*, v1::UnpinResponse*) override;
  Unary* ListPins(Context*, const v1::ListPinsRequest*, v1::ListPinsResponse*) override;
  Unary* Evict(Context*, const v1::EvictRequest*, v1::EvictResponse*) override;
  Unary* GetPaths(Context*, const v1::GetPathsRequest*, v1::GetPathsResponse*) override;
  grpc::ServerWriteReactor<v1::ListRecordsResponse>* ListRecords(Context*, const v1::ListRecordsRequest*) override;
  Unary* GetRecord(Context*, const v1::GetRecordRequest*, v1::GetRecordResponse*) override;
  Unary* GetVersion(Context*, const v1::GetVersionRequest*, v1::Version*) override;

  PullControl& pulls_;
  store::Store& store_;
  records::RecordStore* const records_;
  const Clock& clock_;
  layers::KeptLayers* const kept_;
  const std::string version_;
  const TimePoint started_;
  const WallTime started_wall_;
  Progress progress_;
  Verification verification_;
  WorkerPool pool_;  // Last: its tasks use what stands above.
};

}  // namespace paceline::api
