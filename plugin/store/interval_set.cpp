#include "plugin/store/interval_set.h"

#include <algorithm>
#include <iterator>

namespace paceline::store {

void IntervalSet::add(std::uint64_t first, std::uint64_t end) {
  if (first >= end) return;
  auto next = ranges_.upper_bound(first);
  if (next != ranges_.begin() && std::prev(next)->second >= first) {
    --next;  // Touches its left neighbour: grow that one.
    first = next->first;
  }
  while (next != ranges_.end() && next->first <= end) {
    end = std::max(end, next->second);
    next = ranges_.erase(next);
  }
  ranges_.emplace_hint(next, first, end);
}

std::uint64_t IntervalSet::prefix() const {
  return ranges_.empty() || ranges_.begin()->first != 0 ? 0 : ranges_.begin()->second;
}

std::uint64_t IntervalSet::covered() const {
  std::uint64_t sum = 0;
  for (const auto& [first, end] : ranges_) sum += end - first;
  return sum;
}

std::vector<ByteRange> IntervalSet::missing(std::uint64_t first, std::uint64_t end) const {
  std::vector<ByteRange> gaps;
  auto range = ranges_.upper_bound(first);
  if (range != ranges_.begin()) first = std::max(first, std::prev(range)->second);
  for (; range != ranges_.end() && range->first < end; ++range) {
    if (range->first > first) gaps.push_back({first, range->first});
    first = range->second;
  }
  if (first < end) gaps.push_back({first, end});
  return gaps;
}

std::vector<ByteRange> IntervalSet::ranges() const {
  std::vector<ByteRange> out;
  out.reserve(ranges_.size());
  for (const auto& [first, end] : ranges_) out.push_back({first, end});
  return out;
}

}  // namespace paceline::store
