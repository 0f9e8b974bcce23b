// Blobs on disk and in the table, changed together: a rename or unlink, and the table's entry with it. One digest's
// changes take turns; different digests do not wait for each other (64 turns). Any thread.
#pragma once

#include <array>
#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>

#include "plugin/store/background.h"
#include "plugin/store/blob_table.h"
#include "plugin/store/descriptor_cache.h"
#include "plugin/store/label_files.h"
#include "plugin/store/layout.h"

namespace paceline::store {

class BlobFiles {
 public:
  BlobFiles(const Layout& layout, BlobTable& table, DescriptorCache& cache, LabelFiles& labels, Background& background,
            const Clock& clock)
      : layout_(layout), table_(table), cache_(cache), labels_(labels), background_(background), clock_(clock) {}

  Result<BlobInfo> adopt(const Digest& digest);
  Result<std::shared_ptr<const OpenBlob>> open(const Digest& digest);
  Status remove(const Digest& digest);
  /// Answers its size.
  Result<std::uint64_t> evict(const Digest& digest);
  /// Removes a hidden blob whose bytes are damaged, pinned or not; false when it is not hidden (any more).
  bool drop_damaged(const Digest& digest);
  Result<BlobInfo> set_labels(const Digest& digest, const Labels& labels);

  /// Moves a whole, verified, synced file in as a hidden blob; when the blob is there already, the file is deleted.
  Status land_hidden(const std::filesystem::path& file, int fd, const Digest& digest, std::uint64_t size,
                     WallTime kept_until);
  /// The same as a listed blob. kAlreadyExists when it is there, once a hidden one is adopted; the file then stays.
  Status land_listed(const std::filesystem::path& file, int fd, const Digest& digest, std::uint64_t size,
                     const Labels& labels);

  /// Since the start.
  [[nodiscard]] std::uint64_t adoptions() const { return adoptions_; }

 private:
  std::mutex& turn(const Digest& digest) { return turns_[std::hash<Digest>{}(digest) % turns_.size()]; }
  Result<BlobInfo> adopt_in_turn(const Digest& digest);
  void forget(const Digest& digest);
  Result<UniqueFd> open_file_of(const BlobInfo& info) const;

  const Layout& layout_;
  BlobTable& table_;
  DescriptorCache& cache_;
  LabelFiles& labels_;
  Background& background_;
  const Clock& clock_;
  std::array<std::mutex, 64> turns_;
  std::atomic<std::uint64_t> adoptions_{0};
};

}  // namespace paceline::store
