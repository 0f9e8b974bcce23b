// One request for a range of a blob: checks the answer's head, writes its body in place, and tells its owner the end.
// Network thread only. Decisions (retry, move, give up) are the engine's, taken after on_done.
#pragma once

#include <cstdint>
#include <memory>

#include "plugin/base/clock.h"
#include "plugin/net/network_thread.h"
#include "plugin/pull/blob_fetch.h"
#include "plugin/pull/path.h"
#include "plugin/pull/response_check.h"

namespace paceline::pull {

/// A stream as the engine keeps it, from start until its range is settled.
struct Stream {
  std::uint64_t id = 0;
  net::TransferId transfer = 0;
  std::shared_ptr<BlobFetch> blob;
  Path* path = nullptr;
  PullKey pull = 0;
  std::uint64_t serial = 0;  ///< Of the planner that gave the range.
  adaptive::RangeId range = 0;
  AskedRange asked;
  std::uint64_t skip = 0;      ///< Bytes of the body before the range: a host without ranges sends them again.
  std::uint64_t position = 0;  ///< Next byte of the blob to write.
  std::uint64_t bytes = 0;     ///< Written.
  std::uint64_t prepaid = 0;   ///< Bytes that the prefetch caps were charged with before they came.
  TimePoint started;
  Answer answer;
  Status write_status;
  /// The planner that still knows the range; null when it was closed meanwhile.
  [[nodiscard]] adaptive::RangePlanner* planner() const {
    return path->serial(pull) == serial ? path->planner(pull) : nullptr;
  }
  bool surplus = false;    ///< Stopped because its range was shortened or closed: no failure.
  bool cancelled = false;  ///< Stopped by the engine, which has already taken its decisions.
};

class RangeStreamOwner {
 public:
  virtual ~RangeStreamOwner() = default;
  /// Answers whether it goes on or pauses.
  virtual net::Flow stream_advanced(Stream& stream, std::size_t bytes) = 0;
  virtual void stream_ended(std::uint64_t stream_id, const net::TransferEnd& end) = 0;
  [[nodiscard]] virtual adaptive::Time now() const = 0;
  [[nodiscard]] virtual WallTime wall() const = 0;
};

class RangeStream final : public net::TransferHandler {
 public:
  RangeStream(RangeStreamOwner& owner, std::shared_ptr<Stream> stream) : owner_(owner), stream_(std::move(stream)) {}

  net::Flow on_head(const net::ResponseHead& head) override;
  net::Flow on_body(std::span<const std::byte> data) override;
  void on_done(const net::TransferEnd& end) override;

 private:
  RangeStreamOwner& owner_;
  std::shared_ptr<Stream> stream_;
};

}  // namespace paceline::pull
