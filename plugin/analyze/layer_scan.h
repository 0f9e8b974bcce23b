// One layer read through, without writing anything: its entries, what each takes of the blob, and the few files that
// tell what the image is made of. The archive is read by the unpack engine's decoder and tar reader, so that what
// containerd would refuse is refused here.
//
// Memory is the names and a hundred bytes an entry, whatever the layer's size. Any thread, several layers at once.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/digest.h"
#include "plugin/base/result.h"
#include "plugin/unpack/layer_source.h"
#include "plugin/unpack/limits.h"

namespace paceline::analyze {

enum class EntryKind : std::uint8_t { kFile, kDirectory, kSymlink, kHardLink, kOther, kWhiteout, kOpaque };

/// The first half of a SHA-256: what tells contents of one size apart. All zero: not taken, the file is small.
using ContentKey = std::array<std::uint64_t, 2>;
/// Below that, duplicates are not worth a line.
inline constexpr std::uint64_t kLeastDuplicate = 4096;

struct Entry {
  std::uint64_t name_at = 0, link_at = 0;  ///< In ScannedLayer::names.
  std::uint32_t name_size = 0, link_size = 0;
  std::uint64_t size = 0;        ///< Of a file's content, as `tar tv` prints it.
  std::uint64_t stored = 0;      ///< Of these, what the tar has: a sparse file's holes are not in it.
  std::uint64_t compressed = 0;  ///< Its share of the blob: content and headers, in the ratio of the bytes around it.
  ContentKey content{};
  EntryKind kind = EntryKind::kFile;
};

struct ScannedLayer {
  std::string names;  ///< Of all entries, clean paths without a leading slash; a whiteout's is of what it hides.
  std::vector<Entry> entries;
  std::map<std::size_t, std::string> kept;  ///< Contents that were asked for, by entry.
  std::uint64_t uncompressed_bytes = 0;     ///< Of the tar.
  std::uint64_t blob_bytes = 0;             ///< Of the blob, as stored: all that its source had.
  std::uint64_t compressed_bytes = 0;       ///< Of the blob; estimated when it is stored uncompressed.
  bool estimated = false;
  Digest diff_id;

  [[nodiscard]] std::string_view name(const Entry& entry) const {
    return std::string_view(names).substr(entry.name_at, entry.name_size);
  }
  [[nodiscard]] std::string_view link(const Entry& entry) const {
    return std::string_view(names).substr(entry.link_at, entry.link_size);
  }
};

struct ScanOptions {
  unpack::Limits limits;
  /// Whether the content of a file of that path is to be kept.
  std::function<bool(std::string_view path)> keep = nullptr;
  std::uint64_t most_kept_bytes = 64U << 20U;   ///< Of one layer, all kept contents together; more is an error.
  std::uint64_t most_name_bytes = 512U << 20U;  ///< Of one layer, names and links of all entries; more is an error.
  /// Called now and then with the bytes of the blob that were read since the last call. An error ends the scan.
  std::function<Status(std::uint64_t bytes)> progress = nullptr;
};

/// kInvalidArgument: broken or hostile; the message names the entry. kFailedPrecondition: another diffID than expected.
Result<ScannedLayer> scan_layer(unpack::LayerSource& source, std::string_view media_type,
                                const std::optional<Digest>& expected, const ScanOptions& options);

}  // namespace paceline::analyze
