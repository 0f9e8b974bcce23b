// The content store on disk, in containerd's own layout, so that the built-in store can be put back at any time:
//
//   <content>/blobs/sha256/<hex>                        listed blobs: containerd knows them; its GC owns them
//   <content>/ingest/<sha256 of ref>/{ref,data,…}       what containerd itself is writing
//   <content>/.paceline/hidden/sha256/<hex>             fetched or prefetched, whole and verified, not yet adopted
//   <content>/.paceline/fetch/<hex>/{data,progress}     the daemon's own downloads, resumable
//   <content>/.paceline/{labels,pins}/…                 small files
//
// A blob is hidden or listed by the folder it is in: adopting is one rename, so the hidden set survives any crash.
// Thread rule: any thread. find() and list() touch memory only; nothing holds the table's mutex over disk I/O.
// The store is the only writer of content and owns every file below <content>. It outlives its ingests and downloads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/digest.h"
#include "plugin/base/result.h"
#include "plugin/store/fetch_file.h"
#include "plugin/store/ingest.h"
#include "plugin/store/open_blob.h"

namespace paceline::store {

struct StoreOptions {
  std::filesystem::path content;
  /// Upper bound for all blobs and downloads together, bytes; 0: none. Kept by evicting hidden, unpinned blobs, least
  /// recently used first. Listed blobs are containerd's: they count, but are never touched and never refused.
  std::uint64_t quota = 0;
  /// Free bytes to leave on the file system: below it every new byte is refused (kResourceExhausted).
  std::uint64_t free_floor = 512U << 20U;
  std::size_t open_blobs = 256;  ///< Descriptors kept open for reading.
};

enum class Visibility { kHidden, kListed };

struct BlobInfo {
  Digest digest;
  std::uint64_t size = 0;
  WallTime created;
  WallTime updated;
  Visibility visibility = Visibility::kListed;
  bool pinned = false;
  WallTime last_used;
};

using Labels = std::map<std::string, std::string>;

/// Why bytes are about to be stored: prefetches obey the quota, a foreground pull only the free-space floor.
enum class Purpose { kForeground, kPrefetch };

/// Why a blob was dropped that containerd had not (or no longer) on its list.
enum class Eviction {
  kQuota,     ///< Room was needed within the quota.
  kDisk,      ///< … or on the disk.
  kRequest,   ///< Somebody asked for it.
  kUnpacked,  ///< Its files were taken instead.
};

struct Usage {
  std::uint64_t listed_blobs = 0, listed_bytes = 0;
  std::uint64_t hidden_blobs = 0, hidden_bytes = 0;
  std::uint64_t pinned_bytes = 0;
  std::uint64_t partial_bytes = 0;  ///< Downloads and ingests in progress, as allocated on disk.
  std::uint64_t quota = 0, free_floor = 0, free_bytes = 0;
  // Since start:
  std::uint64_t evictions = 0;                ///< For room: by quota and disk.
  std::map<Eviction, std::uint64_t> evicted;  ///< All of them, by reason.
  std::uint64_t unused_bytes = 0;             ///< Dropped before anybody used them: all reasons but kUnpacked.
  std::uint64_t adoptions = 0;                ///< Hidden blobs that became listed.
};

struct VerifyResult {
  Digest digest;
  std::uint64_t size = 0;
  Status status;  ///< kDataLoss when the bytes no longer match.
};

/// Keeps a blob from being evicted while it lives: somebody has been told that it is there. Outlived by the store.
class BlobClaim {
 public:
  BlobClaim(const BlobInfo& info, std::function<void()> release) : info_(info), release_(std::move(release)) {}
  ~BlobClaim() { release_(); }
  BlobClaim(const BlobClaim&) = delete;
  BlobClaim& operator=(const BlobClaim&) = delete;
  [[nodiscard]] const BlobInfo& info() const { return info_; }

 private:
  BlobInfo info_;
  std::function<void()> release_;
};

class Store {
 public:
  /// Takes an exclusive lock on the content folder (kFailedPrecondition when another daemon holds it), scans it, and
  /// clears away what a crash left behind that cannot be resumed.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options, const Clock& clock);
  ~Store();

  // ---- blobs
  [[nodiscard]] std::optional<BlobInfo> find(const Digest& digest) const;
  /// All blobs of that visibility, or all.
  [[nodiscard]] std::vector<BlobInfo> list(std::optional<Visibility> visibility) const;
  /// Null when absent. In memory alone.
  [[nodiscard]] std::unique_ptr<BlobClaim> claim(const Digest& digest);
  /// Makes a hidden blob listed; fine when it already is. kNotFound when absent.
  Result<BlobInfo> adopt(const Digest& digest);
  /// Cached, shared descriptor for reading; marks the blob as used.
  Result<std::shared_ptr<const OpenBlob>> open_blob(const Digest& digest);
  /// The same for a blob that is still being fetched: only what lies below the download's prefix may be read, and is
  /// not verified yet. The descriptor outlives the landing. kNotFound when neither blob nor download is there.
  Result<std::shared_ptr<const OpenBlob>> open_growing(const Digest& digest);
  /// containerd deletes a listed blob: unlinked, or, while pinned, hidden again. kNotFound when not listed.
  Status remove(const Digest& digest);
  /// Drops a hidden, unpinned blob. kFailedPrecondition when listed, pinned or claimed.
  Status evict(const Digest& digest, Eviction why = Eviction::kRequest);

  // ---- labels (containerd's conformance suite and `ctr content label` on the bare store)
  [[nodiscard]] Labels labels(const Digest& digest) const;
  Result<BlobInfo> set_labels(const Digest& digest, const Labels& labels);

  // ---- pins: a name (an image reference) keeps a set of blobs from eviction and from containerd's GC
  Status pin(const std::string& name, const std::vector<Digest>& digests);
  Status unpin(const std::string& name);  ///< kNotFound when there is no such pin.
  [[nodiscard]] std::map<std::string, std::vector<Digest>> pins() const;

  // ---- what containerd writes (one writer a ref; kUnavailable when the ref is being written)
  /// Opens or resumes the ingest of `ref`. `total` 0 and no `expected`: unknown.
  Result<std::unique_ptr<Ingest>> open_ingest(const std::string& ref, std::uint64_t total,
                                              std::optional<Digest> expected);
  Result<IngestStatus> ingest_status(const std::string& ref) const;
  [[nodiscard]] std::vector<IngestStatus> ingests() const;
  /// kNotFound when absent, kUnavailable while being written.
  Status abort_ingest(const std::string& ref);

  // ---- what the daemon fetches
  /// Opens or resumes the download of a blob; checks floor and quota first (evicting as needed).
  /// kAlreadyExists when the blob is there, kUnavailable when it is being fetched already.
  Result<std::unique_ptr<FetchFile>> begin_fetch(const Digest& digest, std::uint64_t size, Purpose purpose);
  /// Stores a small blob that is at hand whole (a manifest), hidden. The digest is checked. Fine when already there.
  Status put_hidden(const Digest& digest, std::string_view bytes, Purpose purpose);
  /// Turns the contiguous prefix of an unfinished download into the ingest of `ref`, by rename; no-op when there is no
  /// such download, a FetchFile of it is open, or the ref is being written or holds as much already.
  Status hand_over(const Digest& digest, const std::string& ref, std::uint64_t total);

  // ---- care
  /// What others keep on its behalf, outside of the content folder: it counts against the quota.
  void set_bytes_elsewhere(std::uint64_t bytes);
  [[nodiscard]] Usage usage() const;
  /// Re-hashes every blob (or the given ones), reporting each; stops early when `report` answers false. A damaged
  /// hidden blob is removed; a damaged listed one is left for its owner and reported.
  void verify(const std::vector<Digest>& only, const std::function<bool(const VerifyResult&)>& report);

 private:
  friend class FetchFile;
  friend class Ingest;
  class Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace paceline::store
