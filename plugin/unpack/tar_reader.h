// The entries of a tar archive, one after another, from a stream of pieces; an entry's data is handed out without a
// copy. Understands what Go's archive/tar does, so that a layer means the same here as to containerd, and old GNU
// sparse files besides. Input is hostile: every size is checked, memory per entry is bounded. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plugin/base/result.h"
#include "plugin/unpack/pax.h"
#include "plugin/unpack/tar_header.h"

namespace paceline::unpack {

/// Where the archive's bytes come from.
class PieceSource {
 public:
  virtual ~PieceSource() = default;
  /// Valid until the next call; empty at the end.
  virtual Result<std::span<const std::byte>> next() = 0;
};

struct TarEntry {
  TarHeader header;  ///< With long names and PAX records applied; size is the file's own.
  std::vector<std::pair<std::string, std::string>> xattrs;
  bool sparse = false;
  std::vector<Extent> extents;  ///< Of a sparse file: where its stored bytes belong; ascending, within size.
};

class TarReader {
 public:
  explicit TarReader(PieceSource& source) : source_(source) {}

  /// Goes on to the next entry, past what is left of the current one; false at the archive's end.
  Result<bool> next(TarEntry& entry);
  /// The next stored bytes of the current entry, `limit` at most, valid until the next call; empty at its end.
  Result<std::span<const std::byte>> data(std::uint64_t limit = UINT64_MAX);

 private:
  struct LongNames {
    std::string name;
    std::string link;
  };

  Result<bool> next_header(TarEntry& entry);
  Result<bool> read_block(bool& partial);
  Status must_read_block(std::string_view what);
  Status skip_data();
  Status begin_data(const TarHeader& header);
  Result<std::string> read_special(const TarHeader& header);
  Status set_up_sparse(TarEntry& entry);
  Status read_gnu_map(TarEntry& entry);
  Status read_pax_map(TarEntry& entry);
  Result<std::span<const std::byte>> take(std::uint64_t limit);

  PieceSource& source_;
  std::span<const std::byte> piece_;
  std::array<std::byte, kTarBlock> block_{};
  PaxRecords records_;           // Of the current entry.
  std::uint64_t remaining_ = 0;  // Stored bytes of the current entry not handed out yet.
  std::uint64_t padding_ = 0;    // After them, up to the next block.
  bool ended_ = false;
};

}  // namespace paceline::unpack
