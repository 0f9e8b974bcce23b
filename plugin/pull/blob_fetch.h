// One blob in flight, and the counters of it that other threads may read.
// Thread rule: BlobFetch lives on the network thread; BlobCounters are atomics, read by any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/digest.h"
#include "plugin/net/http.h"
#include "plugin/registry/repository.h"
#include "plugin/store/fetch_file.h"
#include "plugin/store/store.h"

namespace paceline::pull {

using PullKey = std::uint64_t;

struct BlobCounters {
  std::atomic<std::uint64_t> received{0};  ///< Bytes on disk, resumed ones included.
  std::atomic<std::uint64_t> fetched{0};   ///< Bytes that came over the network.
  std::atomic<std::uint64_t> resumed{0};
  std::atomic<std::uint64_t> retries{0};
  std::atomic<unsigned> streams{0};
  std::atomic<std::uint64_t> write_ns{0};  ///< Spent in writes to disk.
  // When, in nanoseconds of the steady clock; 0: not yet.
  std::atomic<Duration::rep> located{0};     ///< Its request was known, rights included.
  std::atomic<Duration::rep> first_byte{0};  ///< Of its body, over the network.
  std::atomic<Duration::rep> last_byte{0};
};

class Path;

struct BlobFetch {
  enum class Stage {
    kLocating,   ///< A worker asks the registry client for the request (and perhaps a token).
    kFetching,   ///< In the planner of its path.
    kFinishing,  ///< All bytes are here; the rest is hashed and synced.
  };

  Digest digest;
  std::uint64_t size = 0;
  std::uint64_t layer = 0;  ///< Its number in the planners.
  store::Purpose purpose = store::Purpose::kForeground;
  Stage stage = Stage::kLocating;

  /// Repositories that can serve it, one for each pull that wants it: the next one is tried when one fails for good.
  std::vector<std::shared_ptr<registry::Repository>> sources;
  std::size_t source = 0;
  std::size_t endpoint = 0;

  /// Of its present source, as in an image reference.
  [[nodiscard]] const std::string& registry() const { return sources[source]->registry(); }

  std::set<PullKey> wanted_by;
  PullKey owner = 0;  ///< Whose planner holds it.

  std::shared_ptr<store::FetchFile> file;  ///< Shared with the hashing task.
  std::shared_ptr<BlobCounters> counters;

  net::HttpRequest request;  ///< At the blob's present location.
  bool redirected = false;   ///< The location came from a redirect: a 401 or 403 there means it has expired.
  Path* path = nullptr;

  unsigned failures = 0;     ///< In a row, without a byte in between; streams that fail together count as one.
  TimePoint failed_at;       ///< When the last one was counted …
  TimePoint failing_since;   ///< … and the first.
  unsigned relocations = 0;  ///< Redirects and renewals in a row, without a byte in between.
  unsigned throttles = 0;    ///< In a row.
  bool restarted = false;    ///< Its pieces were bad once: fetched again from nothing.

  bool hashing = false;
  std::optional<Error> failed;         ///< Given up; lands when the hashing task has let go of the file.
  std::uint64_t published_prefix = 0;  ///< As the flight table has it.
  std::uint64_t saved_at = 0;          ///< counters->received when the progress was last written.
};

}  // namespace paceline::pull
