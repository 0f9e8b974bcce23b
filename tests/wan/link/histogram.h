// Durations by logarithm, eight steps to an octave: a percentile is right to 9 %. Not thread-safe.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace paceline::wan {

class Histogram {
 public:
  void add(int64_t ns) {
    const uint64_t value = ns < 1 ? 1 : static_cast<uint64_t>(ns);
    const int octave = std::bit_width(value) - 1;
    const uint64_t step = octave >= 3 ? value >> (octave - 3) & 7 : value << (3 - octave) & 7;
    ++counts_[static_cast<size_t>(octave) * 8 + step];
    ++total_;
    if (ns > most_) most_ = ns;
  }

  /// The upper end of the step in which the share `part` (0 to 1) of all lies.
  [[nodiscard]] double percentile_us(double part) const {
    uint64_t left = static_cast<uint64_t>(static_cast<double>(total_) * part);
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] > left)
        return static_cast<double>(1ULL << (i / 8)) * (1 + static_cast<double>(i % 8 + 1) / 8) / 1e3;
      left -= counts_[i];
    }
    return most_us();
  }
  [[nodiscard]] double most_us() const { return static_cast<double>(most_) / 1e3; }
  [[nodiscard]] uint64_t total() const { return total_; }

 private:
  std::array<uint64_t, 512> counts_{};
  uint64_t total_ = 0;
  int64_t most_ = 0;
};

}  // namespace paceline::wan
