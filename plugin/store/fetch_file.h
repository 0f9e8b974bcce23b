// The daemon's own download of one blob: ranges arrive in any order and are written in place; SHA-256 follows the
// contiguous prefix; a finished, verified blob becomes hidden by one rename.
//
// Thread rule: write(), save_progress() and missing() from one thread (the network's); hash_prefix() and finish() from
// one other (a pool's) at a time; the counters from any. Destroying it keeps the partial download, with its progress,
// for a later begin_fetch (also after kill -9: what progress claims was written before progress was).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "plugin/base/digest.h"
#include "plugin/base/result.h"

namespace paceline::store {

class Store;

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t end = 0;  ///< One past the last byte.
  bool operator==(const ByteRange&) const = default;
};

class FetchFile {
 public:
  class Impl;
  explicit FetchFile(std::unique_ptr<Impl> impl);
  ~FetchFile();

  [[nodiscard]] const Digest& digest() const;
  [[nodiscard]] std::uint64_t size() const;

  /// Bytes found on disk when the download was opened.
  [[nodiscard]] std::uint64_t resumed_bytes() const;
  /// What is not written yet, in order.
  [[nodiscard]] std::vector<ByteRange> missing() const;
  /// Bytes from 0 without a gap; any thread.
  [[nodiscard]] std::uint64_t prefix() const;
  /// Bytes of the prefix that are hashed; any thread.
  [[nodiscard]] std::uint64_t hashed() const;

  /// Writes into the page cache. kOutOfRange past size(); kResourceExhausted when the disk is full.
  Status write(std::span<const std::byte> data, std::uint64_t offset);
  /// Records on disk which ranges are written; cheap (one small write), call every few MB.
  Status save_progress();

  /// Hashes what the prefix gained since the last call and starts its write-back to disk.
  Status hash_prefix();
  /// All bytes written: hashes the rest, checks the digest, syncs the data, makes the blob hidden. On a mismatch the
  /// download is discarded: kFailedPrecondition. The object is spent afterwards.
  Status finish();
  /// Deletes the partial download.
  void discard();

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace paceline::store
