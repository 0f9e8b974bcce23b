// The answer to List: the blobs that match, a hundred a message, from a snapshot of the store's memory.
// Thread rule: gRPC's reactions only. Owns itself until OnDone.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <mutex>
#include <vector>

#include "plugin/content/messages.h"

namespace paceline::content {

class ListStream final : public grpc::ServerWriteReactor<api::ListContentResponse> {
 public:
  static ListStream* start(const store::Store& store, const api::ListContentRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  explicit ListStream(const store::Store& store) : store_(store) {}
  void next();
  void finish(const grpc::Status& status);

  const store::Store& store_;
  Filter filter_;
  std::vector<store::BlobInfo> blobs_;
  std::size_t position_ = 0;
  api::ListContentResponse page_;

  std::mutex mutex_;
  bool finished_ = false;
};

}  // namespace paceline::content
