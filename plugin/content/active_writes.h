// The Write streams that are open: one a reference, as containerd demands. Some of them are virtual: nothing is
// written, because the daemon itself is fetching the blob; they show up in Status and ListStatuses with the flight's
// progress. Any thread; no call blocks, and no callback is called under the mutex.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/digest.h"

namespace paceline::content {

struct VirtualIngest {
  std::string ref;
  Digest digest;
  std::uint64_t total = 0;
  WallTime started;
};

class ActiveWrites {
 public:
  enum class Lock {
    kTaken,    ///< The caller has it, and must release() it.
    kWriting,  ///< Somebody writes, or closed the stream a moment ago: worth a second look.
    kVirtual,  ///< Somebody waits for a flight, which may take minutes.
  };
  /// `abort` is called by abort(), at most once.
  Lock acquire(const std::string& ref, std::function<void()> abort);
  void release(const std::string& ref);

  void make_virtual(VirtualIngest ingest);
  void make_plain(const std::string& ref);
  [[nodiscard]] std::optional<VirtualIngest> find_virtual(const std::string& ref) const;
  [[nodiscard]] std::vector<VirtualIngest> virtual_ingests() const;

  /// Tells the writer of `ref` to stop; false when there is none.
  bool abort(const std::string& ref);

 private:
  struct Entry {
    std::function<void()> abort;
    std::optional<VirtualIngest> ingest;
  };
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

/// The digest of the last Info that found its blob in flight. containerd's metadata layer asks Info and opens the Write
/// within one write transaction, so the first Write after it is about the same blob, whatever its reference says.
class InfoTrail {
 public:
  void leave(std::optional<Digest> digest) {
    const std::lock_guard lock(mutex_);
    digest_ = digest;
  }
  std::optional<Digest> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(digest_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::optional<Digest> digest_;
};

}  // namespace paceline::content
