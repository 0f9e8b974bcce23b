// One run of VerifyBlobs: re-hashes blobs on a worker and reports each; stops when the client goes or the daemon stops.
// Thread rule: start() from any thread; one run at a time, further ones are refused. Borrows the store.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "paceline/v1/paceline.pb.h"
#include "plugin/api/event_stream.h"
#include "plugin/base/digest.h"
#include "plugin/base/worker_pool.h"
#include "plugin/store/store.h"

namespace paceline::api {

using VerifyStream = EventStream<v1::VerifyBlobsEvent>;

class Verification {
 public:
  explicit Verification(store::Store& store) : store_(store), pool_("verify", 1) {}
  ~Verification() { stop(); }

  /// `only` empty: every blob.
  void start(const std::shared_ptr<VerifyStream>& stream, std::vector<Digest> only);
  void stop() { stopping_ = true; }

 private:
  void run(VerifyStream& stream, const std::vector<Digest>& only);

  store::Store& store_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> running_ = false;
  WorkerPool pool_;  // Last: joined before the flags go.
};

}  // namespace paceline::api
