// Which blobs are being fetched right now: single flight per digest, seen by the content service.
// The border between the transfer engine, which reports, and the content service, which asks and waits.
//
// Thread rule: any thread; no call blocks. Callbacks run on the thread that moves or lands the flight, never under the
// table's mutex; they must not block.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "plugin/base/digest.h"
#include "plugin/base/result.h"

namespace paceline::pull {

using WaitId = std::uint64_t;

class FlightTable {
 public:
  struct View {
    std::uint64_t size = 0;      ///< Total bytes of the blob.
    std::uint64_t received = 0;  ///< Bytes written so far; grows while the flight is under way.
    std::uint64_t prefix = 0;    ///< Bytes from 0 without a gap: written, not verified. May lag; 0 after a new start.
  };
  /// ok: the blob is in the store, hidden. Otherwise why not; the partial download stays in the store.
  using Landed = std::function<void(const Status&)>;
  /// The prefix is that long now.
  using Advanced = std::function<void(std::uint64_t prefix)>;

  /// Registers a flight; false when that digest is in flight already.
  bool take_off(const Digest& digest, std::uint64_t size);
  void progress(const Digest& digest, std::uint64_t received);
  /// The prefix has changed; whoever follows it is told.
  void advance(const Digest& digest, std::uint64_t prefix);
  /// Ends a flight and calls every waiter.
  void land(const Digest& digest, const Status& outcome);

  [[nodiscard]] std::optional<View> find(const Digest& digest) const;
  /// Calls `landed` once when the flight ends; empty, and no call, when there is no such flight.
  std::optional<WaitId> wait(const Digest& digest, Landed landed);
  /// The same, and `advanced` is called each time that the prefix changes until then.
  std::optional<WaitId> follow(const Digest& digest, Advanced advanced, Landed landed);
  /// After it returns, the callbacks are not called any more unless one is running already.
  void cancel(WaitId id);

  /// Called (any thread) when containerd opens a Write for a digest: it is wanted now. The hook may let it take off.
  void set_demand_hook(std::function<void(const Digest&)> hook);
  void demand(const Digest& digest);

 private:
  struct Waiter {
    WaitId id = 0;
    Advanced advanced;  ///< May be empty.
    Landed landed;
  };
  struct Flight {
    View view;
    std::vector<Waiter> waiters;
  };
  mutable std::mutex mutex_;
  std::unordered_map<Digest, Flight> flights_;
  std::function<void(const Digest&)> demand_hook_;
  WaitId next_wait_ = 1;
};

}  // namespace paceline::pull
