#include "plugin/api/verification.h"

#include "plugin/api/convert.h"

namespace paceline::api {

void Verification::start(const std::shared_ptr<VerifyStream>& stream, std::vector<Digest> only) {
  for (const auto& digest : only) {
    if (!store_.find(digest)) {
      stream->close({grpc::StatusCode::NOT_FOUND, "blob " + digest.to_string() + " is not in the store"});
      return;
    }
  }
  if (running_.exchange(true)) {
    stream->close({grpc::StatusCode::ABORTED, "another verification is under way: wait until it is over"});
    return;
  }
  pool_.post([this, stream, only = std::move(only)] {
    run(*stream, only);
    running_ = false;  // Before the end is told: who has heard it may start the next.
    stream->close(stopping_ ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "the daemon is stopping") : grpc::Status::OK);
  });
}

// What waits to be sent is at most one small event a blob, so a slow client does not hold up the worker.
void Verification::run(VerifyStream& stream, const std::vector<Digest>& only) {
  v1::VerifyBlobsEvent event;
  const auto count = [&event](const store::BlobInfo& blob) {
    event.set_total_blobs(event.total_blobs() + 1);
    event.set_total_bytes(event.total_bytes() + blob.size);
  };
  if (only.empty()) {
    for (const auto& blob : store_.list(std::nullopt)) count(blob);
  } else {
    for (const auto& digest : only) {
      if (const auto blob = store_.find(digest)) count(*blob);
    }
  }
  store_.verify(only, [&](const store::VerifyResult& result) {
    event.set_digest(result.digest.to_string());
    event.set_size_bytes(result.size);
    event.set_ok(result.status.has_value());
    event.clear_error();
    if (!result.status) *event.mutable_error() = to_proto(result.status.error());
    event.set_verified_blobs(event.verified_blobs() + 1);
    event.set_verified_bytes(event.verified_bytes() + result.size);
    return stream.push(event) && !stopping_;
  });
}

}  // namespace paceline::api
