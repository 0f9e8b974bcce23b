// The uncompressed bytes of a layer, piece by piece, hashed on the way. With one thread a piece is inflated, hashed
// and used while it is in the core's cache; when a core is free a helper thread inflates ahead into a ring of pieces,
// and whoever of the two would wait hashes meanwhile. Memory is the ring. next() and finish() from one thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/digest.h"
#include "plugin/base/result.h"
#include "plugin/unpack/decoder.h"
#include "plugin/unpack/limits.h"
#include "plugin/unpack/tar_reader.h"
#include "plugin/unpack/worker_slots.h"

namespace paceline::unpack {

class LayerStream final : public PieceSource {
 public:
  /// The caller has entered the slots of `turn`, and is in whenever he calls. `buffer_bytes` bounds the ring.
  LayerStream(std::unique_ptr<Decoder> decoder, const Limits& limits, std::size_t buffer_bytes, const Turn& turn);
  ~LayerStream() override;
  LayerStream(const LayerStream&) = delete;
  LayerStream& operator=(const LayerStream&) = delete;

  /// The next piece, valid until the next call; empty at the end.
  Result<std::span<const std::byte>> next() override;
  /// Reads what is left and returns the digest of all: the diffID.
  Result<Digest> finish();

  [[nodiscard]] std::uint64_t bytes() const { return taken_bytes_; }  ///< Handed out so far.
  /// CPU time of inflating and hashing: all of it after finish(), and the caller's own part of it.
  [[nodiscard]] Duration cpu() const { return own_cpu_ + helper_cpu_; }
  [[nodiscard]] Duration own_cpu() const { return own_cpu_; }

 private:
  struct Piece {
    std::unique_ptr<std::byte[]> bytes;  // Not initialised: a vector would clear it.
    std::size_t size = 0;
  };

  [[nodiscard]] Piece& piece(std::uint64_t number) { return ring_[number % ring_.size()]; }
  Result<std::size_t> fill(Piece& piece);
  Result<std::span<const std::byte>> next_alone();
  Result<std::span<const std::byte>> next_helped();
  void start_helper();
  void help();
  /// For another thread to change something; the slot is somebody else's meanwhile.
  void wait(std::unique_lock<std::mutex>& lock);
  /// Hashes one piece when one is due and nobody hashes; true when it did. Drops the lock meanwhile.
  bool hash_one(std::unique_lock<std::mutex>& lock);

  const std::unique_ptr<Decoder> decoder_;
  const Limits limits_;
  const Turn turn_;
  std::vector<Piece> ring_;
  Sha256 sha_;                      // Of who has set hashing_; without a helper, of the caller.
  std::uint64_t filled_bytes_ = 0;  // Of who fills: the helper once there is one.
  std::uint64_t taken_bytes_ = 0;   // The caller's.
  Duration own_cpu_{0};             // The caller's.
  std::thread helper_;

  std::mutex mutex_;  // Guards what follows, while there is a helper.
  std::condition_variable changed_;
  std::uint64_t filled_ = 0;  // Numbers of pieces, from the first on.
  std::uint64_t hashed_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t released_ = 0;
  bool hashing_ = false;
  bool ended_ = false;
  bool stopping_ = false;
  Duration helper_cpu_{0};  // Set with ended_.
  Status failure_;
};

}  // namespace paceline::unpack
