// The bytes of a file that are written, as a set of disjoint ranges; neighbours are merged. One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "plugin/store/fetch_file.h"

namespace paceline::store {

class IntervalSet {
 public:
  /// Adds [first, end); an empty range is ignored.
  void add(std::uint64_t first, std::uint64_t end);
  void clear() { ranges_.clear(); }

  /// Where the run of bytes that starts at 0 ends.
  [[nodiscard]] std::uint64_t prefix() const;
  [[nodiscard]] std::uint64_t covered() const;
  /// The end of the last range, 0 when empty.
  [[nodiscard]] std::uint64_t end() const { return ranges_.empty() ? 0 : ranges_.rbegin()->second; }
  /// The gaps below `size`, in order.
  [[nodiscard]] std::vector<ByteRange> missing(std::uint64_t size) const { return missing(0, size); }
  /// The gaps within [first, end), in order.
  [[nodiscard]] std::vector<ByteRange> missing(std::uint64_t first, std::uint64_t end) const;
  [[nodiscard]] std::vector<ByteRange> ranges() const;

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  ///< first → end
};

}  // namespace paceline::store
